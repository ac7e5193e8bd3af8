"""Connections between the containers of a network that has ICC off: shared by the rules about what lets them pass."""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    ENGINE_CHAINS,
    GATEWAY_MODE,
    Effect,
    Finding,
    Host,
    Judgement,
    Jump,
    Location,
    MarkMatch,
    Network,
    NotAssessed,
    PhysdevMatch,
    Rule,
    Ruleset,
    Share,
    as_link_rule,
    lets_in,
)
from icclint_rules.lines import deletion, drop_before, removal, rules_of, ruleset_of
from icclint_rules.proof import arriving, icc_claim, icc_drop, place, proof, unknown, which

INGRESS = "DOCKER-INGRESS"
"""The chain of the ports that services of a swarm publish."""

TOOLS = {
    "ufw": "ufw",
    "FORWARD_": "firewalld",
    "FWD": "firewalld",
    "LIBVIRT_": "libvirt",
    "KUBE-": "Kubernetes",
    "ts-": "Tailscale",
}
"""Whose chain it is, by how its name begins."""


def icc_leaks(host: Host, effect: Effect, network: Network, family: int) -> Iterator[Finding | NotAssessed]:
    """One finding for each rule or policy that accepts, and one word for each reason why it cannot be told."""
    judgement = effect.within(network, family)
    for share in arriving(judgement):
        accepted_by = share.decision.rule
        explained = accepted_by is not None and (accepted_by.chain == INGRESS or as_link_rule(accepted_by) is not None)
        if share.decision.by in ("rule", "policy") and not explained:
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
            f"{cause(network, share.decision.rule, drop)}"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}", share.decision.text),
        primary=Location(place(share.decision, claim.span), "accepts new connections between its containers"),
        related=(claim, *never),
        remedy=remedy(host, effect, network, share, family),
        **proof(effect, share),
    )


def cause(network: Network, accepting: Rule | None, drop: Rule | None) -> str:
    """Why a rule, or where there is none the policy, gets the packets before Docker's DROP does; empty where plain."""
    if accepting is None:
        return "" if drop else ", for there is no DROP for ICC"
    if any(isinstance(match, PhysdevMatch) for match in accepting.matches):
        return ", for all that one container of a network sends to another is bridged"
    if any(isinstance(match, MarkMatch) for match in accepting.matches):
        return ", for it asks for a mark, and for no network"
    if accepting.chain == "DOCKER-USER":
        return ", for DOCKER-USER is asked before any rule of Docker's"
    if is_left_over(accepting, drop):
        return ", which a newer engine left behind ahead of the DROP of the one that runs"
    if lets_in(accepting, network.bridge) and "routed" in (network.options.get(key) for key in GATEWAY_MODE.values()):
        return ", which the engine writes for gateway mode routed without asking for a way in"
    owner = tool_of(accepting)
    return f", for this chain of {owner}'s is asked before Docker's DROP" if owner and drop else ""


def tool_of(accepting: Rule) -> str | None:
    """The program that made the chain which a rule stands in, where it is a known one."""
    return next((tool for begin, tool in TOOLS.items() if accepting.chain.startswith(begin)), None)


def is_left_over(accepting: Rule, drop: Rule | None) -> bool:
    """Whether a rule is of engines since 28.0.1, and the DROP of an older one that ran after them."""
    return accepting.chain == "DOCKER-FORWARD" and drop is not None and drop.chain == "FORWARD"


def remedy(host: Host, effect: Effect, network: Network, share: Share, family: int) -> tuple[str, ...]:
    accepting = share.decision.rule
    if accepting is None:
        return (f"{effect.firewall(family).tool} -A FORWARD -i {network.bridge} -o {network.bridge} -j DROP",)
    if is_left_over(accepting, icc_drop(host, network, family)):
        ruleset = ruleset_of(host, accepting)
        return tuple(command for jump in jumps(ruleset, accepting.chain) for command in deletion(ruleset, jump))
    if accepting.chain in ENGINE_CHAINS or tool_of(accepting):
        return drop_before(host, accepting, network.bridge or "")
    return removal(host, accepting)


def jumps(ruleset: Ruleset, chain: str) -> Iterator[Rule]:
    """The rules of FORWARD that lead to a chain."""
    for one in rules_of(ruleset, "filter", "FORWARD"):
        if isinstance(one.target, Jump) and one.target.chain == chain:
            yield one
