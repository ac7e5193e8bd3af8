"""JSON with positions, for what ``docker network inspect`` prints.

Python's own reader forgets where a value stood and takes the last of two equal keys without a word; evidence must not
be read like that. What it reads without such doubts is right, and the places of parts are found when they are asked
for. All else, be it no JSON at all, goes through a lark grammar that keeps every place.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, cast

from icclint.parse.gaps import shortened
from icclint.parse.grammar import RefusedError, parse
from icclint.source import Document, Gap, Span

if TYPE_CHECKING:
    from lark import Token, Tree

    # A token is a str, and a tree is not.
    Node = Tree[Token] | Token

Key = str | int
Path = tuple[Key, ...]

MOST_LEVELS = 100
"""How deep values may be nested; no tool whose output is read here goes beyond a dozen."""


@dataclass(frozen=True)
class JsonText:
    """A JSON value and the place of each of its parts.

    ``value`` is what ``json.loads`` would give, but for halves of surrogate pairs, which JSON can escape and no
    encoding can write: they are U+FFFD. ``spans`` maps the path of each value to its place; for a member of an object
    that is its key and its value together. ``gaps`` names keys that stand twice.
    """

    value: Any
    spans: Mapping[Path, Span]
    gaps: tuple[Gap, ...] = ()


class JsonError(Exception):
    """The text is not JSON that can be read. ``gap`` says where and why."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(f"{gap.span}: {gap.reason}")
        self.gap = gap


def parse_json(document: Document) -> JsonText:
    """The JSON value of a document. Raises `JsonError` where the text is not JSON, or is cut off."""
    try:
        value = _DECODER.decode(document.text)
    except (ValueError, RecursionError):
        return parse_by_grammar(document)
    if _levels(value) > MOST_LEVELS or ("\\u" in document.text and _HALF_OF_A_PAIR.search(document.text)):
        return parse_by_grammar(document)
    return JsonText(value, Places(document))


_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key stands twice")
    return members


def _no_json(constant: str) -> NoReturn:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(object_pairs_hook=_each_once, parse_constant=_no_json)
_PLAIN = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\n\r]*")


def _levels(value: Any) -> int:
    """How deep a value is nested, as far as that is allowed and one level beyond."""
    level, here = 0, [value]
    while here and level <= MOST_LEVELS:
        here = [part for part in here if isinstance(part, (dict, list))]
        level += bool(here)
        here = [inner for part in here for inner in (part.values() if isinstance(part, dict) else part)]
    return level


@dataclass(frozen=True, eq=False)
class Places(Mapping[Path, Span]):
    """Where the parts of a JSON text stand that `json` reads; each is looked for when it is asked for."""

    document: Document
    parts: dict[Path, dict[Key, tuple[int, int, int]]] = field(default_factory=dict, repr=False)

    def __getitem__(self, path: Path) -> Span:
        start, end, _ = self._find(path)
        (line, column), (end_line, end_column) = self._place(start), self._place(end)
        return Span(self.document.name, line, column, end_line, end_column)

    def __iter__(self) -> Iterator[Path]:
        pending: list[Path] = [()]
        while pending:
            path = pending.pop()
            yield path
            pending += [(*path, key) for key in self._parts_of(path)]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.document.text))]

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def _find(self, path: Path) -> tuple[int, int, int]:
        """Where a part begins and ends, and where its value begins, which comes behind the key of a member."""
        if path:
            return self._parts_of(path[:-1])[path[-1]]
        text = self.document.text
        start = _behind_blanks(text, 0)
        return start, _PLAIN.raw_decode(text, start)[1], start

    def _parts_of(self, path: Path) -> dict[Key, tuple[int, int, int]]:
        if path not in self.parts:
            self.parts[path] = _parts(self.document.text, self._find(path)[2])
        return self.parts[path]


def _behind_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    assert found is not None, "there may be none"
    return found.end()


def _parts(text: str, at: int) -> dict[Key, tuple[int, int, int]]:
    """The places of the members or items of the value that begins there."""
    parts: dict[Key, tuple[int, int, int]] = {}
    is_object = text[at] == "{"
    at = _behind_blanks(text, at + 1) if text[at] in "{[" else len(text)
    while at < len(text) and text[at] not in "]}":
        start, key = at, cast("Key", len(parts))
        if is_object:
            key, at = _PLAIN.raw_decode(text, at)
            at = _behind_blanks(text, _behind_blanks(text, at) + 1)
        _, end = _PLAIN.raw_decode(text, at)
        parts[key] = (start, end, at)
        at = _behind_blanks(text, end)
        at = _behind_blanks(text, at + 1) if text[at] == "," else len(text)
    return parts


