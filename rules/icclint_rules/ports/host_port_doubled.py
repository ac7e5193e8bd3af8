"""Two DNATs take the same port of the host, so the first one wins and the other container is not reached.

## What it detects

In chain DOCKER of table nat, two rules for the same protocol and port of the host, at the same address or one at every
address, that lead to different containers, where packets from outside all follow the first.

## Why it matters

The engine gives a port of the host to one container only, so one of the two rules is left over from a container that is
gone, or was put in by hand. What is sent to the port goes to the wrong one: at best to nobody, at worst to a service
that was not meant to be reached.

## Example

    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.3:80
    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80

## What to do

Find out which of the two is meant (`docker ps`), and delete the other, or restart the engine, which builds the chain
anew.

## Limits

Where one of the two is known to be stale, that is the cause, and `published-port-stale` reports it instead. Rules for
ports on loopback are not compared, since what the host's own programs send there does not meet them.

## References

- CWE-459
- https://github.com/moby/moby/issues/32048: the first of two rules wins
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    PortForward,
    Publication,
    Severity,
    port_forwards,
    rule,
)
from icclint_rules.ports.stale import Stale, stale_ports
from icclint_rules.ports.ways import Way, host_port, named, redirected_ways
from icclint_rules.proof import proof


@rule(
    id="host-port-doubled",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def host_port_doubled(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    stale = {f.rule.span for found in stale_ports(host) if isinstance(found, Stale) for f in found.forwards}
    seen: dict[tuple[int, int, int], list[PortForward]] = {}
    for second in port_forwards(host):
        if second.rule.span in stale:
            continue
        asked = second.publication
        before = seen.setdefault((asked.protocol, asked.host_port, asked.address.version), [])
        first = next((one for one in before if takes(one, second)), None)
        before.append(second)
        if first is None or next(redirected_ways(effect, second.publication), None) is not None:
            continue
        way = next(redirected_ways(effect, asked_by(first, second)), None)
        if way is not None:
            yield doubled(host, effect, first, second, way)


def takes(first: PortForward, second: PortForward) -> bool:
    """Whether a rule takes packets that another one asks for by the same port, and leads them elsewhere."""
    one, other = first.publication, second.publication
    asked = {one.host_address, other.host_address} - {None}
    return len(asked) < 2 and (one.address, one.port) != (other.address, other.port)


def asked_by(first: PortForward, second: PortForward) -> Publication:
    """The first one's target, asked for at the address of the second."""
    return replace(first.publication, host_address=second.publication.host_address)


def doubled(host: Host, effect: Effect, first: PortForward, second: PortForward, way: Way) -> Finding:
    port = host_port(second.publication)
    winner, loser = first.publication, second.publication
    return Finding(
        message=(
            f"Port {port} of the host leads to {named(host, winner.address)} and to {named(host, loser.address)} "
            f"at once: packets from outside go to {winner.address}, never to {loser.address}"
        ),
        subject=f"port {port}",
        key=(first.rule.text, second.rule.text),
        primary=Location(second.rule.span, "gets no packets from outside"),
        related=(Location(first.rule.span, "takes them"),),
        remedy=(f"docker ps --filter publish={winner.host_port}",),
        **proof(effect, way.share),
    )
