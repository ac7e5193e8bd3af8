"""The report as comma-separated values (RFC 4180): a row for each thing that there is to say, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from icclint.output.visible import visible
from icclint.report import Report, ReportedFinding, ReportedGap, ReportedLocation


class _Row(NamedTuple):
    """``outcome`` is broken, accepted, not assessed, gap or crash. The names of the members head the table."""

    outcome: str
    severity: str = ""
    confidence: str = ""
    state: str = ""
    rule: str = ""
    host: str = ""
    subject: str = ""
    message: str = ""
    document: str = ""
    line: str = ""
    column: str = ""
    packet: str = ""
    assumptions: str = ""
    capture_with: str = ""
    remedy: str = ""
    fingerprint: str = ""


def render_csv(reports: Iterable[Report]) -> Iterator[str]:
    """The table, row by row. Lists stand in one cell, with `` | `` between their items."""
    complete = True
    yield _line(_Row._fields)
    for report in reports:
        yield from map(_line, _rows(report))
        complete &= report.complete
    if not complete:
        yield _line(_Row("gap", message="a path that was named gave no capture"))


def _rows(report: Report) -> Iterator[_Row]:
    yield from map(_broken, (*report.findings, *report.accepted))
    for word in report.not_assessed:
        yield _Row(
            "not assessed",
            rule=word.rule,
            host=word.host,
            subject=word.subject,
            message=word.reason,
            capture_with=word.capture_with or "",
        )
    yield from map(_gap, report.gaps)
    for crash in report.crashes:
        yield _Row("crash", rule=crash.rule, host=crash.host, message=_listed(*crash.error.splitlines()))


def _broken(finding: ReportedFinding) -> _Row:
    return _Row(
        "accepted" if finding.acceptance else "broken",
        severity=finding.severity,
        confidence=finding.confidence,
        state=finding.state or "",
        rule=finding.rule,
        host=finding.host,
        subject=finding.subject,
        message=finding.message,
        **_place(finding.location),
        packet=finding.packet.text if finding.packet else "",
        assumptions=_listed(*(assumption.text for assumption in finding.assumptions)),
        capture_with=_listed(*(one.capture_with for one in finding.assumptions if one.capture_with)),
        remedy=_listed(*finding.remedy),
        fingerprint=finding.fingerprint,
    )


def _gap(gap: ReportedGap) -> _Row:
    message = f"{gap.reason}: {gap.text}" if gap.text else gap.reason
    return _Row("gap", host=gap.host, message=message, **_place(gap.location))


def _place(location: ReportedLocation) -> dict[str, str]:
    return {"document": location.document, "line": str(location.line), "column": str(location.column)}


def _listed(*texts: str) -> str:
    return " | ".join(texts)


def _line(row: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(map(_cell, row))
    return text.getvalue()


def _cell(text: str) -> str:
    """Captured text in a cell. Spreadsheets take what begins so for a formula, unless an apostrophe stands first."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
