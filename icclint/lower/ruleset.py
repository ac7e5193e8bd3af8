"""Dumps of iptables to rulesets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

from icclint.ir.ruleset import BUILT_IN_CHAINS, Chain, Rule, Ruleset, Table
from icclint.lower.rule import lower_rule
from icclint.parse.iptables import Command, Dump, TableDump
from icclint.source import Gap, Span


@dataclass(frozen=True, slots=True)
class Rules(Sequence[Rule]):
    """The rules of a chain, made from their commands when they are looked at, each once."""

    commands: tuple[Command, ...]
    table: str
    family: int
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
            self.made[position] = lower_rule(self.commands[position], self.table, self.family, position + 1)
        return self.made[position]

    def __len__(self) -> int:
        return len(self.commands)


@dataclass
class _ChainDraft:
    """What the dumps say of one chain so far."""

    policy: str | None = None
    span: Span | None = None
    commands: list[Command] = field(default_factory=list)

    def meaning(self) -> tuple[object, ...]:
        """What two dumps of the same state agree on: all but counters and places."""
        rules = tuple(
            tuple((option.keyword, option.negated, option.values) for option in command.options) or command.text
            for command in self.commands
        )
        return self.policy, rules


@dataclass
class _TableDraft:
    dump: TableDump
    table: str
    family: int
    chains: dict[str, _ChainDraft]
    complete: bool


@dataclass(frozen=True)
class LoweredDumps:
    """The rulesets of all dumps of a capture, what could not be joined, and the warning of other tables."""

    rulesets: tuple[Ruleset, ...]
    gaps: tuple[Gap, ...]
    legacy_warning: Span | None


def lower_dumps(dumps: Iterable[tuple[str, Dump]]) -> LoweredDumps:
    """The rulesets that dumps of one host at one time hold.

    ``dumps`` are pairs of a document's name and its dump. Two dumps of one table that say the same are one; two
    that differ cannot both be of that time, so the first one stands and the other is a gap.
    """
    dumps = list(dumps)
    drafts = [_draft(name, table) for name, dump in dumps for table in dump.tables]
    drafts = _settle_variants(drafts)
    # What names its tables comes first, and the fuller dump of those that do not.
    drafts.sort(key=lambda draft: (not draft.dump.saved, not draft.complete, draft.dump.document))
    gaps: list[Gap] = []
    joined: dict[tuple[int, str | None, str], _TableDraft] = {}
    for draft in drafts:
        key = (draft.family, draft.dump.variant, draft.table)
        if key not in joined:
            joined[key] = draft
        else:
            gaps.extend(_join(joined[key], draft))
    keys = {(family, variant) for family, variant, _ in joined}
    empty_saves = {_name_family(name) for name, dump in dumps if dump.empty_save}
    return LoweredDumps(
        rulesets=tuple(
            Ruleset(
                family=family,
                variant=variant,
                tables={
                    table: _table(draft)
                    for (f, v, table), draft in sorted(joined.items(), key=lambda item: item[0][2])
                    if (f, v) == (family, variant)
                },
                all_tables=_all_tables(joined, family, variant, empty_saves),
            )
            for family, variant in sorted(keys, key=lambda key: (key[0], key[1] or ""))
        ),
        gaps=tuple(gaps),
        legacy_warning=next((dump.legacy_warning for _, dump in dumps if dump.legacy_warning), None),
    )


def _all_tables(
    joined: dict[tuple[int, str | None, str], _TableDraft],
    family: int,
    variant: str | None,
    empty_saves: set[int],
) -> bool:
    """Whether a table that is missing holds no rules.

    ``iptables-save`` prints every table that exists, but ``iptables-save -t filter`` prints one, and a dump of a
    single table may be either. An empty save says that no table exists where ``iptables -S`` shows no rule either;
    alone it may be the trace of a command that failed.
    """
    drafts = [draft for (f, v, _), draft in joined.items() if (f, v) == (family, variant)]
    if family in empty_saves and all(_is_open(draft) for draft in drafts):
        return True
    return sum(draft.dump.saved for draft in drafts) > 1


def _draft(name: str, dump: TableDump) -> _TableDraft:
    table = dump.table or _guess_table(dump)
    chains: dict[str, _ChainDraft] = {}
    unplaced: list[Command] = []
    last: str | None = None
    for command in dump.commands:
        if command.chain is None:
            unplaced.append(command)
            continue
        chain = chains.setdefault(command.chain, _ChainDraft())
        match command.kind:
            case "policy" | "declare":
                chain.policy = None if command.policy == "-" else command.policy
                chain.span = command.span
            case "insert":
                chain.commands.insert(command.position - 1, command)
                last = command.chain
            case _:
                chain.commands.append(command)
                last = command.chain
    for command in unplaced:
        # It may be a rule of any chain, so every built-in chain may start with it.
        for built_in in BUILT_IN_CHAINS.get(table, ()):
            if built_in in chains:
                chains[built_in].commands.insert(0, command)
    if dump.cut and dump.commands:
        _mark_cut(chains, last, dump.commands[-1])
    complete = all(name in chains for name in BUILT_IN_CHAINS.get(table, ())) and not dump.cut
    return _TableDraft(dump, table, dump.family or _guess_family(name, dump), chains, complete)


def _mark_cut(chains: dict[str, _ChainDraft], last: str | None, at: Command) -> None:
    """Chains are saved in the order of their declarations, so those from the last one on may lack rules."""
    names = list(chains)
    for name in names[names.index(last) if last else 0 :]:
        chains[name].commands.append(Command("unreadable", name, at.span, "(the dump was cut off here)"))


_TABLE_TARGETS = {
    "DNAT": "nat", "SNAT": "nat", "MASQUERADE": "nat", "REDIRECT": "nat", "NETMAP": "nat",
    "NOTRACK": "raw", "CT": "raw",
    "MARK": "mangle", "TCPMSS": "mangle", "CHECKSUM": "mangle", "TPROXY": "mangle", "DSCP": "mangle",
}  # fmt: skip


def _guess_table(dump: TableDump) -> str:
    """The table that an output of ``iptables -S`` is of: told by its built-in chains, else by its targets."""
    built_in = {c.chain for c in dump.commands if c.kind == "policy"}
    for table in ("filter", "nat", "mangle", "raw"):
        if built_in == set(BUILT_IN_CHAINS[table]):
            return table
    if "POSTROUTING" in built_in and "INPUT" not in built_in:
        return "nat"
    for command in dump.commands:
        for option in command.options:
            if option.name == "jump" and option.values[0] in _TABLE_TARGETS:
                return _TABLE_TARGETS[option.values[0]]
    return "filter"


_IPV6_NAME = re.compile(r"ip6|ipv6|v6", re.IGNORECASE)
_IPV6_PROTOCOLS = frozenset(("ipv6-icmp", "icmpv6", "icmp6"))


def _guess_family(name: str, dump: TableDump) -> int:
    """The family of a dump that does not name its program: by its addresses, then by the document's name.

    A dump with neither is taken for IPv4, which is what ``iptables -S`` prints.
    """
    for command in dump.commands:
        for option in command.options:
            value = option.values[0] if option.values else ""
            if option.name in ("source", "destination"):
                return 6 if ":" in value else 4
            if value in _IPV6_PROTOCOLS:
                return 6
            if option.name == "protocol" and value == "icmp":
                return 4
    return _name_family(name)


def _name_family(name: str) -> int:
    return 6 if _IPV6_NAME.search(name.rpartition("/")[2]) else 4


def _settle_variants(drafts: list[_TableDraft]) -> list[_TableDraft]:
    """Gives each dump of ``iptables -S``, which does not name its variant, to the variant that it agrees with.

    A host where one variant holds Docker's rules still answers for the other one with three policies and no
    rule; such a dump says nothing against the first, and is the other variant's.
    """
    variants = {
        family: sorted({d.dump.variant for d in drafts if d.family == family and d.dump.variant}) for family in (4, 6)
    }
    return [draft if draft.dump.variant else _with_variant(draft, drafts, variants[draft.family]) for draft in drafts]


def _with_variant(draft: _TableDraft, drafts: list[_TableDraft], variants: list[str]) -> _TableDraft:
    for variant in variants:
        others = [d for d in drafts if d.dump.variant == variant and (d.family, d.table) == (draft.family, draft.table)]
        if any(not _differences(other, draft) for other in others):
            return replace(draft, dump=replace(draft.dump, variant=variant))
    if not variants or (_is_open(draft) and len(variants) == 1):
        return draft
    return replace(draft, dump=replace(draft.dump, variant=variants[0]))


def _is_open(draft: _TableDraft) -> bool:
    return all(chain.policy in ("ACCEPT", None) and not chain.commands for chain in draft.chains.values())


def _differences(kept: _TableDraft, other: _TableDraft) -> Iterator[tuple[str, _ChainDraft]]:
    """The chains in which a second dump of a table contradicts the first."""
    for name, chain in other.chains.items():
        known = kept.chains.get(name)
        if known is None:
            if kept.complete:
                yield name, chain
        elif known.meaning() != chain.meaning():
            yield name, chain
    if other.complete:
        for name, chain in kept.chains.items():
            if name not in other.chains:
                yield name, chain


def _join(kept: _TableDraft, other: _TableDraft) -> Iterator[Gap]:
    name, chain = next(_differences(kept, other), (None, None))
    if name is not None and chain is not None:
        span = other.dump.commands[0].span if other.dump.commands else None
        place = chain.span or (chain.commands[0].span if chain.commands else span)
        if place is None or place.document != other.dump.document:
            place = span or place
        assert place is not None
        yield Gap(
            place,
            name,
            f"chain {name} of table {kept.table} differs from {kept.dump.document}, which is analysed instead;"
            " captures of different times belong into folders of their own",
            whole=True,
        )
        return
    for missing in other.chains.keys() - kept.chains.keys():
        kept.chains[missing] = other.chains[missing]
    kept.complete = kept.complete or other.complete


def _table(draft: _TableDraft) -> Table:
    return Table(
        name=draft.table,
        document=draft.dump.document,
        complete=draft.complete,
        chains={
            name: Chain(
                name=name,
                policy=chain.policy,
                span=chain.span,
                rules=Rules(tuple(chain.commands), draft.table, draft.family),
            )
            for name, chain in draft.chains.items()
        },
    )
