"""The output of ``sysctl -a`` or ``sysctl NAME...``: ``name = value``, one a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from icclint.source import Document, Gap, Span

_SETTING = re.compile(r"\s*(?P<name>[\w-]+(?:[./][\w@:*-]+)+)\s*[=:]\s?(?P<value>.*?)\s*$")
# What procps prints for files that cannot be read, on the same terminal as its output.
_REMARK = re.compile(r"\s*sysctl: ")


@dataclass(frozen=True, slots=True)
class Setting:
    """One kernel setting with its place."""

    name: str
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class SysctlDump:
    """The settings of one document, in order, and the lines that are none."""

    settings: tuple[Setting, ...]
    gaps: tuple[Gap, ...]


def parse_sysctl(document: Document) -> SysctlDump:
    """The settings of a sysctl dump. Names are dotted, as ``sysctl`` prints them."""
    settings, gaps = [], []
    for number, line in enumerate(document.lines, start=1):
        found = _SETTING.match(line)
        span = document.line_span(number)
        if found:
            settings.append(Setting(found["name"].replace("/", "."), found["value"], span))
        elif line.strip() and not _REMARK.match(line) and not line.lstrip().startswith("#"):
            gaps.append(Gap(span, line.strip(), "not a line that sysctl prints"))
    return SysctlDump(tuple(settings), tuple(gaps))


def looks_like_sysctl(lines: list[str]) -> bool:
    """Whether most lines are kernel settings."""
    found = sum(1 for line in lines if re.match(r"\s*(?:abi|debug|dev|fs|kernel|net|user|vm)\.[\w./@:*-]+ ?[=:]", line))
    return found * 2 > sum(1 for line in lines if line.strip())
