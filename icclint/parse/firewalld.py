"""Zones and policies as ``firewall-cmd --list-all``, ``--list-all-zones`` and ``--list-all-policies`` show them.

Shape: firewalld, src/firewall/command.py, print_zone_policy_info.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from icclint.parse.gaps import Gaps
from icclint.source import Document, Gap, Span

_HEAD = re.compile(r"(?P<name>[\w-]+)(?: \((?P<state>[a-z, ]+)\))?$")
_SETTING = re.compile(r"  (?P<key>[a-z][a-z -]*):(?: (?P<values>.*))?$")
_RICH_RULE = re.compile(r"\t(?P<rule>\S.*)$")
_RICH_RULES = "rich rules"


@dataclass
class ShownPart:
    """One zone or policy as written."""

    name: str
    active: bool
    span: Span
    settings: dict[str, list[str]] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["zone", "policy"]:
        """Policies stand between zones, which only they name."""
        return "policy" if "ingress-zones" in self.settings else "zone"


def looks_like_firewalld(lines: Iterable[str]) -> bool:
    """Whether lines have what every zone and policy shows."""
    return {"  target", f"  {_RICH_RULES}"} <= {line.partition(":")[0] for line in lines}


def parse_firewalld(document: Document) -> tuple[tuple[ShownPart, ...], tuple[Gap, ...]]:
    """The zones and policies, and the lines that firewall-cmd does not print."""
    parts: list[ShownPart] = []
    gaps = Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        text = line.rstrip()
        setting = _SETTING.match(text) if parts else None
        rule = _RICH_RULE.match(text) if parts else None
        if head := _HEAD.match(text):
            active = "active" in (head["state"] or "").split(", ")
            parts.append(ShownPart(head["name"], active, document.text_span(number)))
        elif setting is not None:
            parts[-1].settings[setting["key"]] = (setting["values"] or "").split()
        elif rule is not None:
            parts[-1].settings.setdefault(_RICH_RULES, []).append(rule["rule"])
        elif text:
            gaps.foreign(number, "not a line that firewall-cmd prints of a zone or a policy")
            continue
        gaps.understood()
    return tuple(parts), gaps.all()
