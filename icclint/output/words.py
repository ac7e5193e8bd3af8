"""What reports for people have in common: places with their lines, and the words for how things stand.

All of it is plain text, made `visible`; styles and markup are the formats' own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from icclint.output.visible import visible
from icclint.report import PathStep, Report, ReportedFinding, ReportedHost, ReportedLocation, ReportedNotAssessed
from icclint.source import Document

SEVERITIES = ("high", "medium", "low", "note")
"""The worst one first."""
WIDEST_LINE = 160
"""Of longer lines a part is shown."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A place and the line that it is in, as far as it is shown: ``marked`` is the place itself.

    ``line`` is None where the document has no such line.
    """

    location: ReportedLocation
    label: str
    line: tuple[str, str, str] | None

    @property
    def place(self) -> str:
        """Document, line and column."""
        return f"{visible(self.location.document)}:{self.location.line}:{self.location.column}"


def frames(finding: ReportedFinding, documents: Mapping[str, Document]) -> tuple[Frame, ...]:
    """The places of a finding, the one that decides first."""
    places = [(finding.location, finding.label), *((place.location, place.message) for place in finding.related)]
    return tuple(Frame(location, visible(label), _line(location, documents)) for location, label in places)


def _line(location: ReportedLocation, documents: Mapping[str, Document]) -> tuple[str, str, str] | None:
    """What stands before a place, in it and after it, in its first line."""
    document = documents.get(location.document)
    if document is None or location.line > len(document.lines):
        return None
    line = document.lines[location.line - 1]
    start = location.column - 1
    end = location.end_column - 1 if location.end_line == location.line else len(line)
    left = max(0, start - 40) if len(line) > WIDEST_LINE else 0
    right = min(len(line), left + WIDEST_LINE)
    before = ("…" if left else "") + visible(line[left:start])
    after = visible(line[min(end, right) : right]) + ("…" if right < len(line) else "")
    return before, visible(line[start : min(end, right)]), after


def marks(finding: ReportedFinding) -> tuple[str, ...]:
    """What is to be said of a finding beside its severity."""
    accepted = "accepted" if finding.acceptance else None
    return tuple(mark for mark in (accepted, finding.state, finding.confidence) if mark not in (None, "certain"))


def told_steps(path: Iterable[PathStep]) -> Iterator[PathStep]:
    """The steps of a path that are worth a line each."""
    for step in path:
        # The policies of tables that have nothing against a packet would bury the rule that decides.
        if step.effect != "ACCEPT" or step.text != "policy ACCEPT" or step.table == "filter":
            yield step


def step_words(step: PathStep) -> str:
    """The rule or policy of a step, with its table where that is not filter."""
    table = "" if step.table == "filter" else f"{step.table} "
    chain = "" if step.text.startswith(("-A", "[", "-I")) else f"{step.chain}: "
    return visible(f"{table}{chain}{step.text}")


def line_of(step: PathStep) -> str:
    """The document and line of a step in parentheses; nothing where no document holds it."""
    if step.location is None:
        return ""
    return f"  ({visible(step.location.document.rpartition('/')[2])}:{step.location.line})"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why some rules could not tell of something, and the command whose output would tell."""

    what: str
    reason: str
    capture_with: str | None
    rules: tuple[str, ...]


def unanswered(words: Iterable[ReportedNotAssessed]) -> Iterator[Unanswered]:
    """What could not be told: one entry for each reason, with the rules that it stands in the way of."""
    by_reason: dict[tuple[str, str, str, str | None], list[str]] = {}
    for word in words:
        by_reason.setdefault((word.host, word.subject, word.reason, word.capture_with), []).append(word.rule)
    for (host, subject, reason, command), rules in by_reason.items():
        what = host if subject == "host" else f"{subject} of {host}"
        yield Unanswered(visible(what), visible(reason), visible(command) if command else None, tuple(rules))


def engine(host: ReportedHost) -> str:
    """Which releases of the engine wrote a host's rules."""
    if not host.rules_of:
        return "no rules of Docker Engine recognised"
    return f"rules of Docker Engine {' and of '.join(found.releases for found in host.rules_of)}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a host. ``worst`` is the severity of what counts, None where nothing does."""

    outcome: Literal["broken", "accepted", "cannot be told", "holds"]
    worst: str | None
    words: str


def standing(report: Report, host: str) -> Standing:
    """How it stands with a host, in a few words."""
    found: Counter[str] = Counter(finding.severity for finding in report.findings if finding.host == host)
    not_known = {part.host for parts in (report.not_assessed, report.crashes, report.gaps) for part in parts}
    words = by_severity(found)
    worst = next((severity for severity in SEVERITIES if found[severity] and severity != "note"), None)
    accepted = [finding.severity for finding in report.accepted if finding.host == host]
    tail = f"; {len(accepted)} accepted" if accepted else ""
    if worst:
        return Standing("broken", worst, f"broken: {words}{tail}")
    if host in not_known:
        return Standing("cannot be told", None, f"cannot be told in full{tail}")
    # What somebody has decided to live with is broken all the same.
    if any(severity != "note" for severity in accepted):
        return Standing("accepted", None, f"broken{f': {words}' if words else ''}{tail}")
    return Standing("holds", None, f"holds{f', {words}' if words else ''}{tail}")


class Totals:
    """Everything counted, of reports that come one after the other."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._severities = Counter[str]()

    def add(self, report: Report) -> None:
        """Counts what a report says."""
        self._severities.update(finding.severity for finding in report.findings)
        # A transcript tells of several hosts.
        documents = {document.name: document.kind for document in report.documents}
        self._counts += Counter(
            hosts=len({document.host for document in report.documents}),
            new=sum(finding.state == "new" for finding in report.findings),
            known=sum(finding.state == "known" for finding in report.findings),
            gone=len(report.gone),
            accepted=len(report.accepted),
            not_assessed=len(report.not_assessed),
            gaps=len(report.gaps),
            crashes=len(report.crashes),
            documents=len(documents),
            unread=sum(kind == "not read" for kind in documents.values()),
            passed_over=sum(host.passed_over for host in report.hosts),
        )

    def __str__(self) -> str:
        """All of it in one line."""
        told = self._counts
        words = by_severity(self._severities)
        found = count(self._severities.total(), "finding")
        beside = [f"{told[state]} {state}" for state in ("new", "known", "gone") if told[state]]
        parts = [
            f"{found}{f' ({words})' if words else ''} on {count(told['hosts'], 'host')}",
            *([", ".join(beside)] if beside else []),
            *([f"{told['accepted']} accepted"] if told["accepted"] else []),
            f"{count(told['not_assessed'], 'question')} not assessed",
            count(told["gaps"], "gap"),
        ]
        if told["crashes"]:
            parts.append(count(told["crashes"], "crash", "crashes"))
        tail = f" of {told['documents']}" if told["unread"] else ""
        word = "documents" if told["documents"] != 1 else "document"
        parts.append(f"{told['documents'] - told['unread']}{tail} {word} read")
        if told["passed_over"]:
            parts.append(f"{count(told['passed_over'], 'file')} passed over")
        return "; ".join(parts)


def by_severity(found: Mapping[str, int]) -> str:
    """How many there are of each severity."""
    return ", ".join(f"{found[severity]} {severity}" for severity in SEVERITIES if found.get(severity))


def count(number: int, word: str, plural: str = "") -> str:
    """A number and the word for what is counted."""
    return f"{number} {word if number == 1 else plural or word + 's'}"
