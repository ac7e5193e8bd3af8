"""Ports that no container publishes are reached from outside, since a rule lets the packets in.

## What it detects

A bridge network whose containers get new connections from beyond an interface that leads out of the host, sent to their
own addresses and to ports that they do not publish, where a rule accepts them; with an engine that closes such ports
itself (28.0.0 and later), also where the policy does. Each rule that accepts is one finding, with the exact packets.

## Why it matters

What is not published is where databases and admin interfaces without a password listen, in the belief that only the
containers beside them get there. One broad ACCEPT ahead of Docker's rules opens all of it to whoever routes to the
subnet by this host: `-i wg0 -j ACCEPT`, as guides for a VPN have it, or the LAN's range in DOCKER-USER, meant for
published ports. Most such rules were meant for something narrower, but some are meant: medium.

## Example

    -A DOCKER-USER -s 192.168.0.0/16 -j ACCEPT

## What to do

Narrow the rule to what is published, or use RETURN in place of ACCEPT in DOCKER-USER, so that Docker's own rules still
decide. If the access is wanted, make the network with gateway mode `routed` or `nat-unprotected` (28.0.0 and later), so
that it says so.

## Limits

Whether anybody routes to the subnet does not show in a capture of the host. What engines before 28.0.0 leave open by
design is `direct-routing-unguarded`; what a rule of a container that is gone opens is `published-port-stale`. ICMP is
not reported.

## References

- CWE-668, CWE-923
- CIS Docker Benchmark 1.8.0, 5.9
- https://github.com/moby/moby/issues/14041: unpublished ports are reached by routing
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    ENGINE_CHAINS,
    PORT_PROTOCOLS,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    RangeSet,
    Rule,
    Severity,
    closes_containers,
    families,
    gateway_mode,
    port_forwards,
    port_openings,
    rule,
)
from icclint_rules.lines import removal
from icclint_rules.ports.ways import (
    Way,
    direct_ways,
    opening_of,
)
from icclint_rules.proof import place, proof, raw_is_captured, raw_not_captured, unknown, which


@rule(
    id="unpublished-port-reachable",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def unpublished_port_reachable(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        for family in families(network):
            # An internal network is `internal-but-forwarded`.
            if network.internal or gateway_mode(network, family) == "nat-unprotected":
                continue
            closed = closes_containers(host, family)
            ways = [
                way
                for way in direct_ways(effect, network, family)
                if opening_of(way.share) is None
                and (closed or by_somebody(way))
                and holds_unpublished(host, network, way)
            ]
            if ways and closed and not raw_is_captured(host, family):
                yield raw_not_captured(network, family)
                continue
            yield from by_decision(host, effect, network, ways)
            for interface in effect.outside_interfaces:
                yield from unknown(effect.inbound(interface, network, family), f"network {network.name}")


def by_somebody(way: Way) -> bool:
    """Whether a rule that is not the engine's own lets the packets in."""
    return way.share.decision.rule is not None and way.share.decision.rule.chain not in ENGINE_CHAINS


def holds_unpublished(host: Host, network: Network, way: Way) -> bool:
    """Whether some of the packets are for a port that no rule of Docker's publishes."""
    whole = way.judgement.packets.box
    published = {(int(o.address), o.protocol, o.port) for o in port_openings(host)}
    published |= {(int(p.address), p.protocol, p.port) for f in port_forwards(host) for p in (f.publication,)}
    parts = [
        whole
        & {
            "destination": RangeSet.single(address),
            "protocol": RangeSet.single(protocol),
            "destination_port": RangeSet.single(port),
        }
        for address, protocol, port in sorted(published)
    ]
    services = (box & {"protocol": RangeSet.single(*PORT_PROTOCOLS)} for box in way.share.boxes)
    return any(box.minus(part for part in parts if part is not None) for box in services if box is not None)


def by_decision(host: Host, effect: Effect, network: Network, ways: list[Way]) -> Iterator[Finding]:
    """One finding for each rule or policy that accepts, by the first interface."""
    found: dict[tuple[object, str], Way] = {}
    for way in ways:
        found.setdefault((way.share.decision.span, way.share.decision.text), way)
    for way in found.values():
        yield opening(host, effect, network, way)


def opening(host: Host, effect: Effect, network: Network, way: Way) -> Finding:
    family = way.judgement.packets.family
    decision = way.share.decision
    claim = Location(network.span_of("Name"), f"network {network.name}, which no option opens")
    reached = "may be reached" if way.share.assumptions else "are reached"
    return Finding(
        message=(
            f"Ports of network {network.name!r} that nobody publishes {reached} from outside by {way.interface}"
            f"{' over IPv6' if family == 6 else ''}{which(way.judgement, way.share)}: "
            f"{decision.text} lets the packets pass"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}", decision.text),
        primary=Location(place(decision, claim.span), "lets packets from outside in"),
        related=(claim,),
        remedy=remedy(host, decision.rule),
        **proof(effect, way.share),
    )


def remedy(host: Host, decided: Rule | None) -> tuple[str, ...]:
    """What takes an accepting rule out; a restart puts back what the engine lost."""
    if decided is None or decided.chain in ENGINE_CHAINS:
        return ("systemctl restart docker",)
    return removal(host, decided)
