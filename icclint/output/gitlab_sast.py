"""The report as a security report of GitLab (``artifacts:reports:sast``), for its vulnerability list.

The format is that of GitLab's schema ``sast-report-format.json`` 15.0.4. Unlike SARIF there, it follows a finding to
another line: by its fingerprint, as a signature of the algorithm ``hash``. Times are demanded; the same report must
give the same bytes, so both are the start of 1970.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

from icclint import __version__
from icclint.output.alert import alert_hash
from icclint.output.items import separated
from icclint.output.markdown import cell
from icclint.output.text import path_lines
from icclint.output.visible import visible
from icclint.report import Report, ReportedFinding
from icclint.rule import Rule
from icclint.spool import Spool

VERSION = "15.0.4"
_SEVERITIES: Mapping[str, str] = {"high": "High", "medium": "Medium", "low": "Low", "note": "Info"}
_TIME = "1970-01-01T00:00:00"
_MOST_NAME = 255
_MOST_SOLUTION = 7_000


def render_gitlab_sast(reports: Iterable[Report], rules: Sequence[Rule]) -> Iterator[str]:
    """The report, with a line for each message and for each finding."""
    by_id = {rule.id: rule for rule in rules}
    vulnerabilities, messages = Spool[str](), Spool[str]()
    failed, complete = False, True
    for report in reports:
        for level, text in _messages(report):
            messages.append(_line({"level": level, "value": visible(text)}))
            failed |= level == "fatal"
        for finding in report.findings:
            vulnerabilities.append(_line(_vulnerability(finding, by_id[finding.rule])))
        complete &= report.complete
    if not complete:
        messages.append(_line({"level": "fatal", "value": "a path that was named gave no capture"}))
    yield f'{{"version": "{VERSION}",'
    yield f'"scan": {_line(_scan(rules, failed or not complete)).removesuffix("}")}, "messages": ['
    yield from separated([line] for line in messages)
    yield "]},"
    yield '"vulnerabilities": ['
    yield from separated([line] for line in vulnerabilities)
    yield "]}"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _scan(rules: Sequence[Rule], failed: bool) -> dict[str, object]:
    tool = {"id": "icclint", "name": "icclint", "version": __version__, "vendor": {"name": "icclint"}}
    return {
        "analyzer": tool,
        "scanner": tool,
        "type": "sast",
        "start_time": _TIME,
        "end_time": _TIME,
        "status": "failure" if failed else "success",
        "primary_identifiers": [_identifier(rule) for rule in rules],
    }


def _messages(report: Report) -> Iterator[tuple[str, str]]:
    """What kept the report from being complete; what is fatal stands for findings that may be missing."""
    for crash in report.crashes:
        yield "fatal", f"rule {crash.rule} failed on {crash.host}: {crash.error.splitlines()[-1]}"
    for gap in report.gaps:
        place = f"{gap.location.document}:{gap.location.line}"
        yield "fatal" if gap.whole else "warn", f"{place}: {gap.reason}{f': {gap.text}' if gap.text else ''}"
    for word in report.not_assessed:
        command = f"; capture with {word.capture_with}" if word.capture_with else ""
        yield "info", f"rule {word.rule} cannot tell of {word.subject} of {word.host}: {word.reason}{command}"


def _vulnerability(finding: ReportedFinding, rule: Rule) -> dict[str, object]:
    place = finding.location
    lines = {"file": visible(place.document), "start_line": place.line, "end_line": place.end_line}
    signature = {"algorithm": "hash", "value": alert_hash(finding)}
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"icclint:{alert_hash(finding)}")),
        "name": (rule.summary or rule.id)[:_MOST_NAME],
        "description": "\n\n".join(map(cell, _story(finding))),
        "severity": _SEVERITIES[finding.severity],
        "solution": "\n".join(map(visible, finding.remedy))[:_MOST_SOLUTION],
        "identifiers": [_identifier(rule), *map(_weakness, rule.references.weaknesses)],
        "location": lines,
        "details": _details(finding),
        "tracking": {"type": "source", "items": [{**lines, "signatures": [signature]}]},
    }


def _story(finding: ReportedFinding) -> Iterator[str]:
    yield f"{finding.message}."
    yield from (f"This supposes that {assumption.text}." for assumption in finding.assumptions)
    for related in finding.related:
        yield f"{related.location.document}:{related.location.line}: {related.message}."


def _details(finding: ReportedFinding) -> dict[str, object]:
    """Text that is shown as it is."""
    told = {
        "packet": ("Packet", visible(finding.packet.text) if finding.packet else ""),
        "path": ("Path", "\n".join(path_lines(finding.path))),
    }
    return {key: {"name": name, "type": "code", "value": value} for key, (name, value) in told.items() if value}


def _identifier(rule: Rule) -> dict[str, str]:
    return {"type": "icclint_rule", "name": rule.id, "value": rule.id}


def _weakness(number: int) -> dict[str, str]:
    address = f"https://cwe.mitre.org/data/definitions/{number}.html"
    return {"type": "cwe", "name": f"CWE-{number}", "value": str(number), "url": address}
