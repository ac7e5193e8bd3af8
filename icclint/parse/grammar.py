"""Opens the grammars, each once a process, and lark with the first one: most captures are read without it.

lark's parser cache is not used: it unpickles a file at a guessable path in the temporary folder.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark


@cache
def open_grammar(name: str) -> Lark:
    """The LALR parser of ``icclint_grammars/NAME.lark``. Raises FileNotFoundError if it is not installed."""
    from lark import Lark  # noqa: PLC0415

    # lark reports a missing grammar package as an undefined rule; say what is so instead.
    if not files("icclint_grammars").joinpath(f"{name}.lark").is_file():
        raise FileNotFoundError(f"grammar {name}.lark is not installed with icclint_grammars")
    # Every token knows its place; to ask lark for those of the trees too would cost a third of the time.
    return Lark.open_from_package("icclint_grammars", f"{name}.lark", parser="lalr")
