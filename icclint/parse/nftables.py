"""``nft list ruleset`` to tables, chains and rules.

Native tables have a say beside those of iptables: a packet must pass the base chains of all of them. Which tables there
are is read at once, what stands in one only when it is asked for, since most are in a language of which icclint knows
no more than Docker writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from icclint.parse.dump import TABLES
from icclint.parse.gaps import Gaps
from icclint.parse.grammar import RefusedError, parse
from icclint.source import Document, Gap, Span

if TYPE_CHECKING:
    from lark import Token, Tree

    Branch = Tree[Token]

_TABLE = re.compile(r"\s*table (?P<family>ip6?|inet|arp|bridge|netdev) (?P<name>\S+) \{")
_HOOK = re.compile(r"\s*type \w+ hook (?:prerouting|input|forward|output|postrouting|ingress|egress)\b")
_BLOCK = re.compile(r"\s*\w[^{}=]*\{\s*(?:#.*)?$")
_NAMED = re.compile(r"\s*(?P<kind>chain|map) (?P<name>\S+) \{")
_END = re.compile(r"\s*\}\s*(?:#.*)?$")
_ELEMENTS = re.compile(r"\s*elements\s*=")
_VALUES = ("VALUE", "QUOTED", "MAP", "COUNTS")
_MAP_TYPE = re.compile(r"\s*(?:type ifname : verdict|flags\b.*|size\b.*|comment\b.*)\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a listing shows: the native tables that packets meet, and which tables there are, as family and name."""

    native: tuple[ShownTable, ...]
    tables: frozenset[tuple[str, str]]

    @property
    def has_none_of_iptables(self) -> bool:
        """Whether it tells that the nft variant of iptables has no table; one table alone may be all that was asked."""
        ours = any(family in ("ip", "ip6") and name in TABLES for family, name in self.tables)
        return not ours and len(self.tables) > 1 and not any(table.cut for table in self.native)


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table that iptables did not make, and that a packet meets.

    ``lines`` are the numbers of the lines between its braces. ``cut`` tells that the listing ends before the table
    does.
    """

    document: Document
    family: str
    name: str
    span: Span
    lines: range
    cut: bool

    @property
    def meaning(self) -> tuple[str, ...]:
        """What two listings of the same state agree on: all but counts, handles and blanks."""
        return tuple(_without_counts(self.document.lines[number - 1]) for number in self.lines)


@dataclass(frozen=True, slots=True)
class Statement:
    """One condition, verdict or other part of a rule.

    ``name`` is the grammar's rule for it, ``keyword`` what it begins with, ``text`` all of it as written.
    """

    name: str
    keyword: str
    negated: bool
    values: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One rule; it has no statements where its line could not be read. ``text`` leaves counts out."""

    statements: tuple[Statement, ...]
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class ShownChain:
    """A chain. What the kernel calls has a ``hook`` with ``kind``, ``priority`` and ``policy``, as they are printed.

    ``span`` is the place of its hook, or else of its name.
    """

    name: str
    span: Span
    rules: tuple[ShownRule, ...]
    kind: str | None = None
    hook: str | None = None
    priority: str = ""
    policy: str = "accept"


@dataclass(frozen=True, slots=True)
class TableText:
    """What stands in a table.

    ``maps`` are the maps of verdicts, by name: what is done with each interface. One whose lines could not be read is
    None. ``whole`` tells that no other chain, no other hook and no flag of the table can be missing here.
    """

    chains: tuple[ShownChain, ...]
    maps: Mapping[str, Mapping[str, Statement] | None]
    whole: bool
    gaps: tuple[Gap, ...]


def parse_nftables(document: Document) -> Listing:
    """The tables of a listing."""
    native: list[ShownTable] = []
    tables: set[tuple[str, str]] = set()
    for header, first, last, cut in _tables(document):
        tables.add((header["family"], header["name"]))
        if header["family"] in ("ip", "ip6") and header["name"] in TABLES:
            continue
        if cut or any(_HOOK.match(document.lines[number - 1]) for number in range(first + 1, last)):
            span = document.line_span(first)
            native.append(ShownTable(document, header["family"], header["name"], span, range(first + 1, last), cut))
    return Listing(tuple(native), frozenset(tables))


def _tables(document: Document) -> Iterator[tuple[re.Match[str], int, int, bool]]:
    """Each table: its first line, the number of that and of the one that ends it, and whether none does."""
    header: re.Match[str] | None = None
    first = depth = 0
    for number, line in enumerate(document.lines, start=1):
        opened = _TABLE.match(line)
        if opened:
            if header is not None:
                yield header, first, number, True
            header, first, depth = opened, number, 1
        elif header is not None:
            depth += bool(_BLOCK.match(line)) - bool(_END.match(line))
            if depth == 0:
                yield header, first, number, False
                header = None
    if header is not None:
        yield header, first, len(document.lines) + 1, True


