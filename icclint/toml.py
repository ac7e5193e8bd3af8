"""TOML with lines: what Python's own reader finds in a text, and where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

Key = str | int
Values = Mapping[str, Any]


class TomlError(Exception):
    """The bytes are not TOML. ``line`` is where that shows."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


_PLACE = re.compile(r"(?P<reason>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)


def parse_toml(content: bytes) -> Values:
    """The values of a document. Raises `TomlError`."""
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise TomlError("not UTF-8", content[: error.start].count(b"\n") + 1) from None
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.fullmatch(str(error))
        last = content.rstrip().count(b"\n") + 1
        if found is None:
            raise TomlError(f"not TOML: {error}", last) from None
        raise TomlError(f"not TOML: {found['reason']}", int(found["line"] or last)) from None
    except (ValueError, RecursionError):
        # What TOML allows, and Python's reader does not say the place of.
        last = content.rstrip().count(b"\n") + 1
        raise TomlError("a number of too many digits, or values nested too deeply", last) from None


def value_at(values: Any, path: Iterable[Key]) -> Any:
    """The value at a path of keys and positions; None where there is none."""
    for key in path:
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def line_of(content: bytes, path: tuple[Key, ...]) -> int:
    """The line at which the value at a path of a TOML document begins; of the nearest table around it where it is none.

    Python's reader keeps no places. But the lines before a value are TOML too, and with the value's last line it is
    there.
    """
    text = content.decode()
    while path and value_at(tomllib.loads(text), path) is None:
        path = path[:-1]
    lines = text.split("\n")
    begins = 1
    for number in range(1, len(lines) + 1):
        values = _read_so_far("\n".join(lines[:number]))
        if values is None:
            continue
        if value_at(values, path) is not None:
            return begins
        begins = number + 1
    return begins


def _read_so_far(text: str) -> Values | None:
    """The values of a text that may end between the items of a list; None where it ends within another value."""
    for ending in ("", "\n]"):
        try:
            return tomllib.loads(text + ending)
        except tomllib.TOMLDecodeError:
            continue
    return None
