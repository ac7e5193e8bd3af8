"""The findings as a code quality report of GitLab (``artifacts:reports:codequality``).

The members are those of GitLab's page "Code Quality", which takes an array of them and nothing else: what kept the
report from being complete has no place in it, and the exit code tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from icclint.output.alert import alert_hash
from icclint.output.visible import visible
from icclint.report import Report, ReportedFinding

_SEVERITIES: Mapping[str, str] = {"high": "critical", "medium": "major", "low": "minor", "note": "info"}


def render_gitlab(report: Report) -> Iterator[str]:
    """The array, a line for each finding."""
    yield "["
    for number, finding in enumerate(report.findings, start=1):
        comma = "," if number < len(report.findings) else ""
        yield json.dumps(_issue(finding), ensure_ascii=False) + comma
    yield "]"


def _issue(finding: ReportedFinding) -> dict[str, object]:
    place = finding.location
    return {
        "description": visible(finding.message),
        "check_name": finding.rule,
        "fingerprint": alert_hash(finding),
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": visible(place.document), "lines": {"begin": place.line, "end": place.end_line}},
    }
