"""JSON with positions, for what ``docker network inspect`` prints.

Python's own reader forgets where a value stood and takes the last of two equal keys without a word; evidence
must not be read like that, so the text goes through a lark grammar that keeps every place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lark import Token
from lark.exceptions import UnexpectedInput, UnexpectedToken

from icclint.parse.gaps import shortened
from icclint.parse.grammar import open_grammar
from icclint.source import Document, Gap, Span

if TYPE_CHECKING:
    from lark import Tree

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
    _refuse_depth(document)
    try:
        root = open_grammar("json").parse(document.text)
    except UnexpectedInput as error:
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


def _not_json(document: Document, error: UnexpectedInput) -> JsonError:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        end = document.line_span(len(document.lines) or 1)
        return _error(document, end.line, end.end_column, "not JSON: the text ends at {} before its value is complete")
    return _error(document, error.line, error.column, "not JSON: unexpected text at {}")


def _error(document: Document, line: int, column: int, reason: str) -> JsonError:
    text = document.lines[line - 1] if line <= len(document.lines) else ""
    span = Span(document.name, line, column, line, max(column, len(text)) + 1)
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
        if isinstance(node, Token):
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
    while not isinstance(node, Token):
        node = node.children[index]
    return node
