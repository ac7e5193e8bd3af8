"""What kept the analysis from being complete, and what the log leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

import sarif_om as om

from icclint.output.sarif.places import Places, logical
from icclint.output.sarif.results import MOST_RELATED, MOST_STEPS, telling_steps
from icclint.output.sarif.text import MOST_DESCRIPTION, clipped, message
from icclint.report import (
    Report,
    ReportedCrash,
    ReportedFinding,
    ReportedGap,
    ReportedIdleAcceptance,
    ReportedNotAssessed,
)

MOST_NOTIFICATIONS = 1_000
"""A document of nothing but garbage has a gap in every line."""


class Notice(NamedTuple):
    """A kind of notification, and what to do about it. An error says that the run failed (section 3.20.21)."""

    id: str
    level: str
    summary: str
    help: str


CRASHED = Notice(
    "rule-crashed",
    "error",
    "A rule failed, so findings may be missing.",
    "This is a fault of the rule. Report it with what `icclint check` prints, which names the place in its code.",
)
UNREAD = Notice(
    "document-not-read",
    "error",
    "Nothing of a document could be used, so findings may be missing.",
    "Capture the document anew, or take it out of the capture if it does not belong there.",
)
MISSING = Notice(
    "path-not-read",
    "error",
    "A path that was named gave no capture, so findings may be missing.",
    "Look at the messages of `icclint check`, which name the path and say why.",
)
GAP = Notice(
    "not-understood",
    "warning",
    "A part of a document was not understood; the rest of it was analysed.",
    "Look at the place: findings do not take account of what stands there.",
)
NOT_ASSESSED = Notice(
    "not-assessed",
    "note",
    "The capture does not hold what a rule needs to tell.",
    "Capture the output of the command that the message names, where it names one.",
)
SHORTENED = Notice(
    "log-shortened",
    "warning",
    "The log leaves something out, to stay within what its readers accept.",
    "The JSON report (`icclint check -o json`) has everything.",
)
ENDED = Notice(
    "ended-accept",
    "warning",
    "The last day of an acceptance is over.",
    "Decide anew: mend what was accepted, or give the entry of the configuration another last day.",
)
UNUSED = Notice(
    "unused-accept",
    "note",
    "An acceptance matches no finding.",
    "Take the entry out of the configuration, or mend its names.",
)
NOTICES = (CRASHED, UNREAD, MISSING, GAP, NOT_ASSESSED, SHORTENED, ENDED, UNUSED)


class Notes:
    """The notifications of a run: what kept it from being complete, and then what does not fit into the log.

    Only so many are kept as a log may have.
    """

    def __init__(self) -> None:
        order = (CRASHED, MISSING, UNREAD, GAP, NOT_ASSESSED, SHORTENED)
        self._kept: dict[Notice, list[om.Notification]] = {notice: [] for notice in order}
        self._count = 0
        self._of_results: list[tuple[str, int, om.Notification]] = []
        self._failed = False

    def add(self, notice: Notice, notification: om.Notification) -> None:
        """Adds one of a kind."""
        self._count += 1
        # Findings that are missing for such a reason must not be taken for mended ones.
        self._failed |= notification.level == "error"
        if len(self._kept[notice]) < MOST_NOTIFICATIONS:
            self._kept[notice].append(notification)

    def add_of_result(self, group: str, number: int, notification: om.Notification) -> None:
        """Adds one on a result, which counts if there is room for the result: the ``number``-th of its group."""
        if len(self._of_results) < MOST_NOTIFICATIONS:
            self._of_results.append((group, number, notification))

    def invocation(self, is_written: Callable[[str, int], bool], idle: list[om.Notification]) -> om.Invocation:
        """All of it, with what there is to say of the configuration."""
        of_results = [one for group, number, one in self._of_results if is_written(group, number)]
        told = [*chain.from_iterable(self._kept.values()), *of_results]
        left = self._count + len(of_results) - MOST_NOTIFICATIONS
        if left > 0:
            told[MOST_NOTIFICATIONS:] = [notification(SHORTENED, f"{left} more notifications are left out.")]
        return om.Invocation(
            execution_successful=not self._failed,
            tool_execution_notifications=told,
            tool_configuration_notifications=idle or None,
        )


def of_idle_acceptance(one: ReportedIdleAcceptance) -> om.Notification:
    """What there is to say of an acceptance that accepts nothing."""
    return notification(ENDED if one.kind == ENDED.id else UNUSED, f"{one.file}, line {one.line}: {one.text}.")


def notifications(
    report: Report, places: Places, order: Mapping[str, int], strict: bool
) -> Iterator[tuple[Notice, om.Notification]]:
    """What kept a part of the run from being complete."""
    yield from ((CRASHED, _of_crash(crash, order)) for crash in report.crashes)
    for gap in report.gaps:
        yield UNREAD if gap.whole else GAP, _of_gap(gap, places, "error" if strict else None)
    for word in report.not_assessed:
        yield NOT_ASSESSED, _of_not_assessed(word, order, "error" if strict else None)


def _of_gap(gap: ReportedGap, places: Places, level: str | None) -> om.Notification:
    text = f": '{clipped(gap.text, MOST_DESCRIPTION)}'" if gap.text else ""
    return notification(
        UNREAD if gap.whole else GAP,
        f"{'Not read' if gap.whole else 'Not understood'}: {gap.reason}{text}.",
        places.location(gap.location),
        level,
    )


def _of_not_assessed(word: ReportedNotAssessed, order: Mapping[str, int], level: str | None) -> om.Notification:
    command = f" Capture with `{word.capture_with}`." if word.capture_with else ""
    subject = "host" if word.subject == "host" else f"{word.subject} of host"
    return notification(
        NOT_ASSESSED,
        f"Rule {word.rule} cannot tell of {subject} '{word.host}': {word.reason}.{command}",
        om.Location(logical_locations=[logical(word.host, "host")]),
        level,
        associated_rule=_reference(word.rule, order),
    )


def _of_crash(crash: ReportedCrash, order: Mapping[str, int]) -> om.Notification:
    kind, words = _exception(crash.error)
    return notification(
        CRASHED,
        f"Rule {crash.rule} failed on host '{crash.host}': {kind}{': ' if words else ''}{words}.",
        om.Location(logical_locations=[logical(crash.host, "host")]),
        associated_rule=_reference(crash.rule, order),
        exception=om.Exception(kind=kind, message=words or None),
    )


def _exception(error: str) -> tuple[str, str]:
    """The type and the words of an exception. Its stack names paths of this machine, so the other reports have it."""
    lines = error.rpartition("Traceback (most recent call last):\n")[2].splitlines()
    first = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), 0)
    kind, _, message = "\n".join(lines[first:]).partition(": ")
    return kind or "Exception", message


def of_shortened(finding: ReportedFinding, places: Places) -> Iterator[om.Notification]:
    """What a result goes without, to stay within what readers accept."""
    lost = {
        "places": len(finding.related) - MOST_RELATED,
        "steps": len(telling_steps(finding)) - MOST_STEPS if finding.path else 0,
    }
    words = [f"{count} {what}" for what, count in lost.items() if count > 0]
    if words:
        text = f"A finding of rule {finding.rule} goes without {' and '.join(words)}."
        yield notification(SHORTENED, text, places.location(finding.location))


def notification(
    notice: Notice, text: str, location: om.Location | None = None, level: str | None = None, **details: Any
) -> om.Notification:
    """A notification of a kind; ``level`` is that of its kind unless it is given."""
    return om.Notification(
        descriptor=om.ReportingDescriptorReference(id=notice.id, index=NOTICES.index(notice)),
        level=level or notice.level,
        message=message(text),
        locations=[location] if location else None,
        **details,
    )


def _reference(rule: str, order: Mapping[str, int]) -> om.ReportingDescriptorReference:
    return om.ReportingDescriptorReference(id=rule, index=order[rule])
