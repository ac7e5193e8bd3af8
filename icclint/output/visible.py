"""Captured text that is safe to show: what steers a terminal or hides text becomes a visible escape."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
# Unassigned like many others, but for good, and no XML document may hold them.
_NO_CHARACTERS = "\ufffe\uffff"


def visible(text: str) -> str:
    """The text with control, format and separator characters as ``\\xNN`` or ``\\uNNNN``, and tabs as blanks.

    Format characters include the right-to-left marks, with which a rule can be made to read as another one.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


# What JSON lets stand in a text although it steers a terminal or hides text: DEL and C1, and marks of direction.
_STEERING = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def escaped(text: str) -> str:
    """A text in JSON that is safe to show, of the same value."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _shown(character: str) -> str:
    if character == "\t":
        return " "
    if unicodedata.category(character) not in _UNSEEN and character not in _NO_CHARACTERS:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
