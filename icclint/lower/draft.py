"""What one dump says of one table, chain by chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from icclint.ir.ruleset import BUILT_IN_CHAINS
from icclint.parse.dump import CUT, Command, Commands, Line, TableDump, as_command
from icclint.source import Span

HOOKS = frozenset(name for chains in BUILT_IN_CHAINS.values() for name in chains)
"""The names of built-in chains, whatever the table."""


@dataclass(frozen=True)
class ChainDraft:
    """A chain as one dump shows it. ``span`` is the place of its policy or declaration, where there is one."""

    policy: str | None
    span: Span | None
    commands: Commands

    @cached_property
    def meaning(self) -> tuple[object, ...]:
        """What two dumps of the same state agree on: all but counters and places."""
        rules = tuple(
            tuple((option.keyword, option.negated, option.values) for option in command.options) or command.text
            for command in self.commands
        )
        return self.policy, rules

    @cached_property
    def is_cut(self) -> bool:
        """Whether something was cut out of it."""
        return any(entry.kind == CUT for entry in self.commands.entries)

    @cached_property
    def outline(self) -> tuple[object, ...]:
        """What a listing shows of it for certain: the policy, and the target of each rule."""
        return self.policy, tuple(entry.target for entry in self.commands.entries)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of one table.

    ``complete`` tells that it has no chain but these, ``listed`` that it is the word of ``iptables -L``, which writes
    the same rules in another way, and not in full.
    """

    chains: Mapping[str, ChainDraft]
    complete: bool
    listed: bool = False

    def contradictions(self, other: Shown) -> Iterator[str]:
        """The chains in which two dumps of one table cannot both be right."""
        for name in sorted(self.chains.keys() | other.chains.keys()):
            mine, theirs = self.chains.get(name), other.chains.get(name)
            if mine is not None and theirs is not None:
                if self._differ(mine, theirs, other):
                    yield name
            elif (self if mine is None else other).complete:
                yield name

    def _differ(self, mine: ChainDraft, theirs: ChainDraft, other: Shown) -> bool:
        if mine.is_cut or theirs.is_cut:
            return mine.policy != theirs.policy
        if self.listed != other.listed:
            return mine.outline != theirs.outline
        return mine.meaning != theirs.meaning

    def joined(self, other: Shown) -> Shown:
        """What two dumps that do not contradict each other show together."""
        # In the order, and at the places, of the first.
        return Shown({**self.chains, **other.chains, **self.chains}, self.complete or other.complete, self.listed)


@dataclass(frozen=True)
class TableDraft:
    """A table as one dump shows it."""

    dump: TableDump
    chains: Mapping[str, ChainDraft]

    @cached_property
    def hooks(self) -> frozenset[str]:
        """The built-in chains that it shows."""
        return HOOKS & self.chains.keys()

    @cached_property
    def targets(self) -> frozenset[str]:
        """All that its rules jump to."""
        return frozenset(entry.target for entry in self.dump.commands.entries if entry.target is not None)

    @property
    def is_open(self) -> bool:
        """Whether it lets everything pass, as a table that nobody uses."""
        return all(self.chains[hook].policy == "ACCEPT" for hook in self.hooks) and not any(
            chain.commands for chain in self.chains.values()
        )

    def place_of(self, chain: str) -> Span:
        """Where a chain is declared, or its first rule; where the table begins if it has no such chain."""
        found = self.chains.get(chain)
        if found is None:
            return self.dump.span
        return found.span or found.commands[0].span

    def shown_of(self, table: str) -> Shown:
        """What it shows if it is a dump of that table.

        nftables can lack built-in chains, and then a save leaves them out; kernels before 2.6.36 have no INPUT in nat.
        """
        needed = set(BUILT_IN_CHAINS[table])
        if self.dump.saved:
            needed = set() if self.dump.variant == "nft" else needed - ({"INPUT"} if table == "nat" else set())
        whole = (
            not self.dump.cut and not self.dump.filtered and all(one.kind != CUT for one in self.dump.commands.entries)
        )
        return Shown(self.chains, whole and needed <= self.chains.keys(), self.dump.listed)


@dataclass
class _Open:
    """A chain while its commands are read."""

    policy: str | None = None
    span: Span | None = None
    commands: list[Command | Line] = field(default_factory=list)


MOST_ANYWHERE = 10
"""How many of the damaged lines that may be rules of any chain are put into each."""


def draft(dump: TableDump) -> TableDraft:
    """The chains of a dump, with their rules in the order in which the kernel asks them."""
    chains: dict[str, _Open] = {}
    declared = {command.chain for command in dump.commands.entries if command.kind in ("policy", "declare")}
    anywhere: list[Command] = []
    last: str | None = None
    cut: Command | None = None
    for command in dump.commands.entries:
        if command.kind == CUT:
            cut = as_command(command)
            if command.chain is not None:
                chains[command.chain].commands.append(command)
            continue
        # The name of a chain in a line that is damaged may be damaged too.
        damaged = command.kind == "unreadable" and bool(declared) and command.chain not in declared | HOOKS
        if command.chain is None or damaged:
            anywhere.append(as_command(command))
            continue
        chain = chains.setdefault(command.chain, _Open())
        if command.kind in ("policy", "declare"):
            policy = command.policy
            chain.policy, chain.span = None if policy == "-" else policy, command.span
            continue
        if cut is not None and not dump.listed:
            _mark_cut(chains, last, command.chain, cut)
        last, cut = command.chain, None
        if command.kind == "insert":
            chain.commands.insert(max(as_command(command).position - 1, 0), command)
        else:
            chain.commands.append(command)
    # What may be a rule of any chain is met before all others. A few such rules leave as much open as thousands.
    for name in HOOKS & chains.keys() or chains.keys():
        chains[name].commands[:0] = [replace(command, chain=name) for command in anywhere[:MOST_ANYWHERE]]
    if dump.cut and dump.commands:
        end = Command("unreadable", None, dump.commands[-1].span, "(the dump was cut off here)")
        _mark_cut(chains, last, None, end)
    elif cut is not None and not dump.listed:
        _mark_cut(chains, last, None, cut)
    if dump.filtered:
        for name, chain in chains.items():
            chain.commands.insert(0, Command(CUT, name, dump.span, "(what a filter left out)"))
    return TableDraft(
        dump,
        {name: ChainDraft(chain.policy, chain.span, Commands(tuple(chain.commands))) for name, chain in chains.items()},
    )


def _mark_cut(chains: Mapping[str, _Open], last: str | None, following: str | None, mark: Command) -> None:
    """Puts a mark where rules may be missing.

    Chains are printed in the order of their declarations, so they may be missing from the chain of the last rule
    before a cut to that of the first one behind it.
    """
    names = list(chains)
    end = names.index(following) + 1 if following else len(names)
    for name in names[names.index(last) if last else 0 : end]:
        chains[name].commands.append(replace(mark, chain=name))
