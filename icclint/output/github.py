"""The report as workflow commands, which GitHub Actions shows as annotations of files.

The commands and their escapes are those of the runner (actions/runner, src/Runner.Common/ActionCommand.cs). GitHub
shows ten annotations of each level for a step; the log of the step has all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from icclint.output.proof import marked, proof_lines
from icclint.output.visible import visible
from icclint.report import Report, ReportedLocation, ReportedNotAssessed

_LEVELS: Mapping[str, str] = {"high": "error", "medium": "warning", "low": "notice", "note": "notice"}


def render_github(reports: Iterable[Report]) -> Iterator[str]:
    """One command for each finding, the worst of each host first, and then for what could not be told of it.

    Findings that a baseline knows are notices, whatever their severity, since nothing fails for them.
    """
    complete = True
    for report in reports:
        yield from _told(report)
        complete &= report.complete
    if not complete:
        yield _command("error", "icclint", ["A path that was named gave no capture, so a host may be missing."])


def _told(report: Report) -> Iterator[str]:
    for finding in report.findings:
        title = f"{finding.severity}[{finding.rule}]"
        level = "notice" if finding.state == "known" else _LEVELS[finding.severity]
        yield _command(level, title, [marked(finding), *proof_lines(finding)], finding.location)
    for crash in report.crashes:
        yield _command("error", f"crash[{crash.rule}]", [f"on {crash.host}", *crash.error.splitlines()])
    for gap in sorted(report.gaps, key=lambda gap: not gap.whole):
        title, level = ("not read", "error") if gap.whole else ("not understood", "warning")
        yield _command(level, title, [gap.reason, gap.text], gap.location)
    for word in report.not_assessed:
        yield _command("notice", f"not assessed[{word.rule}]", _lack(word))


def _lack(word: ReportedNotAssessed) -> Iterator[str]:
    yield f"{word.subject} of {word.host}: {word.reason}"
    if word.capture_with:
        yield f"capture with: {word.capture_with}"


def _command(level: str, title: str, lines: Iterable[str], location: ReportedLocation | None = None) -> str:
    properties = {**(_place(location) if location else {}), "title": title}
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{level} {written}::{_data(lines)}"


def _place(location: ReportedLocation) -> dict[str, str | int]:
    lines: dict[str, str | int] = {"file": location.document, "line": location.line, "endLine": location.end_line}
    if location.line != location.end_line:
        # Columns are taken of one line only.
        return lines
    return {**lines, "col": location.column, "endColumn": location.end_column}


def _data(lines: Iterable[str]) -> str:
    """Lines as one; all that is captured is in the data or in a property of a command, and can begin none."""
    return "%0A".join(visible(line).replace("%", "%25") for line in lines if line)


def _property(text: str) -> str:
    return visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
