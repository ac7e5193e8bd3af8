"""``nft list ruleset``: which tables there are. Their rules are not read yet.

Native tables have a say beside those of iptables: a packet must pass the base chains of all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from icclint.source import Document, Span

_TABLE = re.compile(r"\s*table (?P<family>ip6?|inet|arp|bridge|netdev) (?P<name>\S+) \{")
_HOOK = re.compile(r"\s*type \w+ hook (?:prerouting|forward|postrouting|ingress|egress)\b")
# The tables that iptables-nft keeps its rules in (iptables, iptables/nft.c, xtables_ipv4).
_OF_IPTABLES = frozenset(("raw", "mangle", "nat", "filter", "security"))


@dataclass(frozen=True, slots=True)
class NativeTable:
    """A table that iptables did not make, and that a forwarded packet meets."""

    family: str
    name: str
    span: Span


def parse_nftables(document: Document) -> tuple[NativeTable, ...]:
    """The native tables with a hook on a forwarded packet's way."""
    found: list[NativeTable] = []
    current: NativeTable | None = None
    for number, line in enumerate(document.lines, start=1):
        table = _TABLE.match(line)
        if table:
            current = NativeTable(table["family"], table["name"], document.line_span(number))
            if table["family"] in ("ip", "ip6") and table["name"] in _OF_IPTABLES:
                current = None
        elif current is not None and _HOOK.match(line):
            found.append(current)
            current = None
    return tuple(found)


def looks_like_nftables(lines: list[str]) -> bool:
    """Whether the first line that says anything opens a table of nftables."""
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return _TABLE.match(first) is not None
