"""A port that is published on loopback only is reached from outside, since its guard in table raw is missing.

## What it detects

On a host whose engine closes what is not published (28.0.0 and later), a port published on `127.0.0.1` whose container
gets new connections from beyond an interface that leads out of the host: by packets to the loopback address itself, or
by packets to the container's own address.

## Why it matters

`-p 127.0.0.1:5432:5432` is how people keep a database to the host. But the DNAT that carries it out takes a packet
before anybody asks where it came in, so any neighbour on the link who sends a frame to the host with the destination
127.0.0.1 gets to the container; `route_localnet` makes no difference. A neighbour who routes the container's subnet by
the host needs not even that. Engines since 28.0.0 guard against both in table raw, so a missing guard is a guard that
was lost: by a flush, by a reload of firewalld (CVE-2025-54388), or by `DOCKER_INSECURE_NO_IPTABLES_RAW`.

## Example

    -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432

without

    -A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 5432 -j DROP

## What to do

Restart the engine, which puts the guards back; with 28.2.0 to 28.3.2 and firewalld, upgrade. Until then put the guard
in by hand.

## Limits

Engines before 28.0.0 have no such guards: `loopback-port-unguarded`. To reach the loopback address one must be a
neighbour on the link, and to reach the container's one must have a route; neither shows in a capture of the host.

## References

- CWE-668, CWE-923, CWE-1327
- CIS Docker Benchmark 1.8.0, 5.14
- CVE-2025-54388: a reload of firewalld takes the guards away (28.2.0 to 28.3.2)
- https://github.com/moby/moby/issues/45610: ports published on loopback are reached by neighbours
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    PortOpening,
    Severity,
    closes_containers,
    families,
    rule,
)
from icclint_rules.ports.loopback import leaks_at_loopback
from icclint_rules.ports.ways import (
    Way,
    direct_guard,
    named,
    opened_ports,
    service,
)
from icclint_rules.proof import proof, raw_is_captured, raw_not_captured


@rule(
    id="loopback-port-reachable",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def loopback_port_reachable(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    if closes_containers(host, 4):
        yield from leaks_at_loopback(host, effect)
    for network in host.bridges:
        for family in families(network):
            if not closes_containers(host, family):
                continue
            opened = [found for found in opened_ports(host, effect, network, family) if found.only_on_loopback]
            if opened and not raw_is_captured(host, family):
                yield raw_not_captured(network, family)
                continue
            yield from (leak_at_container(host, effect, network, found.way, found.opening) for found in opened)


def leak_at_container(host: Host, effect: Effect, network: Network, way: Way, opening: PortOpening) -> Finding:
    port = service(opening.protocol, opening.port)
    may = "may be" if way.share.assumptions else "is"
    return Finding(
        message=(
            f"Port {port} of {named(host, opening.address)} is published on loopback only, and yet it {may} reached "
            f"from outside by {way.interface} at the container's own address {opening.address}: nothing in table raw "
            "keeps the packets out"
        ),
        subject=f"port {port} of container {named(host, opening.address)}",
        key=(opening.rule.text,),
        primary=Location(opening.rule.span, "lets packets from outside in"),
        related=(Location(network.span_of("Name"), f"network {network.name}, to which no one outside should route"),),
        remedy=(direct_guard(network, opening),),
        **proof(effect, way.share),
    )
