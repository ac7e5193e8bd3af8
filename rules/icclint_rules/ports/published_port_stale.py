"""Rules of a published port stayed behind: their container is gone, or the address is another container's now.

## What it detects

In chain DOCKER, a DNAT of a published port, or the ACCEPT that opens one, whose target address no container of the
network has, or whose container does not publish that port there. All rules that lead to one port of a container are
one finding, with the packet that still gets there, if one does. An ACCEPT that no packet from outside reaches is
nothing to report.

## Why it matters

The engine takes these rules away when the container stops; they stay when the engine is killed, when a dump is restored
at boot, or when a reload of firewalld revives them. Addresses are given out again, so the next container that gets the
address is published by a port that nobody asked for. Until then the port of the host leads nowhere, and since the first
rule wins, a new container that publishes the same port is not reached.

## Example

    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.3:80

while no container has 172.17.0.3.

## What to do

Delete the rules, or restart the engine, which builds chain DOCKER anew.

## Limits

Whether a container that has the address publishes the port shows in `docker inspect` of the containers only. A rule
that an administrator put into chain DOCKER by hand looks the same, and does not outlive a restart of the engine.

## References

- CWE-459, CWE-668
- CIS Docker Benchmark 1.8.0, 5.9
- https://github.com/moby/moby/issues/32048, https://github.com/moby/moby/issues/15151: rules of containers long gone
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    PortForward,
    Severity,
    Share,
    rule,
)
from icclint_rules.lines import removal
from icclint_rules.ports.stale import Stale, stale_ports
from icclint_rules.ports.ways import holder, host_port, redirected_ways, service
from icclint_rules.proof import arriving


@rule(
    id="published-port-stale",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def published_port_stale(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for found in stale_ports(host):
        if isinstance(found, NotAssessed):
            yield found
            continue
        share = still_passes(effect, found)
        if found.forwards or share is not None:
            yield stale(host, effect, found, share)


def still_passes(effect: Effect, found: Stale) -> Share | None:
    """Packets from outside that the rules lead to the container's port, by the host's port or by its own address."""
    for forward in found.forwards:
        way = next(redirected_ways(effect, forward.publication), None)
        if way is not None:
            return way.share
    address, protocol, port = found.to
    spans = [opening.rule.span for opening in found.openings]
    for interface in effect.outside_interfaces:
        judgement = effect.to_container_port(interface, found.network, int(address), protocol, port, address.version)
        for share in arriving(judgement):
            if share.decision.span in spans:
                return share
    return None


def stale(host: Host, effect: Effect, found: Stale, share: Share | None) -> Finding:
    address, protocol, port = found.to
    first, *others = found.rules
    endpoint = holder(host, address)
    effects = "packets from outside still get there" if share is not None else "packets to it get lost"
    return Finding(
        message=(
            f"{what(found.forwards)} {service(protocol, port)} of {address} on network {found.network.name!r}: "
            f"{found.reason}, and {effects}"
        ),
        subject=f"port {service(protocol, port)} of {address}",
        key=tuple(rule.text for rule in (first, *others)),
        primary=Location(first.span, "stayed behind"),
        related=(
            *(Location(rule.span, "and so did this") for rule in others),
            *((Location(endpoint.span, f"{endpoint.name} has {address}"),) if endpoint else ()),
        ),
        remedy=tuple(command for rule in (first, *others) for command in removal(host, rule)),
        packet=share.witness if share is not None else None,
        trace=effect.trace(share) if share is not None else None,
        assumptions=share.assumptions if share is not None else (),
    )


def what(forwards: tuple[PortForward, ...]) -> str:
    """What the rules do, as the beginning of a sentence."""
    if not forwards:
        return "A rule opens"
    ports = ", ".join(host_port(forward.publication) for forward in forwards)
    return f"Port {ports} of the host leads to"
