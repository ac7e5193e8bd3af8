"""What a capture holds: its documents and what each was recognised by, the host that they tell of, and what is missing.

The JSON form is for scripts and reports of faults: it has the whole representation of the host, which no rule reads
more of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.ir.host import Host
from icclint.ir.ruleset import Ruleset
from icclint.lower.host import lower_host
from icclint.output.visible import visible
from icclint.parse.iptables import looks_like_rules
from icclint.parse.kind import NOT_KNOWN, Kind
from icclint.parse.sysctl import looks_like_sysctl
from icclint.report import Report
from icclint.rule import Rule
from icclint.source import Document

_LONGEST_EVIDENCE = 60


@dataclass(frozen=True, slots=True)
class Shown:
    """One capture, the host that it tells of, and what the rules cannot tell of it."""

    capture: Capture
    host: Host
    report: Report

    def text(self) -> Iterator[str]:
        """For people, line by line."""
        layout = f" ({self.capture.layout})" if self.capture.layout else ""
        yield f"{visible(self.capture.host)}{layout}"
        rows = [
            (visible(document.name), kind.value, str(len(document.lines)), visible(evidence(document, kind)))
            for document, kind in self.capture.documents
        ]
        yield from _table(("DOCUMENT", "KIND", "LINES", "RECOGNISED BY"), rows)
        yield from (f"  {line}" for line in _facts(self.host))
        for reason, count in sorted(Counter(file.reason for file in self.capture.passed_over).items()):
            yield f"  passed over: {count:,} {'file' if count == 1 else 'files'}, {visible(reason)}"
        for gap in self.report.gaps:
            yield f"  gap {visible(gap.location.document)}:{gap.location.line}: {visible(gap.reason)}"
        for command, rules in self._missing().items():
            yield f"  missing: {visible(command)}"
            yield f"    not assessed without it: {', '.join(rules)}"

    def plain(self) -> dict[str, Any]:
        """For programs: nothing but JSON values."""
        return {
            "host": self.capture.host,
            "layout": self.capture.layout,
            "documents": [
                {
                    "name": document.name,
                    "kind": kind.value,
                    "evidence": evidence(document, kind),
                    "sha256": document.sha256,
                    "bytes": len(document.content),
                    "lines": len(document.lines),
                }
                for document, kind in self.capture.documents
            ],
            "passed_over": [{"name": file.name, "reason": file.reason} for file in self.capture.passed_over],
            "gaps": [gap.model_dump(mode="json") for gap in self.report.gaps],
            "not_assessed": [word.model_dump(mode="json") for word in self.report.not_assessed],
            "ir": plain(self.host),
        }

    def _missing(self) -> dict[str, list[str]]:
        """The commands whose outputs are missing, each with the rules that ask for it."""
        missing: dict[str, list[str]] = {}
        for word in self.report.not_assessed:
            rules = missing.setdefault(word.capture_with or word.reason, [])
            if word.rule not in rules:
                rules.append(word.rule)
        return missing


def show(capture: Capture, rules: Sequence[Rule]) -> Shown:
    """What a capture holds, and what some rules cannot tell of it."""
    host, _ = lower_host(capture.host, capture.documents)
    return Shown(capture, host, check([capture], rules))


def evidence(document: Document, kind: Kind) -> str:
    """What a document was recognised by: the line that tells, or what else does."""
    if kind is Kind.UNKNOWN:
        return NOT_KNOWN
    if not document.text.strip():
        return "its name; it is empty"
    if kind in _JSON_KEYS:
        return f"JSON with {_JSON_KEYS[kind]}"
    tells = _TELLS.get(kind, str.strip)
    number, line = next((pair for pair in enumerate(document.lines, start=1) if tells(pair[1])), (1, ""))
    line = " ".join(line.split())
    return f"line {number}: {line if len(line) <= _LONGEST_EVIDENCE else line[: _LONGEST_EVIDENCE - 1] + '…'}"


_JSON_KEYS: Mapping[Kind, str] = {
    Kind.NETWORKS: "Name, Driver and IPAM",
    Kind.CONTAINERS: "Id, Name and HostConfig",
    Kind.INTERFACES_JSON: "ifname",
    Kind.ROUTES_JSON: "dst",
}
_TELLS: Mapping[Kind, Callable[[str], object]] = {
    Kind.IPTABLES: lambda line: looks_like_rules((line,)),
    Kind.SYSCTL: lambda line: looks_like_sysctl([line]),
}


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _facts(host: Host) -> Iterator[str]:
    if not host.rulesets:
        yield "rules: not captured"
    for ruleset in host.rulesets:
        variant = f", {ruleset.variant}" if ruleset.variant else ""
        yield f"rules (IPv{ruleset.family}{variant}): {_tables(ruleset)}"
    for name, values in (
        ("networks", host.networks),
        ("containers", host.containers),
        ("settings", host.sysctls),
        ("interfaces", host.interfaces),
        ("routes", host.routes),
        ("tables of nftables' own", host.native_tables),
    ):
        yield f"{name}: {'not captured' if values is None else len(values)}"


def _tables(ruleset: Ruleset) -> str:
    words = []
    for name, table in sorted(ruleset.tables.items()):
        rules = sum(len(chain.rules) for chain in table.chains.values())
        words.append(f"{name} {rules} in {len(table.chains)} chains{'' if table.complete else ' (in part)'}")
    return ", ".join(words) or "none"


def plain(value: Any) -> Any:
    """A value of the representation as JSON has it: a span as ``DOCUMENT:LINE:COLUMN``, a path of keys as a JSON
    Pointer (RFC 6901), sets in order.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {_key(key): plain(value[key]) for key in sorted(value, key=_key)}
    if isinstance(value, AbstractSet):
        return sorted(map(plain, value), key=str)
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    # Spans, addresses and networks.
    return str(value)


def _key(key: object) -> str:
    if not isinstance(key, tuple):
        return str(key)
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in key)
