"""Dead rules against every packet there is, in spaces small enough to try them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from icclint.ir import match as ir
from icclint.ir.ruleset import Chain, Rule, Ruleset, Table
from icclint.packets import dead
from icclint.packets.dead import assess_rules, dead_rules
from icclint.source import Span

INTERFACES = ("a0", "a1", "a2", "b0")
"""No rule names the last two: they stand for all others that begin with an a, and for those that do not."""
SOURCES = range(4)
DESTINATIONS = (0, 2)
"""Each stands for the addresses up to the next one; rules do not tell those apart."""
PROTOCOLS = (6, 17)
PORTS = [(number, port) for number in (*PROTOCOLS, 132) for port in range(4)] + [(1, None)]
"""Protocols and ports; SCTP stands for all others that have ports, and ICMP for all that have none."""
STATES = {
    "NEW": frozenset({"NEW"}),
    "ESTABLISHED": frozenset({"ESTABLISHED", "RELATED"}),
    "INVALID": frozenset({"INVALID", "UNTRACKED"}),
}
"""Each stands for those that rules name together with it."""
ORDER = ("FORWARD", "INPUT", "ONE", "TWO", "THREE")
"""Chains call only those behind them, as the kernel demands that none leads back to itself."""


@dataclass(frozen=True)
class Packet:
    """A packet of the small space; an interface is empty where the hook knows of none."""

    hook: str
    into: str
    out: str
    source: int
    destination: int
    protocol: int
    port: int | None
    state: str
    truths: frozenset[str] = frozenset()


@dataclass
class Script:
    """The answers of conditions that answer anew each time; those that are missing are still to be chosen."""

    given: tuple[bool, ...]
    asked: int = 0

    def answer(self) -> bool:
        self.asked += 1
        if self.asked > len(self.given):
            raise UndecidedError
        return self.given[self.asked - 1]


class UndecidedError(Exception):
    """One more answer has to be chosen."""


def holds(match: ir.Match, packet: Packet, script: Script) -> bool:
    """Whether a condition holds, by its plain meaning."""
    match match:
        case ir.InterfaceMatch(side=side, pattern=pattern):
            name = packet.into if side == "in" else packet.out
            found = name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern
        case ir.AddressMatch(side=side, ranges=ranges):
            address = packet.source if side == "source" else packet.destination
            found = any(first <= address <= last for first, last in ranges)
        case ir.ProtocolMatch(number=number):
            found = packet.protocol == number
        case ir.PortMatch(ranges=ranges):
            if packet.port is None:
                return False
            found = any(first <= packet.port <= last for first, last in ranges)
        case ir.StateMatch(states=states):
            found = packet.state in states
        case ir.OpaqueMatch(per_packet=True):
            found = match.text in packet.truths
        case _:
            found = script.answer()
    return found is not match.negated


@dataclass
class Seen:
    """The rules that packets matched, and for each packet those that it matched on its way."""

    matched: set[int] = field(default_factory=set)
    by_packet: list[tuple[Packet, frozenset[int]]] = field(default_factory=list)


def simulate(table: Table, packet: Packet, script: Script) -> set[int]:
    """The rules that a packet matches on its way through the table."""
    matched: set[int] = set()
    stack: list[tuple[Chain, int]] = []
    chain, place = table.chains[packet.hook], 0
    while True:
        if place == len(chain.rules):
            if not stack:
                return matched
            chain, place = stack.pop()
            continue
        rule = chain.rules[place]
        place += 1
        if not all(holds(match, packet, script) for match in rule.matches):
            continue
        matched.add(id(rule))
        match rule.target:
            case ir.Return():
                place = len(chain.rules)
            case ir.Jump(chain=name):
                stack.append((chain, place))
                chain, place = table.chains[name], 0
            case ir.Goto(chain=name):
                chain, place = table.chains[name], 0
            case ir.Continue():
                pass
            case _:
                return matched


def all_runs(table: Table, packet: Packet) -> Iterator[set[int]]:
    """What a packet matches, for all answers of conditions that answer anew."""
    pending: list[tuple[bool, ...]] = [()]
    while pending:
        answers = pending.pop()
        try:
            yield simulate(table, packet, Script(answers))
        except UndecidedError:
            pending += [(*answers, False), (*answers, True)]


def everything(texts: Iterable[str]) -> Iterator[Packet]:
    """All packets of the space, with all answers that hang on the packet."""
    truths = [
        frozenset(text for text, true in zip(texts, answers, strict=True) if true)
        for answers in product((False, True), repeat=len(list(texts)))
    ]
    ways = [("FORWARD", into, out) for into in INTERFACES for out in INTERFACES]
    ways += [("INPUT", into, "") for into in INTERFACES]
    for way, source, destination, ports, state, true in product(ways, SOURCES, DESTINATIONS, PORTS, STATES, truths):
        yield Packet(*way, source, destination, *ports, state, true)


def rules_of(table: Table) -> list[Rule]:
    return [rule for chain in table.chains.values() for rule in chain.rules]


def watch(table: Table) -> Seen:
    texts = sorted(
        {m.text for r in rules_of(table) for m in r.matches if isinstance(m, ir.OpaqueMatch) and m.per_packet}
    )
    seen = Seen()
    for packet in everything(texts):
        for matched in all_runs(table, packet):
            seen.matched |= matched
            seen.by_packet.append((packet, frozenset(matched)))
    return seen


def check(table: Table) -> int:
    """Compares the dead rules of a table with those that no packet matches; their number."""
    assessment = assess_rules(RULESET, table)
    assert not assessment.not_assessed
    seen = watch(table)
    never = {id(rule) for rule in rules_of(table)} - seen.matched
    assert {id(found.rule) for found in assessment.dead} == never, [rule.text for rule in rules_of(table)]
    for found in assessment.dead:
        assert bool(found.covered_by) == (found.reason == "shadowed")
        own = [matched for packet, matched in seen.by_packet if could_match(found.rule, packet)]
        for cover in found.covered_by:
            assert any(id(cover) in matched for matched in own), (found.rule.text, cover.text)
    return len(never)


def could_match(rule: Rule, packet: Packet) -> bool:
    known = [m for m in rule.matches if not (isinstance(m, ir.OpaqueMatch) and not m.per_packet)]
    return all(holds(match, packet, Script(())) for match in known)


RULESET = Ruleset(family=4, variant=None, tables={}, all_tables=True)
"""Only the family of it counts."""


def span(line: int) -> Span:
    return Span("rules", line, 1, line, 2)


LAST = (1 << 32) - 1
ADDRESS_RANGES = {
    "source": ((0, 1), (2, LAST), (0, 0), (1, 1), (2, 2), (3, LAST), (1, 2)),
    "destination": ((0, 1), (2, LAST)),
}
PORT_RANGES = ((0, 1), (2, 65535), (0, 0), (1, 1), (2, 2), (3, 65535))


def conditions(opaque: bool) -> st.SearchStrategy[list[tuple[type[ir.Match], dict[str, Any]]]]:
    """Conditions of one rule, each as its kind and its fields; each kind at most once for each side."""
    states = st.sets(st.sampled_from(tuple(STATES.values())), min_size=1, max_size=2).map(
        lambda s: frozenset().union(*s)
    )
    interface = st.fixed_dictionaries(
        {"side": st.sampled_from(("in", "out")), "pattern": st.sampled_from(("a0", "a1", "a+", "a0", "a1"))}
    )
    kinds = [
        st.tuples(st.just(ir.InterfaceMatch), interface),
        *(
            st.tuples(
                st.just(ir.AddressMatch),
                st.fixed_dictionaries({"side": st.just(side), "ranges": st.sampled_from(ranges).map(lambda r: (r,))}),
            )
            for side, ranges in ADDRESS_RANGES.items()
        ),
        st.tuples(st.just(ir.ProtocolMatch), st.fixed_dictionaries({"number": st.sampled_from(PROTOCOLS)})),
        st.tuples(
            st.just(ir.PortMatch),
            st.fixed_dictionaries(
                {"side": st.just("destination"), "ranges": st.sampled_from(PORT_RANGES).map(lambda r: (r,))}
            ),
        ),
        st.tuples(st.just(ir.StateMatch), st.fixed_dictionaries({"states": states})),
    ]
    if opaque:
        kinds.append(
            st.tuples(
                st.just(ir.OpaqueMatch),
                st.sampled_from(
                    (
                        {"per_packet": True, "text": "p"},
                        {"per_packet": True, "text": "q"},
                        {"per_packet": False, "text": "x"},
                    )
                ),
            )
        )
    negated = st.booleans()
    one = st.tuples(st.one_of(kinds), negated).map(lambda pair: (pair[0][0], {**pair[0][1], "negated": pair[1]}))
    return st.lists(one, max_size=2)


TARGETS: dict[str, type[ir.Target]] = {
    "accept": ir.Accept,
    "drop": ir.Drop,
    "return": ir.Return,
    "log": ir.Continue,
    "jump": ir.Jump,
    "goto": ir.Goto,
}


@st.composite
def some_rules(draw: st.DrawFn, number: int, opaque: bool) -> tuple[Rule, ...]:
    """The rules of the chain of that number. Jumps are likelier than the rest."""
    name, callees = ORDER[number], ORDER[max(number + 1, 2) :]
    kinds = ["accept", "drop", "return", "log", *(("jump", "jump", "goto") if callees else ())]
    rules = []
    for place in range(1, 1 + draw(st.integers(1, 5 if number != 1 else 2))):
        line = number * 10 + place
        kind = draw(st.sampled_from(kinds))
        chain = {"chain": draw(st.sampled_from(callees))} if kind in ("jump", "goto") else {}
        target: Any = TARGETS[kind](text=kind, **chain)
        matches: Any = tuple(
            made(**{"text": str(sorted(fields.items(), key=str)), **fields})
            for made, fields in draw(conditions(opaque))
        )
        text = f"{name} {[match.text for match in matches]} {kind} {chain}"
        rules.append(
            Rule(table="filter", chain=name, number=place, matches=matches, target=target, text=text, span=span(line))
        )
    return tuple(rules)


@st.composite
def tables(draw: st.DrawFn, opaque: bool) -> Table:
    """A table with two built-in chains and three others."""
    return table(
        Chain(name=name, policy="ACCEPT" if number < 2 else None, span=None, rules=draw(some_rules(number, opaque)))
        for number, name in enumerate(ORDER)
    )


def table(chains: Iterable[Chain]) -> Table:
    return Table(name="filter", document="rules", complete=True, chains={chain.name: chain for chain in chains})


QUIET = {
    "phases": [Phase.explicit, Phase.generate],
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=60, **QUIET)  # type: ignore[arg-type]
@given(tables(opaque=False))
def test_dead_are_exactly_the_rules_that_no_packet_matches(table: Table) -> None:
    check(table)


@settings(max_examples=30, **QUIET)  # type: ignore[arg-type]
@given(tables(opaque=True))
def test_dead_are_exactly_the_rules_that_no_packet_matches_whatever_the_unknown_answers(table: Table) -> None:
    check(table)


def tcp_port(number: int, first: int, last: int) -> Rule:
    tcp = ir.ProtocolMatch(number=6, text="-p tcp")
    port = ir.PortMatch(side="destination", ranges=((first, last),), text=f"--dport {first}:{last}")
    drop = ir.Drop(text="-j DROP")
    return Rule(
        table="filter", chain="FORWARD", number=number, matches=(tcp, port), target=drop, text="", span=span(number)
    )  # fmt: skip


def test_a_rule_that_takes_too_long_is_not_assessed_and_not_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = (*(tcp_port(number, number, number) for number in range(1, 41)), tcp_port(41, 1, 40))
    ruleset = table([Chain(name="FORWARD", policy="ACCEPT", span=None, rules=rules)])
    assert [found.rule for found in dead_rules(RULESET, ruleset)] == [rules[-1]]
    assert dead_rules(RULESET, ruleset)[0].covered_by == rules[:-1]
    monkeypatch.setattr(dead, "MOST_PIECES", 30)
    assert assess_rules(RULESET, ruleset) == dead.Assessment((), (rules[-1],))
    monkeypatch.setattr(dead, "MOST_STEPS", 0)
    monkeypatch.setattr(dead, "MORE_STEPS", 0)
    assert assess_rules(RULESET, ruleset) == dead.Assessment((), rules)


def test_chains_that_call_each_other_are_not_assessed() -> None:
    jump = ir.Jump(chain="ONE", text="-j ONE")
    loop = Rule(table="filter", chain="ONE", number=1, matches=(), target=jump, text="-A ONE -j ONE", span=span(1))
    ruleset = table([Chain(name="ONE", policy=None, span=None, rules=(loop,))])
    assert assess_rules(RULESET, ruleset) == dead.Assessment((), (loop,))


def test_a_chain_that_the_dump_leaves_out_may_lead_to_any_other() -> None:
    chain = Chain(name="ONE", policy=None, span=None, rules=(tcp_port(1, 1, 1),))
    whole = table([chain])
    assert [found.reason for found in dead_rules(RULESET, whole)] == ["unreachable"]
    assert not dead_rules(RULESET, whole.model_copy(update={"complete": False}))
