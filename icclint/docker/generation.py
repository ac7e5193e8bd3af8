"""Which releases of the engine wrote the rules of a host, told from the rules alone.

Engines changed the way from FORWARD to their own chains several times, and each way is a mark of its releases. Chains
that are only declared tell nothing: they outlive upgrades and downgrades.

Sources: libnetwork `dfd66acb` (DOCKER-ISOLATION, 1.10), `0067b3a8` (DOCKER-USER, 17.06), `1c73b1c9` (two stages,
18.03.1); moby `29e20fc904` (ipset, 28.0.0), `984a610a21` and `558da63444` (DOCKER-FORWARD, 28.0.1), `a0ff0a361e` (a
guard for each address in table raw, 28.2.0), `1ad9599da7` (DOCKER-INTERNAL, 29.0.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from icclint.docker.chains import ENGINE_TABLE
from icclint.ir.host import Host
from icclint.ir.match import (
    AddressMatch,
    Drop,
    Goto,
    InterfaceMatch,
    Jump,
    OpaqueMatch,
    Return,
    StateMatch,
)
from icclint.ir.ruleset import Rule, Ruleset, Table
from icclint.source import Span

Version = tuple[int, ...]
"""A release as numbers: 28.2.1 is (28, 2, 1), 17.06.2 is (17, 6, 2)."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Releases of the engine that write their rules in one way: from ``first`` on, and before ``end``, if there is one.

    ``name`` is those releases as people write them.
    """

    name: str
    first: Version
    end: Version | None = None

    def holds(self, version: Version) -> bool:
        """Whether a release is one of these."""
        return self.first <= version and (self.end is None or version < self.end)


FROM_1_5 = Generation("1.5 to 1.9", (1, 5), (1, 10))
FROM_1_8 = Generation("1.8 to 1.9", (1, 8), (1, 10))
FROM_1_10 = Generation("1.10 to 17.03", (1, 10), (17, 4))
FROM_1_10_OR_17_04 = Generation("1.10 to 17.05", (1, 10), (17, 6))
FROM_17_04 = Generation("17.04 to 17.05", (17, 4), (17, 6))
# 18.04 has not got the change of 18.03.1, so both generations hold what lies between.
FROM_17_06 = Generation("17.06 to 18.03.0", (17, 6), (18, 5))
FROM_18_03_1 = Generation("18.03.1 to 27.5", (18, 3, 1), (28,))
FROM_28_0_0 = Generation("28.0.0", (28,), (28, 0, 1))
FROM_28_0_1 = Generation("28.0.1 to 28.1", (28, 0, 1), (28, 2))
FROM_28_0_1_OR_28_2 = Generation("28.0.1 to 28.5", (28, 0, 1), (29,))
FROM_28_2 = Generation("28.2 to 28.5", (28, 2), (29,))
FROM_29 = Generation("29.0 or newer", (29,))
FROM_29_NFTABLES = Generation("29.0 or newer, with its nftables backend", (29,))


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that only the engines of one generation write. ``rule`` is None where it is a table of nftables'."""

    generation: Generation
    span: Span
    rule: Rule | None


def generations(host: Host) -> tuple[Mark, ...]:
    """A mark of each generation that wrote rules of the host, the oldest first; none where no engine's are recognised.

    There is one, but for hosts whose engine was replaced: older engines do not know the jumps of newer ones, and leave
    them. What FORWARD leads to counts, and what nothing leads to only where there is nothing else. Rules for IPv6 are
    asked only where there are none for IPv4, since engines write fewer of them.
    """
    for family in (4, 6):
        marks = [mark for ruleset in host.rulesets_of(family) for mark in _marks(ruleset)]
        marks += _nftables_marks(host, family)
        if marks:
            first = {mark.generation: mark for mark in reversed(marks)}
            return tuple(sorted(first.values(), key=lambda mark: mark.generation.first))
    return ()


def _nftables_marks(host: Host, family: int) -> Iterator[Mark]:
    for table in host.native_tables or ():
        if (table.family, table.name) == ({4: "ip", 6: "ip6"}[family], ENGINE_TABLE):
            yield Mark(FROM_29_NFTABLES, table.span, None)


def _marks(ruleset: Ruleset) -> tuple[Mark, ...]:
    """The marks in table filter."""
    table = ruleset.tables.get("filter")
    if table is None:
        return ()
    forward, inner = _rules(table, "FORWARD"), _rules(table, "DOCKER-FORWARD")
    of_inner = tuple(_marks_of_docker_forward(ruleset, inner))
    in_force = (*(of_inner if _jump(forward, "DOCKER-FORWARD") else ()), *_marks_of_forward(table, forward))
    # Where somebody took the jumps out, chains still tell by what they hold.
    return in_force or of_inner or tuple(_mark_of_last_return(table))


