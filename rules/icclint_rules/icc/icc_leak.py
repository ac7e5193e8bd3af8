"""Connections between the containers of a network that has ICC off: shared by the rules for IPv4 and for IPv6."""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Finding,
    Host,
    Judgement,
    Location,
    Network,
    NotAssessed,
    Share,
    as_link_rule,
)
from icclint_rules.proof import arriving, icc_claim, icc_drop, place, proof, unknown, which


def icc_leaks(host: Host, effect: Effect, network: Network, family: int) -> Iterator[Finding | NotAssessed]:
    """One finding for each rule or policy that accepts, and one word for each reason why it cannot be told."""
    judgement = effect.within(network, family)
    for share in arriving(judgement):
        link = share.decision.rule is not None and as_link_rule(share.decision.rule) is not None
        if share.decision.by in ("rule", "policy") and not link:
            yield leak(host, effect, network, judgement, share)
    yield from unknown(judgement, f"network {network.name}")


def leak(host: Host, effect: Effect, network: Network, judgement: Judgement, share: Share) -> Finding:
    family = judgement.packets.family
    claim = icc_claim(network)
    drop = icc_drop(host, network, family)
    never = (Location(drop.span, "the DROP for ICC, which these packets never reach"),) if drop else ()
    decided = f"{'rule' if share.decision.by == 'rule' else 'the'} {share.decision.text}"
    reach = "may reach" if share.assumptions else "reach"
    return Finding(
        message=(
            f"Network {network.name!r} has ICC off, but its containers {reach} each other"
            f"{' over IPv6' if family == 6 else ''}{which(judgement, share)}: {decided} lets the packets pass"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}", share.decision.text),
        primary=Location(place(share.decision, claim.span), "accepts new connections between its containers"),
        related=(claim, *never),
        remedy=remedy(effect, network, share, family),
        **proof(effect, share),
    )


def remedy(effect: Effect, network: Network, share: Share, family: int) -> tuple[str, ...]:
    tool = effect.firewall(family).tool
    if share.decision.rule is not None:
        return (f"{tool} {share.decision.rule.text.replace('-A ', '-D ', 1)}",)
    return (f"{tool} -A FORWARD -i {network.bridge} -o {network.bridge} -j DROP",)