def looks_like_nftables(lines: list[str]) -> bool:
    """Whether the first line that says anything opens a table of nftables."""
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return _TABLE.match(first) is not None


def parse_table(table: ShownTable) -> TableText:
    """What stands in a table. Lines that are not understood are gaps, and rules without statements."""
    return _Reader(table).read()


@dataclass
class _Open:
    """A chain or a map while its lines are read."""

    kind: str
    name: str
    span: Span
    hook: Branch | None = None
    rules: list[ShownRule] = field(default_factory=list)
    elements: dict[str, Statement] | None = field(default_factory=dict)


class _Reader:
    """Goes through the lines of one table."""

    def __init__(self, table: ShownTable) -> None:
        self.document = document = table.document
        self.table = table
        self.gaps = Gaps(document)
        self.chains: list[ShownChain] = []
        self.maps: dict[str, Mapping[str, Statement] | None] = {}
        self.block: _Open | None = None
        self.whole = not table.cut

    def read(self) -> TableText:
        numbers = iter(self.table.lines)
        for number in numbers:
            line = self.document.lines[number - 1]
            named = _NAMED.match(line)
            if not line.strip():
                continue
            if named:
                self._close()
                self.block = _Open(named["kind"], named["name"], self.document.text_span(number))
            elif _END.match(line):
                self._close()
            elif _ELEMENTS.match(line):
                more = [line]
                while "}" not in more[-1] and (following := next(numbers, None)) is not None:
                    more.append(self.document.lines[following - 1])
                self._line(number, "\n".join(more))
            else:
                self._line(number, line)
        self._close()
        if self.table.cut:
            end = self.table.lines.stop - 1
            self.gaps.line(end, f"table {self.table.family} {self.table.name} ends without its brace: it was cut off")
        return TableText(tuple(self.chains), self.maps, self.whole, self.gaps.all())

    def _line(self, number: int, text: str) -> None:
        block = self.block
        if block is None:
            self.gaps.line(number, "not a line of a table that Docker writes")
            self.whole = False
            return
        if block.kind == "map" and _MAP_TYPE.match(text):
            return
        tree = self._parsed(number, text)
        kind = None if tree is None else str(tree.data)
        if tree is not None and kind == "hook" and block.kind == "chain":
            block.hook, block.span = tree, self.document.text_span(number)
        elif tree is not None and kind == "elements" and block.kind == "map" and block.elements is not None:
            block.elements.update(_elements(tree, text))
        elif block.kind == "map":
            block.elements = None
        else:
            self.whole = self.whole and not _HOOK.match(text)
            statements = _statements(tree, text) if tree is not None and kind == "rule" else ()
            block.rules.append(ShownRule(statements, _without_counts(text), self.document.text_span(number)))

    def _parsed(self, number: int, text: str) -> Branch | None:
        try:
            return parse("nftables", text.replace("\n", " "))
        except RefusedError:
            self.gaps.line(number, "line of nftables not understood")
            return None

    def _close(self) -> None:
        block, self.block = self.block, None
        if block is None:
            return
        if block.kind == "map":
            self.maps[block.name] = block.elements
            return
        words = [str(token).split(maxsplit=1)[1] for token in block.hook.children] if block.hook is not None else []
        base = dict(zip(("kind", "hook", "priority", "policy"), words, strict=False))
        self.chains.append(ShownChain(block.name, block.span, tuple(block.rules), **base))


_COUNTS = re.compile(r"(?<=\bcounter) packets \d+ bytes \d+\b")
# Blanks are gone through once.
_HANDLE = re.compile(r"(?<!\s)\s*# handle \d+$")


def _without_counts(text: str) -> str:
    """A rule as ``nft -s`` prints it, so that it is the same text whatever passed by."""
    return _COUNTS.sub("", _HANDLE.sub("", text.strip()), count=1)


def _elements(tree: Branch, text: str) -> Iterator[tuple[str, Statement]]:
    for element in tree.children[1:-1]:
        key, verdict = cast("Branch", element).children
        yield str(key)[1:-1], _statement(cast("Branch", verdict), text)


def _statements(tree: Branch, text: str) -> tuple[Statement, ...]:
    return tuple(_statement(cast("Branch", branch), text) for branch in tree.children)


def _statement(tree: Branch, text: str) -> Statement:
    tokens = cast("list[Token]", tree.children)
    start, end = tokens[0].start_pos or 0, tokens[-1].end_pos or 0
    return Statement(
        name=str(tree.data),
        keyword=" ".join(tokens[0].split()),
        negated=any(token.type == "NOT" for token in tokens),
        values=tuple(token.strip('"') for token in tokens if token.type in _VALUES),
        text=text[start:end],
    )
