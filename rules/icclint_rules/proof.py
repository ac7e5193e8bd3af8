"""What the rules of this package share: how a set of packets that meet a verdict becomes part of a finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

from icclint.api import (
    ENABLE_ICC,
    Assumption,
    Decision,
    Drop,
    Effect,
    Host,
    Judgement,
    Location,
    Network,
    NotAssessed,
    Packet,
    Reject,
    Rule,
    Share,
    Span,
    Trace,
    Verdict,
    describe,
    gateway_mode,
    lets_in,
    native_way_in,
)


class Proof(TypedDict):
    """The fields of a finding that a share proves."""

    packet: Packet
    trace: Trace | None
    assumptions: tuple[Assumption, ...]


def proof(effect: Effect, share: Share) -> Proof:
    """The witness of a share, its way, and what it hangs on."""
    return {"packet": share.witness, "trace": effect.trace(share), "assumptions": share.assumptions}


def arriving(judgement: Judgement) -> Iterator[Share]:
    """The packets of a judged class that get to whom they were sent to, not to where table nat sends them instead."""
    return (share for share in judgement.shares(Verdict.DELIVERED) if share.end is None)


def which(judgement: Judgement, share: Share) -> str:
    """Which packets of a judged class a share holds, in parentheses; nothing where it holds them all."""
    return which_of(judgement, (share,))


def which_of(judgement: Judgement, shares: Iterable[Share]) -> str:
    """Which packets of a judged class some shares hold together."""
    words = describe([box for share in shares for box in share.boxes], judgement.packets)
    return f" ({words})" if words else ""


def place(decision: Decision, otherwise: Span) -> Span:
    """The line that decided, or another one where no line did."""
    return decision.span or otherwise


def verb(share: Share) -> str:
    """How sure a sentence can be."""
    return "may" if share.assumptions else ""


def opened_on_purpose(network: Network, family: int, share: Share) -> bool:
    """Whether a network's gateway mode asks for what Docker's own chain lets into it."""
    asked = gateway_mode(network, family) in ("routed", "nat-unprotected")
    return asked and share.decision.rule is not None and lets_in(share.decision.rule, network.bridge)


def tool(family: int) -> str:
    """The command of a family."""
    return "iptables" if family == 4 else "ip6tables"


def raw_is_captured(host: Host, family: int) -> bool:
    """Whether the capture tells what table raw holds."""
    tables = ((ruleset, ruleset.tables.get("raw")) for ruleset in host.rulesets_of(family))
    return all(r.all_tables or (raw is not None and (raw.complete or "PREROUTING" in raw.chains)) for r, raw in tables)


def raw_not_captured(network: Network, family: int) -> NotAssessed:
    """That nothing can be told of guards in table raw."""
    reason = f"table raw of {tool(family)}, where rules may guard its containers, was not captured"
    return NotAssessed(f"network {network.name}", reason, f"{tool(family)}-save")


def icc_span(network: Network) -> Span:
    """Where a network states its ICC, or its name where it does not."""
    return network.span_of("Options", ENABLE_ICC)


def icc_claim(network: Network) -> Location:
    """The place of a network's claim about ICC."""
    return Location(icc_span(network), f"network {network.name} says that ICC is {'on' if network.icc else 'off'}")


def icc_drop(host: Host, network: Network, family: int) -> Rule | None:
    """The rule that carries out ``icc=false`` on a bridge: ``-i BRIDGE -o BRIDGE -j DROP`` and nothing else.

    In the bridge's own chain of nftables that is the first DROP for all that comes from the bridge.
    """
    for ruleset in host.rulesets_of(family):
        for chain in ruleset.tables["filter"].chains.values() if "filter" in ruleset.tables else ():
            for rule in chain.rules:
                conditions = sorted(match.text for match in rule.matches)
                if isinstance(rule.target, Drop | Reject) and conditions == [
                    f"-i {network.bridge}",
                    f"-o {network.bridge}",
                ]:
                    return rule
    for rule in native_way_in(host, network.bridge, family):
        conditions = [match.text for match in rule.matches]
        if isinstance(rule.target, Drop) and conditions in ([], [f'iifname "{network.bridge}"']):
            return rule
    return None


def unknown(judgement: Judgement, subject: str) -> Iterator[NotAssessed]:
    """What cannot be told of a judged class, once for each reason."""
    for reason, command in dict.fromkeys(
        (share.decision.text, share.decision.capture_with) for share in judgement.shares(Verdict.UNKNOWN)
    ):
        yield NotAssessed(subject, f"the packets' way ends in the unknown: {reason}", command)
