"""The grammar of dumps at the speed that large dumps need, and without lark where all was read before.

A dump of a hundred thousand lines has a few dozen shapes, which differ in their values only. lark reads the first line
of each shape, and the lines after it are read as that one was. What dumps of Docker hosts usually hold it has read
before icclint was packed: ``icclint_grammars/shapes.json`` is made by ``docs/generate.py``, and a test holds it to the
grammar.

That is exact, since every token of the grammar is a whole word, or the colon before one, and which token a word becomes
hangs on the parser's state and on which terminals match the word, and of what follows on nothing but whether it begins
with a hyphen. Two lines whose words are matched by the same terminals take the parser through the same states. Nothing
here knows an option: the terminals are the grammar's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from icclint.parse.dump import Command, OptionShape, Shape, words_of
from icclint.source import Span

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    Branch = Tree[Token]

MOST_SHAPES = 10_000
"""How many shapes are remembered; a dump that was made to have more is read by lark alone from there on."""
MOST_WORDS = 200_000
"""Of how many words is remembered what matches them, before that is begun anew."""


class Shapes:
    """The shapes of the lines that a grammar has read. ``terminals`` are the patterns of all its terminals."""

    def __init__(self, terminals: Iterable[str]) -> None:
        self.known: dict[str, Shape] = {}
        self.signatures = _Signatures(terminals)

    def find(self, text: str) -> tuple[Shape, list[str]] | None:
        """The shape of a line and its words, if it has one that is known."""
        words = words_of(text)
        if words is None:
            return None
        shape = self.known.get(self._key(words))
        return None if shape is None else (shape, words)

    def command(self, tree: Branch, text: str, span: Span) -> Command:
        """The command that lark's tree of a line is; from here on lines like it have a known shape."""
        tokens: list[Token] = list(tree.scan_values(lambda _: True))
        # The colon before the name of a chain is a token of its own, which trees leave out.
        colon = ":" if tree.data == "chain" else ""
        columns = [_column(token, colon) for token in tokens]
        words = [f"{colon}{token}" if token.type == "CHAIN" else str(token) for token in tokens]
        shape = _shape(tree, colon, {column: place for place, column in enumerate(columns)})
        if words == words_of(text) and len(self.known) < MOST_SHAPES:
            self.known[self._key(words)] = shape
        return shape.command(words, span, text.strip())

    def _key(self, words: Iterable[str]) -> str:
        return " ".join(map(self.signatures.__getitem__, words))


@cache
def usual_shapes() -> Shapes:
    """The shapes that were read when icclint was packed. They are the process's own, and it may add to them."""
    packed = json.loads(files("icclint_grammars").joinpath("shapes.json").read_text("utf-8"))
    shapes = Shapes(packed["terminals"])
    shapes.known = {key: _unpacked(shape) for key, shape in packed["shapes"].items()}
    return shapes


def pack(grammar: Lark, lines: Iterable[str]) -> dict[str, Any]:
    """What `usual_shapes` reads, of some lines that the grammar reads. Raises lark's UnexpectedInput."""
    terminals = [terminal.pattern.to_regexp() for terminal in grammar.terminals]
    shapes = Shapes(terminals)
    for line in lines:
        shapes.command(grammar.parse(line), line, Span("", 1, 1, 1, 1))
    return {"terminals": terminals, "shapes": {key: astuple(shape) for key, shape in sorted(shapes.known.items())}}


def _unpacked(shape: Sequence[Any]) -> Shape:
    kind, name, prefix, policy, position, counters, options, target = shape
    return Shape(kind, name, prefix, policy, position, tuple(counters), tuple(map(_unpacked_option, options)), target)


def _unpacked_option(option: Sequence[Any]) -> OptionShape:
    name, keyword, negated, values, typed, first, last = option
    return OptionShape(name, keyword, negated, tuple(values), typed, first, last)


