"""What a dump of iptables holds, as it was written: options, commands, tables.

`icclint.parse.iptables` and `icclint.parse.listing` make these values of text.
"""

from __future__ import annotations

from dataclasses import dataclass

from icclint.source import Gap, Span

TABLES = frozenset(("raw", "mangle", "nat", "filter", "security"))
"""The tables that iptables has (man iptables)."""

HIDDEN = "hidden"
"""The name of an option that a dump leaves out: the interfaces of ``iptables -L``, an address shown by its name."""
CUT = "cut"
"""The kind of a command that stands for what somebody cut out of a dump."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a rule.

    ``name`` is the grammar's rule for it, ``typed`` tells whether its value has the shape that the grammar asks for,
    ``column`` and ``end_column`` say where it stands in its line. ``text`` is how ``iptables -S`` would write it, where
    the dump writes it otherwise. Of a `HIDDEN` option it says what is not shown.
    """

    name: str
    keyword: str
    negated: bool
    values: tuple[str, ...]
    typed: bool
    column: int
    end_column: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One line that changes a table, or a row of a listing as the line that made it.

    ``kind`` is ``append``, ``insert``, ``policy``, ``declare``, `CUT`, or ``unreadable`` for a line that is plainly a
    command but that the grammar refuses; its ``chain`` is None where not even that could be read. A ``policy``
    without a policy is a line whose policy could not be read. ``text`` is the line, or what ``iptables -S`` would have
    printed for a row, with what is not told of it in brackets. ``counters`` is None also where they were rounded.
    """

    kind: str
    chain: str | None
    span: Span
    text: str
    policy: str | None = None
    position: int = 1
    counters: tuple[int, int] | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class TableDump:
    """The commands of one table, in order; ``span`` is the line that it begins with.

    ``title`` is what may tell more of it than its text: the command line that printed it, or the document's name.
    ``table`` is None in the output of ``iptables -S`` and ``iptables -L``, which does not name it, unless the command
    line did. ``family`` is 4, 6, or None; ``variant`` is ``nft``, ``legacy`` or None where the text does not tell.
    ``saved`` marks the output of iptables-save, which names every table that exists, and ``listed`` that of
    ``iptables -L``, which does not print all of a rule. Of what is ``filtered`` any line may be missing. ``cut`` tells
    that its COMMIT is missing, ``partial`` that its document says itself that there is more than it shows.
    """

    document: str
    title: str
    span: Span
    table: str | None
    family: int | None
    variant: str | None
    commands: tuple[Command, ...]
    saved: bool = False
    listed: bool = False
    filtered: bool = False
    cut: bool = False
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Dump:
    """All that one document holds of iptables.

    ``empty`` tells that it says nothing, as the output of iptables-save on a host without tables.
    """

    tables: tuple[TableDump, ...]
    gaps: tuple[Gap, ...]
    empty: bool = False
    legacy_warning: Span | None = None
