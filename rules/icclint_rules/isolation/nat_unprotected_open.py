"""A network whose gateway mode is nat-unprotected is open on every port, to other networks and to the outside.

## What it detects

A bridge network whose gateway mode for IPv4 or IPv6 is `nat-unprotected`, where new connections from another bridge
network or from beyond an interface that leads out of the host get to its containers' own addresses. One finding for
each family.

## Why it matters

The mode is chosen to let routed hosts get at the containers without publishing, and it does: every port is open to
whoever routes to the subnet. Up to 28 other bridge networks were still kept out; 29 has no isolation chains any more,
and the ACCEPT that the mode puts in place of the DROP at the end of chain DOCKER lets them in as well, which Docker's
documentation does not say. It is what the option makes of the network, so it is in the audit profile.

## Example

    "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"

    -A DOCKER ! -i br-0123456789ab -o br-0123456789ab -j ACCEPT

## What to do

Use mode `nat` and publish what is meant to be reached, `routed` for direct access to published ports, or
`com.docker.network.bridge.trusted_host_interfaces` (28.2) for direct access from some interfaces.

## Limits

Engines before 28.0.0 take the option and do nothing with it.

## References

- CWE-668, CWE-1188
- CIS Docker Benchmark 1.8.0, 5.9
- moby, iptabler/network.go: the ACCEPT of nat-unprotected
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    GATEWAY_MODE,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Profile,
    Severity,
    Share,
    families,
    gateway_mode,
    port_openings,
    rule,
)
from icclint_rules.proof import arriving, opened_on_purpose, place, proof, unknown


@rule(
    id="nat-unprotected-open",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
    profile=Profile.AUDIT,
)
def nat_unprotected_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        for family in families(network):
            if network.internal or gateway_mode(network, family) != "nat-unprotected":
                continue
            ways = list(openings(host, effect, network, family))
            if ways:
                yield opened(effect, network, family, ways)
            for interface in effect.outside_interfaces:
                yield from unknown(effect.inbound(interface, network, family), f"network {network.name}")


def openings(host: Host, effect: Effect, network: Network, family: int) -> Iterator[tuple[str, Share]]:
    """Who gets in by what the mode makes of chain DOCKER, other networks first: in words, with the packets."""
    for other in host.bridges:
        if other.bridge != network.bridge and family in families(other):
            for share in arriving(effect.between(other, network, family)):
                if opens_all(host, network, family, share):
                    yield f"network {other.name!r}", share
    for interface in effect.outside_interfaces:
        for share in arriving(effect.inbound(interface, network, family)):
            if opens_all(host, network, family, share):
                yield f"outside by {interface}", share


def opens_all(host: Host, network: Network, family: int, share: Share) -> bool:
    """Whether packets pass by what the mode makes of chain DOCKER, not by the rule of one published port."""
    ports = {opening.rule.span for opening in port_openings(host)}
    return opened_on_purpose(network, family, share) and share.decision.span not in ports


def opened(effect: Effect, network: Network, family: int, ways: list[tuple[str, Share]]) -> Finding:
    share = ways[0][1]
    senders = ", ".join(dict.fromkeys(sender for sender, _ in ways))
    claim = network.span_of("Options", GATEWAY_MODE[family])
    reached = "may be reached" if share.assumptions else "are reached"
    return Finding(
        message=(
            f"Containers of network {network.name!r}, which is nat-unprotected, {reached}"
            f"{' over IPv6' if family == 6 else ''} at all their ports from {senders}"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}",),
        primary=Location(place(share.decision, claim), "opens all ports of the network"),
        related=(Location(claim, f"network {network.name} asks for it"),),
        **proof(effect, share),
    )
