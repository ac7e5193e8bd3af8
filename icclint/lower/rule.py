"""Commands of a dump to rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from icclint.ir import match as ir
from icclint.ir.ruleset import Interfaces, Rule
from icclint.lower.clause import Clause, Surroundings, clauses_of, comment_of, matches_of, shown_with, target_of
from icclint.lower.draft import HOOKS
from icclint.lower.options import Support, option_table, plain_keyword
from icclint.parse.dump import CUT, Command, Line, Option, OptionShape, Shape, spaced, unquoted

_COUNTERS = re.compile(r"^\[\d+:\d+\]\s*")


def lower_command(command: Command, around: Surroundings, number: int) -> Rule:
    """The rule that a command of a dump makes. What is not understood becomes opaque, never nothing."""
    common: dict[str, Any] = {
        "table": around.table,
        "chain": command.chain or "",
        "number": number,
        "counters": command.counters,
        "text": _without_counters(spaced(command.text)),
        "exact": not any(option.text.startswith("[") for option in command.options),
        "span": command.span,
    }
    if command.kind in ("unreadable", CUT):
        shown = shown_with(around) if command.kind == CUT else None
        doubt = ir.OpaqueMatch(text=command.text, per_packet=False, shown_with=shown)
        return Rule(matches=(doubt,), target=ir.UnknownTarget(text=command.text), **common)
    clauses = clauses_of(command.options)
    matches: Any = tuple(match for clause in clauses for match in matches_of(clause, around))
    target: Any = target_of(command.chain or "", clauses, around)
    return Rule(matches=matches, target=target, comment=comment_of(clauses), **common)


def option_owners(command: Command) -> Iterator[tuple[str, Option]]:
    """Each option of a command with the row's owner that it falls under."""
    for clause in clauses_of(command.options):
        if clause.head is not None:
            yield "command", clause.head
        for option in clause.options:
            yield clause.owner, option


