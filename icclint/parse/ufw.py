"""``ufw status``, plain, verbose and numbered (ufw, src/backend_iptables.py, get_status)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from icclint.parse.gaps import Gaps
from icclint.source import Document, Gap, Span

_STATUS = re.compile(r"Status: (?P<status>active|inactive)\s*$")
_DEFAULT = re.compile(r"Default: (?P<defaults>.*)$")
_POLICY = re.compile(r"(?P<policy>\w+) \((?P<of>incoming|outgoing|routed)\)")
_OTHER = re.compile(r"(?:Logging|New profiles): |\s*(?:To\s+Action\s+From|--\s+-+\s+-+)\s*$")
_RULE = re.compile(r"(?:\[ *\d+\] )?\S.*\s(?:ALLOW|DENY|REJECT|LIMIT)\b")


@dataclass(frozen=True, slots=True)
class ShownUfw:
    """The status as written: policies by what they are about, and the lines of the rules."""

    active: bool
    defaults: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, Span], ...]
    span: Span


def looks_like_ufw(lines: list[str]) -> bool:
    """Whether the first line that says anything is the status of ufw."""
    return _STATUS.match(next((line for line in lines if line.strip()), "")) is not None


def parse_ufw(document: Document) -> tuple[ShownUfw | None, tuple[Gap, ...]]:
    """The status, and the lines that ufw does not print; None where there is no status."""
    found: ShownUfw | None = None
    defaults: list[tuple[str, str]] = []
    rules: list[tuple[str, Span]] = []
    gaps = Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        if status := _STATUS.match(line):
            found = ShownUfw(status["status"] == "active", (), (), document.text_span(number))
        elif said := _DEFAULT.match(line):
            defaults = [(policy["of"], policy["policy"]) for policy in _POLICY.finditer(said["defaults"])]
        elif _RULE.match(line):
            rules.append((line.strip(), document.text_span(number)))
        elif line.strip() and not _OTHER.match(line):
            gaps.foreign(number, "not a line that ufw status prints")
            continue
        gaps.understood()
    if found is None:
        return None, gaps.all()
    return ShownUfw(found.active, tuple(defaults), tuple(rules), found.span), gaps.all()
