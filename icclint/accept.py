"""Findings that somebody has decided to live with. Gaps, crashes and what could not be told cannot be accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from icclint.config import Acceptance, ConfigurationFile
from icclint.report import Report, ReportedAcceptance, ReportedFinding, ReportedIdleAcceptance


def accept(report: Report, file: ConfigurationFile, known: Collection[str], today: date) -> Report:
    """The report with what a configuration accepts set apart, and with a word on each entry that accepts nothing.

    ``known`` are the names of all rules, asked or not.
    """
    current = [acceptance for acceptance in file.values.accept if not has_ended(acceptance, today)]
    pairs = [(finding, next((one for one in current if _covers(one, finding)), None)) for finding in report.findings]
    return report.model_copy(
        update={
            "findings": tuple(finding for finding, acceptance in pairs if acceptance is None),
            "accepted": tuple(_accepted(finding, acceptance) for finding, acceptance in pairs if acceptance),
            "idle_acceptances": tuple(_idle(report, file, known, today)),
        }
    )


def has_ended(acceptance: Acceptance, today: date) -> bool:
    """Whether an acceptance's last day is over."""
    return acceptance.until is not None and acceptance.until < today


def _covers(acceptance: Acceptance, finding: ReportedFinding) -> bool:
    return acceptance.covers(finding.rule, finding.subject, finding.host)


def _accepted(finding: ReportedFinding, acceptance: Acceptance) -> ReportedFinding:
    said = ReportedAcceptance(reason=acceptance.reason, until=acceptance.until)
    return finding.model_copy(update={"acceptance": said})


def _idle(
    report: Report, file: ConfigurationFile, known: Collection[str], today: date
) -> Iterator[ReportedIdleAcceptance]:
    for number, acceptance in enumerate(file.values.accept):
        ended = has_ended(acceptance, today)
        if not ended and not _is_unused(report, acceptance, known):
            continue
        what = f"{acceptance.rule} of {acceptance.subject} on {acceptance.host}"
        yield ReportedIdleAcceptance(
            kind="ended-accept" if ended else "unused-accept",
            file=file.path.name,
            line=file.line("accept", number),
            rule=acceptance.rule,
            subject=acceptance.subject,
            host=acceptance.host,
            text=f"the acceptance of {what} ended on {acceptance.until}" if ended else f"there is no {what} to accept",
        )


def _is_unused(report: Report, acceptance: Acceptance, known: Collection[str]) -> bool:
    """Whether it matches no finding, although every rule that it names was asked, and could tell of every host that it
    names: what could not be told may be what it is for.
    """
    if any(_covers(acceptance, finding) for finding in report.findings):
        return False
    meant = [(rule, host.name) for rule in known for host in report.hosts if acceptance.is_for(rule, host.name)]
    return bool(meant) and all(report.is_told(rule, host) for rule, host in meant)
