"""Reads text by the grammars, each opened once a process, and lark with the first one: most captures need neither.

lark's parser cache is not used: it unpickles a file at a guessable path in the temporary folder.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    Branch = Tree[Token]


class RefusedError(ValueError):
    """A text that a grammar does not take. ``line`` and ``column`` say where; None where it ends too early."""

    def __init__(self, place: tuple[int, int] | None) -> None:
        super().__init__("the text ends too early" if place is None else f"line {place[0]}, column {place[1]}")
        self.place = place


def parse(name: str, text: str) -> Branch:
    """lark's tree of a text by ``icclint_grammars/NAME.lark``. Raises `RefusedError`."""
    from lark.exceptions import UnexpectedInput, UnexpectedToken  # noqa: PLC0415

    try:
        return open_grammar(name).parse(text)
    except UnexpectedInput as error:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        raise RefusedError(None if at_end else (error.line, error.column)) from None


@cache
def open_grammar(name: str) -> Lark:
    """The LALR parser of ``icclint_grammars/NAME.lark``. Raises FileNotFoundError if it is not installed."""
    from lark import Lark  # noqa: PLC0415

    # lark reports a missing grammar package as an undefined rule; say what is so instead.
    if not files("icclint_grammars").joinpath(f"{name}.lark").is_file():
        raise FileNotFoundError(f"grammar {name}.lark is not installed with icclint_grammars")
    # Every token knows its place; to ask lark for those of the trees too would cost a third of the time.
    return Lark.open_from_package("icclint_grammars", f"{name}.lark", parser="lalr")
