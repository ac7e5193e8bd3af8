"""The report as Markdown with tables, for the summary of a job or for a comment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from icclint.output.proof import marked
from icclint.output.visible import visible
from icclint.output.words import by_severity, count
from icclint.report import Report, ReportedFinding, ReportedLocation
from icclint.spool import Spool

_FINDING = ("rule", "host", "finding", "place")
_HEADS: Mapping[str, tuple[str, ...]] = {
    "findings": ("severity", *_FINDING),
    "accepted": ("accepted", *_FINDING, "reason"),
    "not_assessed": ("not assessed", "host", "of", "why", "capture with"),
    "gaps": ("not understood", "why", "text"),
    "crashes": ("rule that failed", "host", "error"),
}


def render_markdown(reports: Iterable[Report]) -> Iterator[str]:
    """What is broken, and what cannot be told and why, as tables; the packet and the path are in the other formats."""
    rows: dict[str, Spool[tuple[str, ...]]] = {name: Spool() for name in _HEADS}
    found = Counter[str]()
    hosts, complete = 0, True
    for report in reports:
        for name, row in _rows(report):
            rows[name].append(row)
        found.update(finding.severity for finding in report.findings)
        hosts += len(report.hosts)
        complete &= report.complete
    unknown = sum(len(rows[name]) for name in ("not_assessed", "gaps", "crashes"))
    parts = [by_severity(found) or "nothing found", count(hosts, "host")]
    yield f"## icclint: {'; '.join(parts)}{f'; not all could be told ({unknown})' if unknown or not complete else ''}"
    yield ""
    for name, told in rows.items():
        if told:
            yield from table(_HEADS[name], told)
    if not complete:
        yield "A path that was named gave no capture, so a host may be missing."
        yield ""


def _rows(report: Report) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows of a report, each with the table that it is in."""
    yield from (("findings", _row(finding)) for finding in report.findings)
    for one in report.accepted:
        yield "accepted", (*_row(one), one.acceptance.reason if one.acceptance else "")
    for word in report.not_assessed:
        yield "not_assessed", (word.rule, word.host, word.subject, word.reason, word.capture_with or "")
    yield from (("gaps", (_place(gap.location), gap.reason, gap.text)) for gap in report.gaps)
    yield from (("crashes", (one.rule, one.host, one.error.splitlines()[-1])) for one in report.crashes)


def _row(finding: ReportedFinding) -> tuple[str, ...]:
    return finding.severity, finding.rule, finding.host, marked(finding), _place(finding.location)


def _place(location: ReportedLocation) -> str:
    return f"{location.document}:{location.line}"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table with a line for its end; the cells may hold captured text."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(cell, row))} |"
    yield ""


_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&]|\A[-+#=]")
# GitHub and GitLab make links of these wherever they stand in text, also where a backslash stands before them; a
# comment between their parts is not shown and makes them text.
_LINKED = re.compile(r"(?<=[@#!$%^])(?=\w)|(?<=www)(?=\.)|(?=://)|(?<=mailto)(?=:)|(?<=xmpp)(?=:)", re.IGNORECASE)


def cell(text: str) -> str:
    """Captured text in a cell: what Markdown or HTML would read as its own is escaped."""
    escaped = _SPECIAL.sub(lambda found: f"\\{found[0]}", visible(text))
    return _LINKED.sub("<!-- -->", escaped)
