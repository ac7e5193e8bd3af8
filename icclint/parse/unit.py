"""Units of systemd, as files and as ``systemctl cat`` prints them: the command line that starts dockerd.

Source: man systemd.syntax; man systemd.service, ExecStart= and COMMAND LINES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from icclint.parse.daemon import DaemonSettings, Word, directives, is_dockerd
from icclint.source import Document, Span

_SECTION = re.compile(r"\[(?:Unit|Service|Install)\]\s*$")
_EXEC_START = re.compile(r"\s*ExecStart\s*=\s*[@:+!|-]*")
_WORD = re.compile(r"(?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\\.|[^\s\\])+")
_QUOTES = re.compile(r"(\\.)|\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'")
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\})")


def looks_like_unit(lines: list[str]) -> bool:
    """Whether the first line that is no comment opens a section of a unit."""
    first = next((line for line in lines if line.strip() and not _is_comment(line)), "")
    return _SECTION.match(first) is not None


def parse_unit(document: Document) -> DaemonSettings | None:
    """The command line of dockerd, if the unit has one: the last, since a drop-in takes back those before it."""
    starts = [words for words in _exec_starts(document) if is_dockerd([word.text for word in words])]
    if not starts:
        return None
    words = starts[-1]
    first, last = words[0].span, words[-1].span
    span = Span(document.name, first.line, first.column, last.end_line, last.end_column)
    unknown = tuple(word for word in words if _VARIABLE.search(word.text))
    return DaemonSettings("unit", span, tuple(directives(words[1:])), unknown)


def _exec_starts(document: Document) -> Iterator[list[Word]]:
    """The words of each ExecStart."""
    for lines in _statements(document):
        head = _EXEC_START.match(lines[0][1])
        if head is not None:
            starts = [head.end(), *(0 for _ in lines[1:])]
            yield [
                word
                for (number, line), start in zip(lines, starts, strict=True)
                for word in _words(document, number, line, start)
            ]


def _statements(document: Document) -> Iterator[list[tuple[int, str]]]:
    """The lines of each statement with their numbers: one ends in a backslash where it goes on in the next."""
    open_lines: list[tuple[int, str]] = []
    for number, line in enumerate(document.lines, start=1):
        if _is_comment(line):
            continue
        open_lines.append((number, line.removesuffix("\\")))
        if not line.endswith("\\"):
            yield open_lines
            open_lines = []
    if open_lines:
        yield open_lines


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", ";"))


def _words(document: Document, number: int, line: str, start: int) -> Iterator[Word]:
    for found in _WORD.finditer(line, start):
        span = Span(document.name, number, found.start() + 1, number, found.end() + 1)
        yield Word(_QUOTES.sub(lambda part: part[1] or part[2] or part[3] or "", found[0]), span)
