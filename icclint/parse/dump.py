"""What a dump of iptables holds, as it was written: options, commands, tables.

`icclint.parse.iptables` and `icclint.parse.listing` make these values of text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from icclint.source import Document, Gap, Span

TABLES = frozenset(("raw", "mangle", "nat", "filter", "security"))
"""The tables that iptables has (man iptables)."""

HIDDEN = "hidden"
"""The name of an option that a dump leaves out: the interfaces of ``iptables -L``, an address shown by its name."""
CUT = "cut"
"""The kind of a command that stands for what somebody cut out of a dump."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a rule.

    ``name`` is the grammar's rule for it, ``typed`` tells whether its value has the shape that the grammar asks for.
    ``text`` is how the dump writes it, or how ``iptables -S`` would; of a `HIDDEN` option it says what is not shown.
    """

    name: str
    keyword: str
    negated: bool
    values: tuple[str, ...]
    typed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One line that changes a table, or a row of a listing as the line that made it.

    ``kind`` is ``append``, ``insert``, ``policy``, ``declare``, `CUT`, or ``unreadable`` for a line that is plainly a
    command but that the grammar refuses; its ``chain`` is None where not even that could be read. ``table``, with the
    table's name in place of the chain's, and ``commit`` stand in no `TableDump`. A ``policy`` without a policy is a
    line whose policy could not be read. ``text`` is the line, or what ``iptables -S`` would have
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

    @property
    def target(self) -> str | None:
        """What it jumps to."""
        return next((option.values[0] for option in self.options if option.name in ("jump", "goto")), None)


@dataclass(frozen=True, slots=True)
class OptionShape:
    """An option in a `Shape`, all but its words: those are given by their places in the line, counted from 0.

    ``first`` and ``last`` are the places of its outermost words, of which the first may be its ``!``.
    """

    name: str
    keyword: int
    negated: bool
    values: tuple[int, ...]
    typed: bool
    first: int
    last: int

    def option(self, words: Sequence[str]) -> Option:
        """The option of a line, by its words."""
        return Option(
            name=self.name,
            keyword=words[self.keyword],
            negated=self.negated,
            values=tuple([unquoted(words[place]) for place in self.values]),
            typed=self.typed,
            text=" ".join(words[self.first : self.last + 1]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the grammar says of a line, all but its words: those are given by their places in it, counted from 0.

    ``name`` is the place of the chain's name, in ``*filter`` of the table's, and ``prefix`` the number of characters
    before it in its word. ``target`` is the place of what the line jumps to. No shape is equal to another one.
    """

    kind: str
    name: int
    prefix: int
    policy: int | None
    position: int | None
    counters: tuple[int, ...]
    options: tuple[OptionShape, ...]
    target: int | None

    def command(self, words: Sequence[str], span: Span, text: str) -> Command:
        """The command that a line of this shape is, by its words."""
        return Command(
            kind=self.kind,
            chain=words[self.name][self.prefix :],
            span=span,
            text=text,
            policy=None if self.policy is None else words[self.policy],
            position=1 if self.position is None else int(words[self.position]),
            counters=self.packet_counters(words),
            options=tuple([option.option(words) for option in self.options]),
        )

    def packet_counters(self, words: Sequence[str]) -> tuple[int, int] | None:
        """The packets and bytes of a line, where it tells them."""
        return _counters([words[place] for place in self.counters]) if self.counters else None


def _counters(words: Sequence[str]) -> tuple[int, int]:
    """``[12:840]``, or the two numbers of ``-c 12 840``."""
    packets, octets = words if len(words) == 2 else words[0].strip("[]").split(":")
    return int(packets), int(octets)


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def unquoted(word: str) -> str:
    """What a word says that may be quoted."""
    return _ESCAPE.sub(r"\1", word[1:-1]) if word.startswith('"') else word


_QUOTED_OR_BARE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|\S+', re.DOTALL)


def spaced(text: str) -> str:
    """A line with single blanks between its words, as iptables prints it, and not as somebody may have typed it."""
    return " ".join(_QUOTED_OR_BARE.findall(text)) if "  " in text or "\t" in text else text


def words_of(text: str) -> list[str] | None:
    """The words of a line as iptables prints it, with single blanks between them; quoted text is one word.

    None where a line is written in another way.
    """
    if '"' not in text:
        return text.split(" ")
    before, _, quoted = text.partition(' "')
    inside, _, behind = quoted.partition('" ')
    if '"' not in inside and '"' not in behind and "\\" not in inside and behind:
        # Most have one comment, without any escape.
        return [*before.split(" "), f'"{inside}"', *behind.split(" ")]
    words = _QUOTED_OR_BARE.findall(text)
    return words if " ".join(words) == text else None


class Line(NamedTuple):
    """A command that is read when it is looked at: a dump has many, and most are about other bridges."""

    document: Document
    number: int
    shape: Shape
    chain: str
    target: str | None

    @property
    def kind(self) -> str:
        """As of the command."""
        return self.shape.kind

    @property
    def policy(self) -> str | None:
        """As of the command."""
        return None if self.shape.policy is None else self.words[self.shape.policy]

    @property
    def text(self) -> str:
        """The line itself."""
        return self.document.lines[self.number - 1]

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self.document.line_span(self.number)

    @property
    def words(self) -> list[str]:
        """Its words, made out anew each time."""
        words = words_of(self.text)
        assert words is not None, "only such lines have a known shape"
        return words

    def command(self) -> Command:
        """The command, made anew each time."""
        return self.shape.command(self.words, self.span, self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Commands(Sequence[Command]):
    """Commands, of which those that are `Line` values are made when they are looked at.

    Equal are those that say the same, however they were read.
    """

    entries: tuple[Command | Line, ...]

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Commands) and tuple(self) == tuple(other)

    @overload
    def __getitem__(self, index: int) -> Command: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Command]: ...
    def __getitem__(self, index: int | slice) -> Command | Sequence[Command]:
        if isinstance(index, slice):
            return Commands(self.entries[index])
        return as_command(self.entries[index])

    def __len__(self) -> int:
        return len(self.entries)


def as_command(entry: Command | Line) -> Command:
    """An entry of `Commands` as a command."""
    return entry if isinstance(entry, Command) else entry.command()


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
    commands: Commands
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
