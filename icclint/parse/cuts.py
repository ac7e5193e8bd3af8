"""Marks that people leave where they took something out of an output."""

from __future__ import annotations

import re

# No line of dots can be read in two ways, or a long one would be tried in all of them.
_DOTS = r"(?:\.{3,}+|…)"
_WORDS = r"(?:snip(?:ped)?|cut|truncated|omitted|elided|removed|trimmed|shortened|skipped)"
_CUT = re.compile(
    rf"\s*(?:[#/;]+\s*)?(?:{_DOTS}\s*)*"
    rf"(?:{_DOTS}"
    rf"|\[\s*[-.… ]*(?:\b{_WORDS}\b[^\]\"]*)?[-.… ]*\]"
    rf"|<[^<>\"]*\b{_WORDS}\b[^<>\"]*>"
    rf"|\([^()\"]*\b{_WORDS}\b[^()\"]*\)"
    rf"|[-=*~]{{2,}}\s*8<[-=*~8<\s]*|[-=*~]{{2,}}\s*{_WORDS}\b[^\"]*"
    r"|--\s*[Mm]ore\s*--)"
    rf"\s*{_DOTS}*[\s,]*",
    re.IGNORECASE,
)


_LONGEST = 200
"""No mark is longer."""


def is_cut(line: str) -> bool:
    """Whether a line stands for others: ``...``, ``[snip]``, ``…<Additional output removed for brevity>…``."""
    return len(line) <= _LONGEST and line.strip() not in ("", "[]", "[ ]") and _CUT.fullmatch(line) is not None
