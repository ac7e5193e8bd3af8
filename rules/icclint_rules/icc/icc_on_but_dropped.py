"""A bridge network has ICC on, and yet connections between its containers are dropped.

## What it detects

A network of the bridge driver that has ICC on, by its option or by default, on a host where a rule or a policy
drops or rejects new connections between its containers, over IPv4 or IPv6. Each rule that does so is one
finding, with the exact packets that it stops.

## Why it matters

Services that share a network fail to reach each other, and nothing that Docker prints says why. Often the cause
is a rule that stayed behind: a DROP of a network with the same subnet that is gone, or an ICC DROP from before
the option was changed.

## Example

    "com.docker.network.bridge.enable_icc": "true"

    -A FORWARD -i docker0 -o docker0 -j DROP

## What to do

Delete the rule if nobody wants it. If it is there on purpose, make the network with ICC off, so that the claim
and the rules agree.

## Limits

A rule that stops one port on purpose is reported as well, as the exact ports; accept it if it is meant.

## References

- CWE-440
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Extent,
    Finding,
    Host,
    Judgement,
    Location,
    Network,
    NotAssessed,
    Severity,
    Share,
    Verdict,
    families,
    rule,
)
from icclint_rules.proof import icc_claim, place, proof, unknown, which


@rule(
    id="icc-on-but-dropped",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def icc_on_but_dropped(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is not True:
            continue
        for family in families(network):
            judgement = effect.within(network, family)
            for share in judgement.shares(Verdict.DROPPED) + judgement.shares(Verdict.REJECTED):
                yield stopped(effect, network, judgement, share)
            yield from unknown(judgement, f"network {network.name}")
            yield from not_captured(network, judgement)


def not_captured(network: Network, judgement: Judgement) -> Iterator[NotAssessed]:
    """What of the host could stop the packets that the captured tables let pass."""
    if judgement.extent(Verdict.DELIVERED) is not Extent.NONE:
        for assumption in judgement.standing:
            reason = f"its containers reach each other only if {assumption.text}"
            yield NotAssessed(f"network {network.name}", reason, assumption.capture_with)


def stopped(effect: Effect, network: Network, judgement: Judgement, share: Share) -> Finding:
    family = judgement.packets.family
    claim = icc_claim(network)
    decided = f"{'rule' if share.decision.by == 'rule' else 'the'} {share.decision.text}"
    cannot = "may not be able to" if share.assumptions else "cannot"
    return Finding(
        message=(
            f"Network {network.name!r} has ICC on, but its containers {cannot} reach each other"
            f"{' over IPv6' if family == 6 else ''}{which(judgement, share)}: {decided} stops the packets"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}", share.decision.text),
        primary=Location(place(share.decision, claim.span), "stops new connections between its containers"),
        related=(claim,),
        **proof(effect, share),
    )
