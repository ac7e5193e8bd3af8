"""The report as Markdown with tables, for the summary of a job or for a comment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from icclint.output.proof import marked
from icclint.output.visible import visible
from icclint.report import Report, ReportedFinding, ReportedLocation


def render_markdown(report: Report) -> Iterator[str]:
    """What is broken, and what cannot be told and why, as tables; the packet and the path are in the other formats."""
    yield f"## icclint: {_verdict(report)}"
    yield ""
    if report.findings:
        yield from table(("severity", "rule", "host", "finding", "place"), map(_row, report.findings))
    if report.accepted:
        reasons = ((*_row(one), one.acceptance.reason if one.acceptance else "") for one in report.accepted)
        yield from table(("accepted", "rule", "host", "finding", "place", "reason"), reasons)
    if report.not_assessed:
        yield from table(
            ("not assessed", "host", "of", "why", "capture with"),
            ((w.rule, w.host, w.subject, w.reason, w.capture_with or "") for w in report.not_assessed),
        )
    if report.gaps:
        yield from table(
            ("not understood", "why", "text"), ((_place(gap.location), gap.reason, gap.text) for gap in report.gaps)
        )
    if report.crashes:
        last = ((crash.rule, crash.host, crash.error.splitlines()[-1]) for crash in report.crashes)
        yield from table(("rule that failed", "host", "error"), last)
    if not report.complete:
        yield "A path that was named gave no capture, so a host may be missing."
        yield ""


def _verdict(report: Report) -> str:
    found = Counter(finding.severity for finding in report.findings)
    words = ", ".join(f"{count} {severity}" for severity, count in found.items())
    unknown = len(report.not_assessed) + len(report.gaps) + len(report.crashes)
    parts = [words or "nothing found", f"{len(report.hosts)} {'host' if len(report.hosts) == 1 else 'hosts'}"]
    return "; ".join(parts + ([f"not all could be told ({unknown})"] if unknown or not report.complete else []))


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
