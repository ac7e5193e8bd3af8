"""An internal network can be reached from outside it, or its containers can reach out.

## What it detects

A bridge network with `Internal` set, on a host where a new connection passes between its subnet and another
bridge, or between its subnet and an interface that leads out of the host, in either direction. Each rule or
policy that lets it pass is one finding.

## Why it matters

An internal network is where people put what must not talk to the world. Docker keeps it apart by two rules on
its subnet, `! -s SUBNET -o BRIDGE -j DROP` and `! -d SUBNET -i BRIDGE -j DROP`; they are lost when chains are
flushed, they go stale when the network is made anew with another subnet, and whatever accepts before them wins.

## Example

    "Internal": true

    -A DOCKER-USER -i br-0123456789ab -j ACCEPT
    -A DOCKER-ISOLATION-STAGE-1 ! -d 172.20.0.0/16 -i br-0123456789ab -j DROP

## What to do

Take the accepting rule out or narrow it; restart the engine if Docker's own rules are missing.

## Limits

Containers of an internal network have no default route since 25.0, so for them the way out may end before it
starts; the rules are judged, not the routes. The host itself always reaches an internal network, and is reached
from it.

## References

- CWE-653, CWE-668
- CIS Docker Benchmark 1.8.0, 5.30
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Judgement,
    Location,
    Network,
    NotAssessed,
    Severity,
    families,
    rule,
)
from icclint_rules.isolation.barrier import cause
from icclint_rules.proof import arriving, place, proof, unknown, which


@rule(
    id="internal-but-forwarded",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def internal_but_forwarded(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if not network.internal:
            continue
        found: dict[tuple[object, ...], Finding] = {}
        told: dict[NotAssessed, None] = {}
        for judgement, way in ways(host, effect, network):
            for key, finding in openings(host, effect, network, judgement, way):
                found.setdefault(key, finding)
            told |= dict.fromkeys(unknown(judgement, f"network {network.name}"))
        yield from found.values()
        yield from told


def ways(host: Host, effect: Effect, network: Network) -> Iterator[tuple[Judgement, str]]:
    """The ways into an internal network and out of it, each in words."""
    for family in families(network):
        for other in host.bridges:
            if other.bridge != network.bridge and family in families(other):
                yield effect.between(network, other, family), f"its containers reach those of {other.name!r}"
                yield effect.between(other, network, family), f"the containers of {other.name!r} reach it"
        for interface in effect.outside_interfaces:
            yield effect.outbound(network, interface, family), f"its containers reach out by {interface}"
            yield effect.inbound(interface, network, family), f"it is reached from outside by {interface}"


def openings(
    host: Host, effect: Effect, network: Network, judgement: Judgement, way: str
) -> Iterator[tuple[tuple[object, ...], Finding]]:
    for share in arriving(judgement):
        family = judgement.packets.family
        claim = Location(network.span_of("Internal"), f"network {network.name} says that it is internal")
        why = cause(host, effect, network, share)
        may = "it may be that " if share.assumptions else ""
        yield (
            (family, share.decision.span, share.decision.text),
            Finding(
                message=(
                    f"Network {network.name!r} is internal, but {may}{way}{' over IPv6' if family == 6 else ''}"
                    f"{which(judgement, share)}: {share.decision.text} lets the packets pass{why.words}"
                ),
                subject=f"network {network.name}",
                key=(f"IPv{family}", share.decision.text),
                primary=Location(place(share.decision, claim.span), "lets packets into or out of the network"),
                related=(claim, *why.places),
                remedy=why.remedy,
                **proof(effect, share),
            ),
        )
