"""What ``ps`` prints of dockerd, and the command line of dockerd by itself.

Shape: procps, man ps, OUTPUT MODIFIERS and STANDARD FORMAT SPECIFIERS: the command is the last column.
"""

from __future__ import annotations

import re
from itertools import dropwhile

from icclint.parse.daemon import DaemonSettings, Word, directives, is_dockerd
from icclint.source import Document, Span

_COMMAND = ("COMMAND", "CMD", "ARGS")
# What `ps f` draws before a process whose parent is shown too.
_BRANCH = re.compile(r"[|\\_]+")


def looks_like_processes(lines: list[str]) -> bool:
    """Whether the first line that says anything is the head of ``ps``, or a command line of dockerd."""
    first = next((line for line in lines if line.strip()), "")
    return _is_head(first) or is_dockerd(first.split())


def parse_processes(document: Document) -> tuple[DaemonSettings, ...]:
    """What each dockerd among the processes was told. ``ps`` shows no quotes, so a blank always parts two words."""
    found: list[DaemonSettings] = []
    columns = 0
    for number, line in enumerate(document.lines, start=1):
        if _is_head(line):
            columns = len(line.split()) - 1
            continue
        words = [
            Word(word[0], Span(document.name, number, word.start() + 1, number, word.end() + 1))
            for word in re.finditer(r"\S+", line)
        ][columns:]
        if columns:
            words = list(dropwhile(lambda word: _BRANCH.fullmatch(word.text), words))
        if is_dockerd([word.text for word in words]):
            span = Span(document.name, number, words[0].span.column, number, words[-1].span.end_column)
            found.append(DaemonSettings("process", span, tuple(directives(words[1:]))))
    return tuple(found)


def _is_head(line: str) -> bool:
    titles = line.split()
    return len(titles) > 1 and titles[-1] in _COMMAND and "PID" in titles
