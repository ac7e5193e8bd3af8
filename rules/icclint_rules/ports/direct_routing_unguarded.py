"""Whoever routes packets to a container's own address reaches it, since the engine is too old to keep them out.

## What it detects

On a host whose engine is older than 28.0.0, or writes no rules of that family, a bridge network whose containers get
new connections from beyond an interface that leads out of the host, sent to their own addresses: to their published
ports, which such engines open to everybody, and to all ports where the policy of FORWARD is ACCEPT. One finding for
each network and family.

## Why it matters

Docker's promise is that what is not published is closed. Up to 27.5 that hangs on the policy of FORWARD, which the
engine sets to DROP only if it was the one to turn on forwarding. On a host that forwarded before (a router, a host with
`net.ipv4.ip_forward=1` in sysctl.conf, one with Kubernetes or libvirt) it stays ACCEPT, and then any neighbour who adds
a route to the containers' subnet by this host gets at every port of every container. All hosts of that age do so by
design, so the rule is asked in the audit profile only.

## Example

    :FORWARD ACCEPT [0:0]
    -A FORWARD -o docker0 -j DOCKER

## What to do

Upgrade to 28 or later. Until then set the policy of FORWARD to DROP, and keep packets for the containers' subnets out
where they come in: `iptables -t raw -A PREROUTING -i eth0 -d 172.17.0.0/16 -j DROP`.

## Limits

Whether anybody routes to the subnet does not show in a capture of the host. What a rule lets in, not the policy, is
`unpublished-port-reachable`.

## References

- CWE-668, CWE-1188
- CIS Docker Benchmark 1.8.0, 5.9, 5.14
- https://github.com/moby/moby/issues/14041: unpublished ports are reached by routing
- https://github.com/moby/moby/pull/48724: closed in 28.0.0
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
    Profile,
    Severity,
    closes_containers,
    families,
    rule,
)
from icclint_rules.ports.ways import Way, direct_ways, opening_of, supposed_bindings
from icclint_rules.proof import place, proof, tool, unknown, which_of

MOST_SHOWN = 6
"""How many published ports are named."""


@rule(
    id="direct-routing-unguarded",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
    profile=Profile.AUDIT,
)
def direct_routing_unguarded(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        for family in families(network):
            if network.internal or closes_containers(host, family):
                continue
            ways = [way for way in direct_ways(effect, network, family) if by_design(host, way)]
            # The policy says most, so it comes first.
            ways.sort(key=lambda way: way.share.decision.by != "policy")
            if ways:
                yield unguarded(effect, network, family, ways)
            for interface in effect.outside_interfaces:
                yield from unknown(effect.inbound(interface, network, family), f"network {network.name}")


def by_design(host: Host, way: Way) -> bool:
    """Whether the engine itself lets the packets in: it leaves them to the policy, or opens a published port."""
    opening = opening_of(way.share)
    return way.share.decision.by != "rule" or (opening is not None and bool(supposed_bindings(host, opening)))


def unguarded(effect: Effect, network: Network, family: int, ways: list[Way]) -> Finding:
    first = ways[0]
    decided = first.share.decision
    shares = [way.share for way in ways if way.interface == first.interface]
    many = f" ({len(shares)} published ports)"
    words = which_of(first.judgement, shares) if len(shares) <= MOST_SHOWN else many
    why = f"{decided.text} lets the packets pass" if decided.by != "rule" else "the engine opens them to everybody"
    reached = "may be reached" if first.share.assumptions else "are reached"
    claim = Location(network.span_of("Name"), f"network {network.name}, to which no one outside should route")
    others = dict.fromkeys(way.share.decision.span for way in ways if way.share.decision.span != decided.span)
    return Finding(
        message=(
            f"Containers of network {network.name!r} {reached} from outside by {first.interface} at their own "
            f"addresses{' over IPv6' if family == 6 else ''}{words}: {why}"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}",),
        primary=Location(place(decided, claim.span), "lets packets from outside in"),
        related=(claim, *(Location(span, "and here") for span in others if span is not None)),
        remedy=tuple(
            f"{tool(family)} -t raw -A PREROUTING -i {first.interface} -d {subnet} -j DROP"
            for subnet in network.subnets_of(family)
        ),
        **proof(effect, first.share),
    )