@dataclass(frozen=True, eq=False)
class Below(Mapping[Path, Span]):
    """The places of the parts of one part, by their paths inside it."""

    places: Mapping[Path, Span]
    key: Key

    def __getitem__(self, path: Path) -> Span:
        return self.places[(self.key, *path)]

    def __iter__(self) -> Iterator[Path]:
        return (path[1:] for path in self.places if path[:1] == (self.key,))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def parse_by_grammar(document: Document) -> JsonText:
    """The same as `parse_json`, slowly: lark reads every token. Raises `JsonError` likewise."""
    _refuse_depth(document)
    try:
        root = parse("json", document.text)
    except RefusedError as error:
        raise _not_json(document, error) from None
    return _build(document, root)


# A string, whole or cut off, or a bracket.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*\\?(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


def _refuse_depth(document: Document) -> None:
    """Looks at the brackets alone, since ten megabytes of them would take a parser minutes and gigabytes."""
    level = 0
    for found in _BRACKET.finditer(document.text):
        match found[0]:
            case "[" | "{":
                level += 1
            case "]" | "}":
                level -= 1
        if level > MOST_LEVELS:
            before = document.text[: found.start()]
            line, column = before.count("\n") + 1, found.start() - before.rfind("\n")
            raise _error(document, line, column, f"JSON nested deeper than {MOST_LEVELS} levels at {{}}")


def _not_json(document: Document, error: RefusedError) -> JsonError:
    if error.place is None:
        end = document.line_span(len(document.lines) or 1)
        return _error(document, end.line, end.end_column, "not JSON: the text ends at {} before its value is complete")
    return _error(document, *error.place, "not JSON: unexpected text at {}")


def _error(document: Document, line: int, column: int, reason: str) -> JsonError:
    text = document.lines[line - 1] if line <= len(document.lines) else ""
    span = Span(document.name, line, column, line, max(column, len(text) + 1))
    where = f"line {line}, column {column}"
    return JsonError(Gap(span, shortened(text.strip()), reason.format(where), whole=True))


def _build(document: Document, root: Node) -> JsonText:
    """Walks the tree with a stack of its own."""
    spans: dict[Path, Span] = {(): _span(document, root)}
    gaps: list[Gap] = []
    holder: list[Any] = [None]
    work: list[tuple[Node, Any, Key, Path]] = [(root, holder, 0, ())]
    while work:
        node, container, key, path = work.pop()
        if isinstance(node, str):
            container[key] = _scalar(document, node)
            continue
        parts: dict[Any, Node]
        if node.data == "array":
            parts = dict(enumerate(_children(node)))
            spans.update(((*path, index), _span(document, item)) for index, item in parts.items())
            container[key] = [None] * len(parts)
        else:
            parts = _members(document, node, path, spans, gaps)
            container[key] = dict.fromkeys(parts)
        work += [(part, container[key], name, (*path, name)) for name, part in parts.items()]
    return JsonText(holder[0], spans, tuple(gaps))


def _members(
    document: Document, node: Tree[Token], path: Path, spans: dict[Path, Span], gaps: list[Gap]
) -> dict[Any, Node]:
    """The values of an object by their keys, and where they stand."""
    members: dict[Any, Node] = {}
    for member in _children(node):
        key, value = cast("Tree[Token]", member).children
        name = _scalar(document, cast("Token", key))
        if name in members:
            reason = f"the key {shortened(name)!r} stands twice; the last one counts"
            gaps.append(Gap(_span(document, member), shortened(name), reason))
        members[name] = value
        spans[(*path, name)] = _span(document, member)
    return members


def _children(node: Tree[Token]) -> list[Node]:
    # Between the brackets; where there are none, lark holds a place for them.
    return [child for child in node.children[1:-1] if child is not None]


def _scalar(document: Document, token: Token) -> Any:
    try:
        value = json.loads(token)
    except ValueError:
        # Python reads no integer of more than 4300 digits.
        raise _error(document, token.line or 1, token.column or 1, "a number of too many digits at {}") from None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _span(document: Document, node: Node) -> Span:
    first, last = _end(node, 0), _end(node, -1)
    return Span(document.name, first.line or 1, first.column or 1, last.end_line or 1, last.end_column or 1)


def _end(node: Node, index: int) -> Token:
    """The first or the last token of a part."""
    while not isinstance(node, str):
        node = node.children[index]
    return node
