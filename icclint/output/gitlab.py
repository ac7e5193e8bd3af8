"""The findings as a code quality report of GitLab (``artifacts:reports:codequality``).

The members are those of GitLab's page "Code Quality", which takes an array of them and nothing else: what kept the
report from being complete has no place in it, and the exit code tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from icclint.output.alert import alert_hash
from icclint.output.items import separated
from icclint.output.visible import visible
from icclint.report import Report, ReportedFinding

_SEVERITIES: Mapping[str, str] = {"high": "critical", "medium": "major", "low": "minor", "note": "info"}


def render_gitlab(reports: Iterable[Report]) -> Iterator[str]:
    """The array, a line for each finding."""
    yield "["
    yield from separated([_issue(finding)] for report in reports for finding in report.findings)
    yield "]"


def _issue(finding: ReportedFinding) -> str:
    place = finding.location
    issue = {
        "description": visible(finding.message),
        "check_name": finding.rule,
        "fingerprint": alert_hash(finding),
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": visible(place.document), "lines": {"begin": place.line, "end": place.end_line}},
    }
    return json.dumps(issue, ensure_ascii=False)
