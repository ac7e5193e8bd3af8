"""What becomes of a packet, what decided it, and what had to be assumed."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, NamedTuple

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.ir.match import Continue, Goto, Jump, MarkMatch, OpaqueMatch, Target, UnknownTarget
from icclint.ir.ruleset import Rule
from icclint.source import Span


class Verdict(Enum):
    """The end of a packet's way, in the words of ``icclint trace``."""

    DELIVERED = "delivered"
    DROPPED = "dropped"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Assumption(Frozen):
    """The truth of something that the capture does not hold.

    ``key`` is the same for the same unknown wherever it is met. ``text`` says what is assumed, given ``holds``.
    ``capture_with`` is the command whose output would tell, where one would. ``bridge_netfilter`` marks the one about
    whether bridged frames meet the tables at all. ``hidden`` is what the dump does not show of a rule, where the
    assumption is a guess at that.
    """

    key: str
    holds: bool
    text: str
    span: Span | None = None
    capture_with: str | None = None
    bridge_netfilter: bool = False
    hidden: str = ""


class Decision(Frozen):
    """What ended a packet's way: a rule, the policy of a chain, a kernel setting, or something not captured."""

    by: Literal["rule", "policy", "setting", "absent"]
    text: str
    span: Span | None
    rule: Rule | None = None
    capture_with: str | None = None


class Step(NamedTuple):
    """A rule that a packet met, or the policy of a chain; ``depth`` counts the jumps to there.

    ``matched`` is None where the capture cannot tell; ``why`` is the condition that did not hold, or is not known.
    ``target`` is what the rule says, or the policy.
    """

    text: str
    span: Span | None
    table: str
    chain: str
    depth: int
    matched: bool | None
    target: Target | str
    why: str = ""

    @property
    def effect(self) -> str:
        """What it does with a packet that it matches, in a word or two; empty where it does not match."""
        if not self.matched:
            return ""
        return self.target if isinstance(self.target, str) else _effect_of(self.target)


def _effect_of(target: Target) -> str:
    match target:
        case Jump(chain=chain):
            return f"to chain {chain}"
        case Goto(chain=chain):
            return f"to chain {chain}, for good"
        case Continue():
            return "next rule"
        case _:
            return target.text.removeprefix("-j ").partition(" ")[0] or "not known"


class Delivery(Frozen):
    """Where a packet ends up: ``interface`` is the one it goes out by, or None for the host itself.

    ``source`` is what the receiver sees as the sender, None where that is not known; ports are None without them.
    """

    interface: str | None
    address: int
    port: int | None
    source: int | None


class Trace(Frozen):
    """The way of one packet: its end, each step up to there, and the assumptions that it hangs on."""

    verdict: Verdict
    decision: Decision
    steps: Annotated[tuple[Step, ...], SkipValidation]
    assumptions: tuple[Assumption, ...] = ()
    delivery: Delivery | None = None


def decided_by_rule(rule: Rule) -> Decision:
    """That a rule ended a packet's way."""
    if isinstance(rule.target, UnknownTarget):
        for match in rule.matches:
            if isinstance(match, OpaqueMatch) and match.shown_with:
                return hangs_on(match.text, rule.span, match.shown_with)
    return Decision(by="rule", text=rule.text, span=rule.span, rule=rule)


def hangs_on(hidden: str, span: Span | None, shown_with: str | None) -> Decision:
    """That the dump does not show what decides."""
    return Decision(by="absent", text=f"it hangs on {hidden}", span=span, capture_with=shown_with)


def assume_match(rule: Rule, place: int, holds: bool, marked_at: Span | None) -> Assumption:
    """That a condition of a rule whose answer the capture does not hold is true (or false), negation left aside.

    ``place`` is that of the condition among the rule's matches.

    Most answers depend on the packet alone, so that the same text means the same wherever it stands; an opaque
    match that is not ``per_packet`` answers anew in each rule, and one about a mark answers anew once ``marked_at``, a
    rule that changed a mark which was not known, was met.
    """
    match = rule.matches[place]
    # What could not be read as a negation keeps its `!`, and is a question of its own.
    asked = match.text.removeprefix("! ") if match.negated else match.text
    anew = isinstance(match, OpaqueMatch) and not match.per_packet
    shown_with = match.shown_with if isinstance(match, OpaqueMatch) else None
    key = f"{match.text} @ {rule.span} {place}" if anew else asked
    if isinstance(match, MarkMatch) and marked_at is not None:
        key = f"{key} after {marked_at}"
    return Assumption(
        key=f"match {key}",
        holds=holds,
        text=f"'{asked}' {'matches' if holds else 'does not match'}",
        span=rule.span,
        capture_with=shown_with,
        hidden=match.text if shown_with else "",
    )
