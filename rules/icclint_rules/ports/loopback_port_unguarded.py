"""A port that is published on loopback only can be reached by neighbours, since the engine is too old to guard it.

## What it detects

On a host whose engine is older than 28.0.0, a port published on `127.0.0.1` whose container gets new connections from
beyond an interface that leads out of the host, by packets to the loopback address itself.

## Why it matters

People publish on loopback to keep a service to the host. Up to 27.5 the DNAT that carries it out takes packets that
come in by any interface but the container's own bridge, before the kernel would refuse them as martians; so a neighbour
on the link who sends a frame to the host with the destination 127.0.0.1 gets to the container. Everybody else cannot,
as no router forwards such a packet. All engines of that age do so, on every host: that is why the rule is asked in the
audit profile only, and why its severity is one below that of `loopback-port-reachable`, where a guard was lost.

## Example

    -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432

## What to do

Upgrade to 28 or later, which guards these ports in table raw. Until then put the guard in by hand. A service that only
the host's own programs use is better not published at all: they reach it at the container's address.

## Limits

That the container's own address is open to whoever routes to it is `direct-routing-unguarded`.

## References

- CWE-668, CWE-923, CWE-1327
- CIS Docker Benchmark 1.8.0, 5.14
- https://github.com/moby/moby/issues/45610: ports published on loopback are reached by neighbours
- https://github.com/moby/moby/pull/49325: the guards, in 28.0.0
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Effect, Evidence, Finding, Host, NotAssessed, Profile, Severity, closes_containers, rule
from icclint_rules.ports.loopback import leaks_at_loopback


@rule(
    id="loopback-port-unguarded",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
    profile=Profile.AUDIT,
)
def loopback_port_unguarded(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    if not closes_containers(host, 4):
        yield from leaks_at_loopback(host, effect)
