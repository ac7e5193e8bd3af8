"""The output of ``sysctl -a`` or ``sysctl NAME...``: ``name = value``, one a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from icclint.parse.gaps import Gaps
from icclint.source import Document, Gap, Span

_SETTING = re.compile(r"\s*(?P<name>[\w-]+(?:[./][\w@:*-]+)+)\s*[=:]\s?(?P<value>.*)$")
_KNOWN = re.compile(r"\s*(?:abi|debug|dev|fs|kernel|net|user|vm)\.[\w./@:*-]+ ?[=:]")
# What procps prints for files that cannot be read, on the same terminal as its output, and comments of sysctl.conf.
_REMARK = re.compile(r"\s*(?:sysctl: |[#;])")


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
    settings, gaps = [], Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        found = _SETTING.match(line)
        if found:
            gaps.understood()
            settings.append(
                Setting(found["name"].replace("/", "."), found["value"].rstrip(), document.line_span(number))
            )
        elif line.strip() and not _REMARK.match(line):
            gaps.foreign(number, "not a line that sysctl prints")
    return SysctlDump(tuple(settings), gaps.all())


def looks_like_sysctl(lines: list[str]) -> bool:
    """Whether most lines are kernel settings."""
    return sum(1 for line in lines if _KNOWN.match(line)) * 2 > sum(1 for line in lines if line.strip())
