"""JSON with positions, for what ``docker network inspect`` prints.

Python's own reader forgets where a value stood and takes the last of two equal keys without a word; evidence
must not be read like that, so the text goes through a lark grammar that keeps every place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lark.exceptions import UnexpectedInput, UnexpectedToken

from icclint.parse.grammar import open_grammar
from icclint.source import Document, Gap, Span

if TYPE_CHECKING:
    from lark import Token, Tree

Key = str | int
Path = tuple[Key, ...]


@dataclass(frozen=True)
class JsonText:
    """A JSON value and the place of each of its parts.

    ``value`` is what ``json.loads`` would give. ``spans`` maps the path of each value to its place; for a
    member of an object that is its key and its value together. ``gaps`` names keys that stand twice.
    """

    value: Any
    spans: dict[Path, Span]
    gaps: tuple[Gap, ...] = ()


class JsonError(Exception):
    """The text is not JSON. ``gap`` says where and why."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(f"{gap.span}: {gap.reason}")
        self.gap = gap


def parse_json(document: Document) -> JsonText:
    """The JSON value of a document. Raises `JsonError` where the text is not JSON, or is cut off."""
    try:
        root = open_grammar("json").parse(document.text)
    except UnexpectedInput as error:
        raise JsonError(_error(document, error)) from None
    return _build(document, root)


def _error(document: Document, error: Any) -> Gap:
    lines = document.lines
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if at_end:
        line = len(lines) or 1
        column = len(lines[-1]) + 1 if lines else 1
        reason = f"not JSON: the text ends at line {line}, column {column} before its value is complete"
    else:
        line, column = error.line, error.column
        reason = f"not JSON: unexpected text at line {line}, column {column}"
    text = lines[line - 1] if line <= len(lines) else ""
    return Gap(Span(document.name, line, column, line, max(column, len(text)) + 1), text.strip(), reason, whole=True)


def _build(document: Document, root: Tree[Token] | Token) -> JsonText:
    """Walks the tree with a stack of its own: evidence may be nested deeper than Python's."""
    spans: dict[Path, Span] = {(): _span(document, root)}
    gaps: list[Gap] = []
    holder: list[Any] = [None]
    work: list[tuple[Any, Any, Key, Path]] = [(root, holder, 0, ())]
    while work:
        node, container, key, path = work.pop()
        if isinstance(node, str):
            container[key] = _text(json.loads(node))
        elif node.data == "array":
            items = [child for child in node.children if child is not None]
            container[key] = [None] * len(items)
            for index, item in enumerate(items):
                spans[(*path, index)] = _span(document, item)
                work.append((item, container[key], index, (*path, index)))
        else:
            members: dict[str, Any] = {}
            container[key] = members
            for member in node.children:
                if member is None:
                    continue
                name = _text(json.loads(member.children[0]))
                if name in members:
                    gaps.append(
                        Gap(
                            _span(document, member),
                            name,
                            f"the key {name!r} stands twice; the last one counts",
                        )
                    )
                members[name] = None
                spans[(*path, name)] = _span(document, member)
            # Built in reverse, so that of two equal keys the last one is the one that stays.
            for member in reversed([child for child in node.children if child is not None]):
                name = _text(json.loads(member.children[0]))
                work.append((member.children[1], members, name, (*path, name)))
    return JsonText(holder[0], spans, tuple(gaps))


def _text(value: Any) -> Any:
    """A value without halves of surrogate pairs, which JSON can escape and no encoding can write."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


def _span(document: Document, node: Any) -> Span:
    place = node if isinstance(node, str) else node.meta
    return Span(document.name, place.line, place.column, place.end_line, place.end_column)  # type: ignore[union-attr]
