"""Dumps of iptables to rulesets."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from icclint.ir.ruleset import BUILT_IN_CHAINS, Chain, Interfaces, LazyRules, Rule, Ruleset, Table, interfaces_of
from icclint.lower.clause import Surroundings
from icclint.lower.draft import Shown, TableDraft, draft
from icclint.lower.place import Place, Placed, family_of_name, place_all, shows_every_table
from icclint.lower.rule import Lowering
from icclint.parse.dump import Commands, Dump, Line, TableDump
from icclint.source import Gap, Span


@dataclass(frozen=True, slots=True)
class Rules(LazyRules):
    """The rules of a chain, made from their commands when they are looked at, each once."""

    commands: Commands
    lowering: Lowering
    made: dict[int, Rule] = field(default_factory=dict, compare=False, repr=False)

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | Sequence[Rule]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self.commands))[index]
        if position not in self.made:
            self.made[position] = self.lowering.rule(self.commands.entries[position], position + 1)
        return self.made[position]

    def __iter__(self) -> Iterator[Rule]:
        # Rules are gone through time and again, and to ask for each by its place takes longer than to look it up.
        for place in range(len(self.commands)):
            yield self.made.get(place) or self[place]

    def __len__(self) -> int:
        return len(self.commands)

    def interfaces(self) -> Iterator[Interfaces]:
        """What each rule asks for."""
        for place, entry in enumerate(self.commands.entries):
            yield self.lowering.interfaces(entry) if isinstance(entry, Line) else interfaces_of(self[place])


MOST_TABLES = 256
"""How many tables of dumps are held against each other. A host has ten, and few people show them more than twice."""


@dataclass(frozen=True, slots=True)
class LoweredDumps:
    """The rulesets of all dumps of a capture, what could not be joined, and the warning of other tables."""

    rulesets: tuple[Ruleset, ...]
    gaps: tuple[Gap, ...]
    legacy_warning: Span | None


def lower_dumps(dumps: Iterable[tuple[str, Dump]], no_tables: bool = False) -> LoweredDumps:
    """The rulesets that dumps of one host at one time hold.

    ``dumps`` are pairs of a document's name and its dump. ``no_tables`` tells that nftables shows no table of
    iptables, so that an empty dump is the whole truth. Two dumps of one table that say the same are one; two
    that differ cannot both be of that time, so the one that tells more stands and the other is a gap.
    """
    dumps = list(dumps)
    shown_tables = [table for _, dump in dumps for table in dump.tables if table.table in (None, *BUILT_IN_CHAINS)]
    placed, lost = place_all(map(draft, shown_tables[:MOST_TABLES]))
    gaps = [_lost(one) for one in lost]
    gaps += [_one_too_many(table) for table in shown_tables[MOST_TABLES:]]
    tables: dict[Place, Table] = {}
    for place in dict.fromkeys(one.place for one in placed):
        group = [one for one in placed if one.place == place]
        shown, refused = _joined(group)
        gaps += refused
        if shown is not None:
            tables[place] = _table(place, group[0].draft.dump.document, shown, _targets(placed, place.family))
    empty_saves = {family_of_name(name) for name, dump in dumps if dump.empty}
    unused = sorted(family for family in empty_saves if family is not None) if no_tables else ()
    rulesets = list(_rulesets(tables, placed, empty_saves))
    rulesets += [
        Ruleset(family=family, variant="nft", tables={}, all_tables=True)
        for family in unused
        if all(ruleset.family != family for ruleset in rulesets)
    ]
    return LoweredDumps(
        rulesets=tuple(rulesets),
        gaps=tuple(gaps),
        legacy_warning=next((dump.legacy_warning for _, dump in dumps if dump.legacy_warning), None),
    )


def _rulesets(
    tables: Mapping[Place, Table], placed: Sequence[Placed], empty_saves: Container[int | None]
) -> Iterator[Ruleset]:
    variants = {(place.family, place.variant) for place in tables}
    for family, variant in sorted(variants, key=lambda key: (key[0], key[1] or "")):
        own = {place.table: tables[place] for place in tables if (place.family, place.variant) == (family, variant)}
        # An empty save says that there is no table where `iptables -S` shows no rule either; alone it may be the
        # trace of a command that failed.
        unused = family in empty_saves and all(
            one.draft.is_open for one in placed if (one.place.family, one.place.variant) == (family, variant)
        )
        yield Ruleset(
            family=family,
            variant=variant,
            tables=dict(sorted(own.items())),
            all_tables=unused or shows_every_table(placed, family, variant),
        )


def _joined(group: Sequence[Placed]) -> tuple[Shown | None, list[Gap]]:
    """What dumps of one table show together, and those that are left out."""
    first, *others = group
    table = first.place.table
    shown = first.draft.shown_of(table)
    gaps: list[Gap] = []
    for other in others:
        more = other.draft.shown_of(table)
        chain = next(shown.contradictions(more), None)
        if chain is None:
            shown = shown.joined(more)
        elif first.sure or other.sure:
            gaps.append(_contradiction(first.draft, other.draft, chain, table))
        else:
            return None, [_of_either_family(one.draft) for one in group]
    return shown, gaps


def _contradiction(first: TableDraft, other: TableDraft, chain: str, table: str) -> Gap:
    reason = (
        f"chain {chain} of table {table} differs from {first.place_of(chain)}, which is analysed instead;"
        " captures of different times belong into folders of their own"
    )
    return Gap(other.place_of(chain), chain, reason, whole=True)


def _of_either_family(one: TableDraft) -> Gap:
    reason = "nothing tells whether this is of iptables or of ip6tables, and there are two of them"
    return Gap(one.dump.span, one.dump.document, reason, whole=True)


def _one_too_many(table: TableDump) -> Gap:
    reason = f"more than {MOST_TABLES} tables are shown before this one, which is not analysed"
    return Gap(table.span, table.document, reason, whole=True)


def _lost(one: TableDraft) -> Gap:
    reason = "nothing tells which table this is of; iptables-save would"
    return Gap(one.dump.span, one.dump.document, reason, whole=True)


def _targets(placed: Iterable[Placed], family: int) -> frozenset[str]:
    return frozenset().union(*(one.draft.targets for one in placed if one.place.family == family))


def _table(place: Place, document: str, shown: Shown, targets: frozenset[str]) -> Table:
    lowering = Lowering(Surroundings(place.family, place.variant, place.table, targets))
    return Table(
        name=place.table,
        document=document,
        complete=shown.complete,
        chains={
            name: Chain(name=name, policy=chain.policy, span=chain.span, rules=Rules(chain.commands, lowering))
            for name, chain in shown.chains.items()
        },
    )