@dataclass(frozen=True, slots=True)
class Lowering:
    """Makes the rules of one table.

    Lines of one shape that load the same extensions have the same clauses, and a clause with the same values means the
    same wherever it stands in a table. So each is made out once, and the rules share what it came to. The rule of a
    line is the one that `lower_command` makes of its command.
    """

    around: Surroundings
    _interfaces: dict[Shape, tuple[tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=dict, compare=False, repr=False
    )
    _loaded: dict[Shape, _Values] = field(default_factory=dict, compare=False, repr=False)
    _plans: dict[tuple[object, ...], _Plan] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[tuple[object, ...], dict[object, Any]] = field(default_factory=dict, compare=False, repr=False)

    def rule(self, entry: Command | Line, number: int) -> Rule:
        """The rule that an entry of a dump makes; ``number`` is its place in its chain, from 1."""
        return self._of_line(entry, number) if isinstance(entry, Line) else lower_command(entry, self.around, number)

    def interfaces(self, line: Line) -> Interfaces:
        """The names that the rule of a line asks for, as `interfaces_of` tells them of the rule."""
        places = self._interfaces.get(line.shape)
        if places is None:
            places = self._interfaces[line.shape] = _interface_places(line.shape)
        if places == ((), ()):
            return None, None
        words = line.words
        name, to = (next((words[place] for place in side if not words[place].endswith("+")), None) for side in places)
        return name, to

    def _of_line(self, line: Line, number: int) -> Rule:
        words = line.words
        plan = self._plan(line, words)
        matches: list[ir.Match] = []
        for clause, known in plan.conditions:
            values = clause.values(words)
            found = known.get(values)
            if found is None:
                found = known[values] = tuple(matches_of(clause.clause(words), self.around))
            matches += found
        return Rule(
            table=self.around.table,
            chain=line.chain,
            number=number,
            matches=tuple(matches),  # type: ignore[arg-type]
            target=self._target(plan, line.chain, words),
            comment=" ".join([unquoted(words[place]) for place in plan.comments]) if plan.comments else None,
            counters=line.shape.packet_counters(words),
            text=_without_counters(line.text),
            span=line.span,
        )

    def _target(self, plan: _Plan, chain: str, words: Sequence[str]) -> Any:
        # Of NETMAP, and of no other target, it is the built-in chain that tells what it does.
        values = plan.target_values(words), chain if chain in HOOKS else None
        target = plan.targets.get(values)
        if target is None:
            clauses = [clause.clause(words) for clause in plan.deciding]
            target = plan.targets[values] = target_of(chain, clauses, self.around)
        return target

    def _plan(self, line: Line, words: Sequence[str]) -> _Plan:
        loaded = self._loaded.get(line.shape)
        if loaded is None:
            loaded = self._loaded[line.shape] = _values_of(_loading(line.shape))
        # What is no extension is a chain.
        target = line.target if f"target.{line.target}" in option_table().owners else None
        key = (line.shape, target, loaded(words))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._planned(line.shape, words)
        return plan

    def _planned(self, shape: Shape, words: Sequence[str]) -> _Plan:
        clauses = list(_clause_shapes(shape, words))
        targets = [clause for clause in clauses if clause.is_target]
        asking = [clause for clause in clauses if not clause.is_target and not clause.has_no_effect(words)]
        # Where there is no target, what iptables-nft could not print may be one.
        deciding = targets or clauses
        return _Plan(
            conditions=tuple((clause, self._known.setdefault(clause.kind(words), {})) for clause in asking),
            deciding=tuple(deciding),
            target_values=_values_of([option for clause in targets for option in clause.options]),
            targets=self._known.setdefault(tuple(clause.kind(words) for clause in deciding), {}),
            comments=tuple(option.values[0] for option in shape.options if words[option.keyword] == "--comment"),
        )


_Values = Callable[[Sequence[str]], object]
"""Some words of a line, all at once."""


@dataclass(frozen=True, slots=True)
class _ClauseShape:
    """A clause of a line, all but its words."""

    owner: str
    options: tuple[OptionShape, ...]
    headed: bool
    values: _Values

    @property
    def is_target(self) -> bool:
        """Whether it names the target and says what that is told."""
        return self.owner.startswith("target.")

    def clause(self, words: Sequence[str]) -> Clause:
        """The clause of a line."""
        head, options = None, [option.option(words) for option in self.options]
        if self.headed:
            head, *options = options
        return Clause(self.owner, head, options)

    def kind(self, words: Sequence[str]) -> tuple[object, ...]:
        """All that its meaning hangs on but the values."""
        # A `!` may stand before the keyword or behind it.
        told = [
            (
                one.name,
                words[one.keyword],
                one.negated,
                one.typed,
                *(place - one.first for place in (one.keyword, *one.values)),
            )
            for one in self.options
        ]
        return self.owner, self.headed, *told

    def has_no_effect(self, words: Sequence[str]) -> bool:
        """Whether it asks for nothing, as a comment."""
        keywords = [plain_keyword(words[option.keyword]) for option in self.options[self.headed :]]
        supports = {option_table().support(self.owner, keyword) for keyword in keywords}
        return supports == {Support.NO_EFFECT}


@dataclass(frozen=True, slots=True)
class _Plan:
    """How lines of one shape with the same extensions become rules.

    ``conditions`` are clauses, each with what was made of it before, by its values. The target is made of the clauses
    ``deciding``; what was made of them before is in ``targets``, by their values and the built-in chain. ``comments``
    are places of words.
    """

    conditions: tuple[tuple[_ClauseShape, dict[object, Any]], ...]
    deciding: tuple[_ClauseShape, ...]
    target_values: _Values
    targets: dict[object, Any]
    comments: tuple[int, ...]


def _interface_places(shape: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where the names stand that a rule asks for, in and out; the last first, as `interfaces_of` takes it."""
    names, to = (
        tuple(option.values[0] for option in reversed(shape.options) if option.name == name and not option.negated)
        for name in ("in_interface", "out_interface")
    )
    return names, to


def _loading(shape: Shape) -> list[OptionShape]:
    """The options by whose values iptables loads extensions, but for the first target."""
    targets = [option for option in shape.options if option.name in ("jump", "goto")]
    return [option for option in shape.options if option.name in ("module", "protocol")] + targets[1:]


def _clause_shapes(shape: Shape, words: Sequence[str]) -> Iterator[_ClauseShape]:
    options = [option.option(words) for option in shape.options]
    shapes = {id(option): one for option, one in zip(options, shape.options, strict=True)}
    for clause in clauses_of(options):
        own = tuple(shapes[id(option)] for option in clause.pieces)
        yield _ClauseShape(clause.owner, own, clause.head is not None, _values_of(own))


def _values_of(options: Iterable[OptionShape]) -> _Values:
    places = [place for option in options for place in option.values]
    return itemgetter(*places) if places else _nothing


def _nothing(_: Sequence[str]) -> None:
    return None


def _without_counters(text: str) -> str:
    """A rule is the same one whatever it has counted, and no command takes the counters of iptables-save -c."""
    return _COUNTERS.sub("", text) if text.startswith("[") else text
