"""Findings that somebody has decided to live with. Gaps, crashes and what could not be told cannot be accepted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from icclint.config import Acceptance, ConfigurationFile
from icclint.report import Report, ReportedAcceptance, ReportedFinding, ReportedIdleAcceptance


class Acceptances:
    """What a configuration accepts of reports that come one after the other. ``known`` are the names of all rules,
    asked or not.
    """

    def __init__(self, file: ConfigurationFile, known: Collection[str], today: date) -> None:
        self._file = file
        self._known = known
        self._ended = {number for number, one in enumerate(file.values.accept) if has_ended(one, today)}
        # Entries that accept something, or are for what could not be told, and entries that are for what was asked.
        self._in_use: set[int] = set()
        self._meant: set[int] = set()

    def accept(self, report: Report) -> Report:
        """A report with what is accepted set apart."""
        current = {number: one for number, one in enumerate(self._file.values.accept) if number not in self._ended}
        pairs = []
        for finding in report.findings:
            covering = [number for number, one in current.items() if _covers(one, finding)]
            self._in_use.update(covering)
            pairs.append((finding, current[covering[0]] if covering else None))
        for number in current.keys() - self._in_use:
            self._note_whom_it_is_for(number, report)
        return report.model_copy(
            update={
                "findings": tuple(finding for finding, acceptance in pairs if acceptance is None),
                "accepted": tuple(_accepted(finding, acceptance) for finding, acceptance in pairs if acceptance),
            }
        )

    def _note_whom_it_is_for(self, number: int, report: Report) -> None:
        """What a rule could not tell of a host may be what an acceptance is for."""
        acceptance = self._file.values.accept[number]
        meant = [
            (rule, host.name) for rule in self._known for host in report.hosts if acceptance.is_for(rule, host.name)
        ]
        if meant:
            self._meant.add(number)
        if not all(report.is_told(rule, host) for rule, host in meant):
            self._in_use.add(number)

    @property
    def idle(self) -> tuple[ReportedIdleAcceptance, ...]:
        """A word on each entry that accepted nothing of the reports so far, although every rule that it names was
        asked, and could tell of every host that it names.
        """
        return tuple(
            _idle(self._file, number, number in self._ended)
            for number in range(len(self._file.values.accept))
            if number in self._ended or (number in self._meant and number not in self._in_use)
        )


def has_ended(acceptance: Acceptance, today: date) -> bool:
    """Whether an acceptance's last day is over."""
    return acceptance.until is not None and acceptance.until < today


def _covers(acceptance: Acceptance, finding: ReportedFinding) -> bool:
    return acceptance.covers(finding.rule, finding.subject, finding.host)


def _accepted(finding: ReportedFinding, acceptance: Acceptance) -> ReportedFinding:
    said = ReportedAcceptance(reason=acceptance.reason, until=acceptance.until)
    return finding.model_copy(update={"acceptance": said})


def _idle(file: ConfigurationFile, number: int, ended: bool) -> ReportedIdleAcceptance:
    acceptance = file.values.accept[number]
    what = f"{acceptance.rule} of {acceptance.subject} on {acceptance.host}"
    return ReportedIdleAcceptance(
        kind="ended-accept" if ended else "unused-accept",
        file=file.path.name,
        line=file.line("accept", number),
        rule=acceptance.rule,
        subject=acceptance.subject,
        host=acceptance.host,
        text=f"the acceptance of {what} ended on {acceptance.until}" if ended else f"there is no {what} to accept",
    )
