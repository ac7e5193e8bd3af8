"""Unified diffs of dumps, as ``diff -u`` and ``git diff`` write them: the dump before, and the dump after."""

from __future__ import annotations

import re
from collections.abc import Iterator

from icclint.source import Document

_CHANGED = re.compile(r"[+-](?:-[APN] \S|\[\d+:\d+\] -A \S|:\S+ (?:[A-Z]+|-)(?: \[|$)|\*(?:filter|nat|mangle|raw)$)")
_PLAIN = re.compile(r"-[APN] \S|:\S+ (?:[A-Z]+|-) \[|\*(?:filter|nat|mangle|raw)$")
_HEAD = re.compile(r"(?:diff |index |--- |\+\+\+ |\\ No newline)")
_HUNK = re.compile(r"@@ -(?P<first>\d+)")
LEFT_OUT = "…"
"""What stands for the lines that a diff does not show."""


def looks_like_diff(lines: list[str]) -> bool:
    """Whether lines of a dump have the marks of a diff in front of them."""
    return any(_CHANGED.match(line) for line in lines) and not any(_PLAIN.match(line) for line in lines)


def sides(document: Document) -> tuple[Document, ...]:
    """The document before the change and the one after it; the second alone where nothing was taken away."""
    lines = list(document.lines)
    taken = any(line.startswith("-") and not _HEAD.match(line) for line in lines)
    return tuple(
        Document(document.name, b"", plain="\n".join(_side(lines, mark)), file=document)
        for mark in (("-", "+") if taken else ("+",))
    )


def _side(lines: list[str], mark: str) -> Iterator[str]:
    """One side, with a blank in place of each mark."""
    open_end = False
    for line in lines:
        hunk = _HUNK.match(line)
        if hunk is not None:
            yield "" if not open_end and hunk["first"] in ("0", "1") else LEFT_OUT
            open_end = True
        elif _HEAD.match(line) or line[:1] not in (mark, " "):
            yield ""
        else:
            yield f" {line[1:]}"
            # What follows a COMMIT is another table, or nothing.
            open_end = open_end and line[1:] != "COMMIT"
    if open_end:
        yield LEFT_OUT
