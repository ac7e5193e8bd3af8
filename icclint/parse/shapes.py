"""The grammar of dumps at the speed that large dumps need.

A dump of a hundred thousand lines has a few dozen shapes, which differ in their values only. lark reads the first line
of each shape, and the lines after it are read as that one was.

That is exact, since every token of the grammar is a whole word, or the colon before one, and which token a word becomes
hangs on the parser's state and on which terminals match the word, and of what follows on nothing but whether it begins
with a hyphen. Two lines whose words are matched by the same terminals take the parser through the same states. Nothing
here knows an option: the terminals are the grammar's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from lark import Tree

from icclint.parse.dump import Command, OptionShape, Shape, words_of

if TYPE_CHECKING:
    from lark import Lark, Token

    from icclint.source import Span

    Branch = Tree[Token]

MOST_SHAPES = 10_000
"""How many shapes are remembered; a dump that was made to have more is read by lark alone from there on."""
MOST_WORDS = 200_000
"""Of how many words is remembered what matches them, before that is begun anew."""


class Shapes:
    """The shapes of the lines that a grammar has read."""

    def __init__(self, grammar: Lark) -> None:
        self.grammar = grammar
        self.known: dict[tuple[str, ...], Shape] = {}
        self.signatures = _Signatures(grammar)

    def find(self, text: str) -> tuple[Shape, list[str]] | None:
        """The shape of a line and its words, if it has one that is known."""
        words = words_of(text)
        shape = self.known.get(tuple(map(self.signatures.__getitem__, words)))
        # What words_of leaves out of a line may be what the grammar refuses.
        return (shape, words) if shape is not None and ('"' not in text or " ".join(words) == text) else None

    def command(self, tree: Branch, text: str, span: Span) -> Command:
        """The command that lark's tree of a line is; from here on lines like it have a known shape."""
        tokens: list[Token] = list(tree.scan_values(lambda _: True))
        # The colon before the name of a chain is a token of its own, which trees leave out.
        colon = 1 if tree.data == "chain" else 0
        columns = [_column(token, colon) for token in tokens]
        words = [f":{token}" if colon and token.type == "CHAIN" else str(token) for token in tokens]
        shape = _shape(tree, colon, {column: place for place, column in enumerate(columns)})
        if words == words_of(text) and " ".join(words) == text and len(self.known) < MOST_SHAPES:
            self.known[tuple(map(self.signatures.__getitem__, words))] = shape
        return shape.command(words, columns, span, text.strip())


class _Signatures(dict[str, str]):
    """What matches a word: a word that looks like an option stands for itself, any other one for its terminals."""

    def __init__(self, grammar: Lark) -> None:
        patterns = [terminal.pattern.to_regexp() for terminal in grammar.terminals]
        # What begins with a literal hyphen matches no other word.
        values = [pattern for pattern in patterns if not re.match(r"\(?-", pattern)]
        self.whole = _Terminals(values, "")
        self.behind = _Terminals(values, ":")
        # Short names for the groups that are there: a tuple would be hashed anew for each line.
        self.named: dict[tuple[object, ...], str] = {}

    def __missing__(self, word: str) -> str:
        signature = word if word.startswith("-") else self._of_value(word)
        if len(self) >= MOST_WORDS:
            self.clear()
        self[word] = signature
        return signature

    def _of_value(self, word: str) -> str:
        if "\0" in word:
            return "NUL"
        matching = self.whole.matching(word)
        if word.startswith(":"):
            matching += self.behind.matching(word)
        return self.named.setdefault(matching, str(len(self.named)))


class _Terminals:
    """Which of some patterns match all of a word behind its first characters."""

    def __init__(self, patterns: Iterable[str], start: str) -> None:
        named = [rf"(?:(?={start}(?:{pattern})\Z)(?P<matches_{n}>))?" for n, pattern in enumerate(patterns)]
        self.pattern = re.compile("".join(named))
        # The patterns have groups of their own.
        self.groups = tuple(self.pattern.groupindex.values())

    def matching(self, word: str) -> tuple[str | None, ...]:
        found = self.pattern.match(word)
        assert found is not None, "each of its parts may be left out"
        return found.group(*self.groups)


def _column(token: Token, colon: int) -> int:
    """Where the word begins that a token is."""
    assert token.column is not None, "lark gives every token its place"
    return token.column - (colon if token.type == "CHAIN" else 0)


def _shape(tree: Branch, colon: int, places: Mapping[int, int]) -> Shape:
    words: dict[str, int] = {}
    counters: tuple[int, ...] = ()
    options: list[OptionShape] = []
    target = None
    for child in tree.children:
        if not isinstance(child, Tree):
            words[child.type] = places[_column(child, colon)]
            continue
        tokens = cast("list[Token]", child.children)
        own = [places[_column(token, 0)] for token in tokens]
        if child.data in ("counters", "packet_counters"):
            counters = tuple(own[-2:])
            continue
        options.append(_option(str(child.data), tokens, own))
        if target is None and child.data in ("jump", "goto"):
            target = own[-1]
    return Shape(
        kind={"chain": "policy", "new_chain": "declare"}.get(str(tree.data), str(tree.data)),
        chain=words["CHAIN"],
        colon=colon,
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