class _Signatures(dict[str, str]):
    """What matches a word: its terminals. A word that looks like an option stands for itself, and so does ``!``, which
    is another terminal before an option than before a value.
    """

    def __init__(self, terminals: Iterable[str]) -> None:
        # What begins with a literal hyphen matches no other word.
        values = [pattern for pattern in terminals if not re.match(r"\(?-", pattern)]
        self.whole = _Terminals(values, "")
        self.behind = _Terminals(values, ":")

    def __missing__(self, word: str) -> str:
        signature = word if word.startswith("-") or word == "!" else self._of_value(word)
        if len(self) >= MOST_WORDS:
            self.clear()
        self[word] = signature
        return signature

    def _of_value(self, word: str) -> str:
        if "\0" in word:
            return "NUL"
        signature = self.whole.matching(word)
        return f"{signature}:{self.behind.matching(word)}" if word.startswith(":") else signature


class _Terminals:
    """Which of some patterns match all of a word behind its first characters."""

    def __init__(self, patterns: Iterable[str], start: str) -> None:
        named = [rf"(?:(?={start}(?:{pattern})\Z)(?P<matches_{n}>))?" for n, pattern in enumerate(patterns)]
        self.pattern = re.compile("".join(named))
        # The patterns have groups of their own.
        self.groups = tuple(self.pattern.groupindex.values())
        self.numbers: dict[tuple[str | None, ...], str] = {}

    def matching(self, word: str) -> str:
        """The numbers of the patterns."""
        found = self.pattern.match(word)
        assert found is not None, "each of its parts may be left out"
        groups = found.group(*self.groups)
        if groups not in self.numbers:
            self.numbers[groups] = ".".join(str(n) for n, group in enumerate(groups) if group is not None)
        return self.numbers[groups]


def _column(token: Token, colon: str) -> int:
    """Where the word begins that a token is."""
    assert token.column is not None, "lark gives every token its place"
    return token.column - (len(colon) if token.type == "CHAIN" else 0)


def _shape(tree: Branch, colon: str, places: Mapping[int, int]) -> Shape:
    words: dict[str, int] = {}
    counters: tuple[int, ...] = ()
    options: list[OptionShape] = []
    target = None
    for child in tree.children:
        # A token is a str, and a tree is not.
        if isinstance(child, str):
            words[child.type] = places[_column(child, colon)]
            continue
        tokens = cast("list[Token]", child.children)
        own = [places[_column(token, "")] for token in tokens]
        if child.data in ("counters", "packet_counters"):
            counters = tuple(own[-2:])
            continue
        options.append(_option(str(child.data), tokens, own))
        if target is None and child.data in ("jump", "goto"):
            target = own[-1]
    kind = str(tree.data)
    return Shape(
        kind={"chain": "policy", "new_chain": "declare"}.get(kind, kind),
        name=words.get("CHAIN", 0),
        prefix=1 if kind == "table" else len(colon),
        policy=words.get("POLICY"),
        position=words.get("NUMBER"),
        counters=counters,
        options=tuple(options),
        target=target,
    )


# Options whose grammar rule asks for a terminal of its own; another terminal is a value out of shape.
_TYPED = {
    "source": "ADDRESS",
    "destination": "ADDRESS",
    "source_port": "PORTS",
    "destination_port": "PORTS",
    "multiport_source": "PORTS",
    "multiport_destination": "PORTS",
    "multiport_either": "PORTS",
    "mark": "NUMBER_AND_MASK",
    "set_mark": "NUMBER_AND_MASK",
}


def _option(name: str, tokens: Sequence[Token], places: Sequence[int]) -> OptionShape:
    words = [(t, place) for t, place in zip(tokens, places, strict=True) if t.type not in ("NOT", "NOT_VALUE")]
    return OptionShape(
        name=name,
        keyword=words[0][1],
        negated=len(words) < len(tokens),
        values=tuple(place for _, place in words[1:]),
        typed=name not in _TYPED or words[1][0].type == _TYPED[name],
        first=places[0],
        last=places[-1],
    )