def _marks_of_docker_forward(ruleset: Ruleset, inner: tuple[Rule, ...]) -> Iterator[Mark]:
    if (rule := _jump(inner, "DOCKER-INTERNAL")) is not None:
        yield Mark(FROM_29, rule.span, rule)
    if (rule := _jump(inner, "DOCKER-ISOLATION-STAGE-1")) is not None:
        yield Mark(_by_guards(ruleset), rule.span, rule)


def _marks_of_forward(table: Table, forward: tuple[Rule, ...]) -> Iterator[Mark]:
    if (rule := next((rule for rule in forward if _asks_ipset(rule)), None)) is not None:
        yield Mark(FROM_28_0_0, rule.span, rule)
    elif (rule := _jump(forward, "DOCKER-ISOLATION-STAGE-1")) is not None:
        yield Mark(FROM_18_03_1, rule.span, rule)
    if (rule := _jump(forward, "DOCKER-ISOLATION")) is not None:
        with_user = _jump(forward, "DOCKER-USER") is not None
        yield Mark(FROM_17_06 if with_user else _by_order(forward), rule.span, rule)
    # Later engines lead to DOCKER in the same way, and make chains that these do not know.
    rule = _bridge_jump(forward)
    if rule is not None and table.complete and table.chains.keys().isdisjoint(_SINCE_1_10):
        yield Mark(_by_subnets(forward), rule.span, rule)


def _mark_of_last_return(table: Table) -> Iterator[Mark]:
    """Engines since 28 end the first stage without RETURN."""
    for rule in _rules(table, "DOCKER-ISOLATION-STAGE-1")[-1:]:
        if not rule.matches and isinstance(rule.target, Return):
            yield Mark(FROM_18_03_1, rule.span, rule)


_SINCE_1_10 = frozenset(
    ("DOCKER-ISOLATION", "DOCKER-ISOLATION-STAGE-1", "DOCKER-USER", "DOCKER-FORWARD", "DOCKER-INGRESS")
)


def _rules(table: Table | None, chain: str) -> tuple[Rule, ...]:
    return tuple(table.chains[chain].rules) if table is not None and chain in table.chains else ()


def _jump(rules: tuple[Rule, ...], chain: str) -> Rule | None:
    """The unconditional jump to a chain."""
    jumps = (rule for rule in rules if not rule.matches and isinstance(rule.target, Jump | Goto))
    return next((rule for rule in jumps if getattr(rule.target, "chain", None) == chain), None)


def _asks_ipset(rule: Rule) -> bool:
    return any(isinstance(match, OpaqueMatch) and "docker-ext-bridges-v" in match.text for match in rule.matches)


def _by_guards(ruleset: Ruleset) -> Generation:
    """Of the engines with DOCKER-FORWARD and two stages: table raw guards ports up to 28.1, whole addresses since."""
    for rule in _rules(ruleset.tables.get("raw"), "PREROUTING"):
        bridges = [m.pattern for m in rule.matches if isinstance(m, InterfaceMatch) and m.side == "in" and m.negated]
        asked = [match.side for match in rule.matches if isinstance(match, AddressMatch)]
        # All of them guard what is published on loopback alike: `! -i lo`.
        if isinstance(rule.target, Drop) and asked == ["destination"] and bridges and bridges != ["lo"]:
            return FROM_28_2 if len(rule.matches) == 2 else FROM_28_0_1
    return FROM_28_0_1_OR_28_2


def _bridge_jump(forward: tuple[Rule, ...]) -> Rule | None:
    """The jump to DOCKER of what goes out by a bridge."""
    return next((r for r in forward if isinstance(r.target, Jump) and r.target.chain == "DOCKER" and _out(r)), None)


def _out(rule: Rule) -> str | None:
    """The bridge of a rule that asks for one way out."""
    names = [m.pattern for m in rule.matches if isinstance(m, InterfaceMatch) and m.side == "out" and not m.negated]
    return names[0] if len(names) == 1 else None


def _by_order(forward: tuple[Rule, ...]) -> Generation:
    """Of the engines with one chain for isolation: up to 17.03 the rule for replies comes behind the jump to DOCKER."""
    jump = _bridge_jump(forward)
    if jump is None:
        return FROM_1_10_OR_17_04
    replies = [r for r in forward if _out(r) == _out(jump) and any(isinstance(m, StateMatch) for m in r.matches)]
    if not replies:
        return FROM_1_10_OR_17_04
    return FROM_17_04 if replies[0].number < jump.number else FROM_1_10


def _by_subnets(forward: tuple[Rule, ...]) -> Generation:
    """Of the engines without a chain for isolation: those with several networks keep pairs of subnets apart."""
    for rule in forward:
        kinds = [match.kind for match in rule.matches]
        if isinstance(rule.target, Drop) and kinds == ["address", "address"]:
            return FROM_1_8
    return FROM_1_5
