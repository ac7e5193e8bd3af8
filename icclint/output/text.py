"""The report for people: code frames over all documents concerned, the packet, its path, and what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import click

from icclint.output.visible import visible
from icclint.report import (
    PathStep,
    Report,
    ReportedFinding,
    ReportedGap,
    ReportedGone,
    ReportedHost,
    ReportedIdleAcceptance,
    ReportedLocation,
    ReportedNotAssessed,
)
from icclint.source import Document

_COLOURS: Mapping[str, str] = {"high": "red", "medium": "yellow", "low": "cyan", "note": "blue"}
_WIDEST_LINE = 160
_MOST_GAPS = 20


def render_text(report: Report, documents: Mapping[str, Document]) -> Iterator[str]:
    """The report, line by line, with ANSI styles. ``documents`` are those that the report names, by name."""
    for finding in report.findings:
        yield from _known(finding) if finding.state == "known" else _finding(finding, documents)
        yield ""
    yield from _gone(report.gone)
    yield from _idle(report.idle_acceptances)
    yield from _not_assessed(report.not_assessed)
    yield from _gaps(report.gaps)
    for crash in report.crashes:
        yield click.style(f"crash[{crash.rule}]", fg="magenta", bold=True) + f" on {visible(crash.host)}"
        yield from (f"    {visible(line)}" for line in crash.error.splitlines())
        yield ""
    yield from _hosts(report)
    yield _totals(report)


def render_accepted(report: Report, documents: Mapping[str, Document]) -> Iterator[str]:
    """The findings that are accepted, as the others, each with the reason."""
    for finding in report.accepted:
        yield from _finding(finding, documents)
        yield ""


def _known(finding: ReportedFinding) -> Iterator[str]:
    """A finding of the baseline, in short, so that the new ones are not lost among many."""
    yield _head(finding)
    yield f"  {_blue('-->')} {visible(finding.location.document)}:{finding.location.line}:{finding.location.column}"


def _head(finding: ReportedFinding) -> str:
    head = click.style(f"{finding.severity}[{finding.rule}]", fg=_COLOURS[finding.severity], bold=True)
    accepted = "accepted" if finding.acceptance else None
    marks = ", ".join(mark for mark in (accepted, finding.state, finding.confidence) if mark not in (None, "certain"))
    return f"{head} {click.style(visible(finding.message), bold=True)}{f' ({marks})' if marks else ''}"


def _finding(finding: ReportedFinding, documents: Mapping[str, Document]) -> Iterator[str]:
    yield _head(finding)
    places = [(finding.location, finding.label, "-->", "^")]
    places += [(place.location, place.message, ":::", "-") for place in finding.related]
    gutter = max(len(str(location.line)) for location, *_ in places)
    for location, label, arrow, underline in places:
        yield from _frame(location, label, arrow, underline, gutter, documents)
    pad = " " * gutter
    if finding.packet is not None:
        yield f"{pad} = packet: {visible(finding.packet.text)}"
    if finding.path:
        yield f"{pad} = path:"
        yield from (f"{pad}     {line}" for line in path_lines(finding.path))
    for assumption in finding.assumptions:
        tell = f"; `{visible(assumption.capture_with)}` would tell" if assumption.capture_with else ""
        yield f"{pad} = assuming that {visible(assumption.text)}{tell}"
    for command in finding.remedy:
        yield f"{pad} = remedy: {visible(command)}"
    if finding.acceptance is not None:
        until = f" until {finding.acceptance.until}" if finding.acceptance.until else ""
        yield f"{pad} = accepted{until}: {visible(finding.acceptance.reason)}"


def _frame(
    location: ReportedLocation,
    label: str,
    arrow: str,
    underline: str,
    gutter: int,
    documents: Mapping[str, Document],
) -> Iterator[str]:
    pad = " " * gutter
    document = documents.get(location.document)
    yield f"{pad}{_blue(arrow)} {visible(location.document)}:{location.line}:{location.column}"
    if document is None or location.line > len(document.lines):
        yield f"{pad} = {visible(label)}"
        return
    line = document.lines[location.line - 1]
    end = location.end_column if location.end_line == location.line else len(line) + 1
    shown, start, length = _window(line, location.column - 1, end - 1)
    yield f"{_blue(f'{location.line:>{gutter}} |')} {shown}"
    marks = underline * max(1, length)
    colour = "red" if underline == "^" else "blue"
    yield f"{pad} {_blue('|')} {' ' * start}{click.style(f'{marks} {visible(label)}', fg=colour)}"


def _blue(text: str) -> str:
    return click.style(text, fg="blue", bold=True)


def _window(line: str, start: int, end: int) -> tuple[str, int, int]:
    """The part of a line to show, and the place and length of the marks beneath it."""
    left = max(0, start - 40) if len(line) > _WIDEST_LINE else 0
    right = min(len(line), left + _WIDEST_LINE)
    before = ("…" if left else "") + visible(line[left:start])
    marked = visible(line[start : min(end, right)])
    after = visible(line[min(end, right) : right]) + ("…" if right < len(line) else "")
    return before + marked + after, len(before), len(marked)


def path_lines(path: tuple[PathStep, ...]) -> Iterator[str]:
    """The rules that a packet met and that matched it, deeper calls further in."""
    for step in path:
        # The policies of tables that have nothing against a packet would bury the rule that decides.
        if step.effect == "ACCEPT" and step.text == "policy ACCEPT" and step.table != "filter":
            continue
        table = "" if step.table == "filter" else f"{step.table} "
        rule = visible(step.text) if step.text.startswith(("-A", "[", "-I")) else f"{step.chain}: {visible(step.text)}"
        yield f"{'  ' * step.depth}{table}{rule} => {visible(step.effect)}{line_of(step)}"


def line_of(step: PathStep) -> str:
    """The document and line of a step in parentheses; nothing where no document holds it."""
    if step.location is None:
        return ""
    return f"  ({visible(step.location.document.rpartition('/')[2])}:{step.location.line})"


def _gone(findings: tuple[ReportedGone, ...]) -> Iterator[str]:
    for finding in findings:
        yield f"{click.style(f'gone[{finding.rule}]', fg='green', bold=True)} {visible(finding.message)}"
        yield f"  = of {visible(finding.host)}; `icclint baseline prune` takes it out of the baseline"
        yield ""


def _idle(acceptances: tuple[ReportedIdleAcceptance, ...]) -> Iterator[str]:
    for one in acceptances:
        kind = click.style(f"note[{one.kind}]", fg="blue", bold=True)
        yield f"{kind} {visible(one.file)}:{one.line}: {visible(one.text)}"
    if acceptances:
        yield ""


def _not_assessed(words: tuple[ReportedNotAssessed, ...]) -> Iterator[str]:
    """What could not be told: one entry for each reason, with the rules that it stands in the way of."""
    by_reason: dict[tuple[str, str, str, str | None], list[str]] = {}
    for word in words:
        by_reason.setdefault((word.host, word.subject, word.reason, word.capture_with), []).append(word.rule)
    for (host, subject, reason, command), rules in by_reason.items():
        what = f"{visible(host)}" if subject == "host" else f"{visible(subject)} of {visible(host)}"
        yield click.style("cannot be told", fg="magenta", bold=True) + f" {what}: {visible(reason)}"
        yield f"  = rules not assessed: {', '.join(rules)}"
        if command:
            yield f"  = capture with: {visible(command)}"
        yield ""


def _gaps(gaps: tuple[ReportedGap, ...]) -> Iterator[str]:
    for gap in gaps[:_MOST_GAPS]:
        place = f"{visible(gap.location.document)}:{gap.location.line}:{gap.location.column}"
        yield f"{click.style('gap', fg='magenta', bold=True)} {place}: {visible(gap.reason)}"
        if gap.text and gap.text != gap.location.document:
            cut = gap.text if len(gap.text) <= _WIDEST_LINE else gap.text[:_WIDEST_LINE] + "…"
            yield f"    {visible(cut)}"
    if len(gaps) > _MOST_GAPS:
        yield f"    and {len(gaps) - _MOST_GAPS} more gaps, which -o json lists"
    if gaps:
        yield ""


def _hosts(report: Report) -> Iterator[str]:
    """Which engine wrote the rules of each host; where there is more than one, also how it stands with each."""
    if len(report.hosts) == 1:
        yield f"{_engine(report.hosts[0])}{_told_by(report.hosts[0])}"
        return
    width = max((len(visible(host.name)) for host in report.hosts), default=0)
    engines = max((len(_engine(host)) for host in report.hosts), default=0)
    for host in report.hosts:
        yield f"{visible(host.name):<{width}}  {_engine(host):<{engines}}  {_word(report, host.name)}"
    if report.hosts:
        yield ""


def _engine(host: ReportedHost) -> str:
    if not host.rules_of:
        return "no rules of Docker Engine recognised"
    return f"rules of Docker Engine {' and of '.join(found.releases for found in host.rules_of)}"


def _told_by(host: ReportedHost) -> str:
    places = (f"{visible(found.location.document)}:{found.location.line}" for found in host.rules_of)
    return f", as told by {' and '.join(places)}" if host.rules_of else ""


def _word(report: Report, host: str) -> str:
    found: Counter[str] = Counter(finding.severity for finding in report.findings if finding.host == host)
    not_known = {part.host for parts in (report.not_assessed, report.crashes, report.gaps) for part in parts}
    words = ", ".join(f"{found[severity]} {severity}" for severity in _COLOURS if found[severity])
    worst = next((severity for severity in _COLOURS if found[severity]), "")
    accepted = [finding.severity for finding in report.accepted if finding.host == host]
    tail = f"; {len(accepted)} accepted" if accepted else ""
    if worst and worst != "note":
        return click.style(f"broken: {words}{tail}", fg=_COLOURS[worst])
    if host in not_known:
        return click.style(f"cannot be told in full{tail}", fg="magenta")
    # What somebody has decided to live with is broken all the same.
    if any(severity != "note" for severity in accepted):
        return click.style(f"broken{f': {words}' if words else ''}{tail}", fg="cyan")
    return click.style(f"holds{f', {words}' if words else ''}{tail}", fg="green")


def _totals(report: Report) -> str:
    found: Counter[str] = Counter(finding.severity for finding in report.findings)
    words = ", ".join(f"{found[severity]} {severity}" for severity in _COLOURS if found[severity])
    hosts = len({document.host for document in report.documents})
    # A transcript tells of several hosts.
    documents = {document.name: document.kind for document in report.documents}
    unread = sum(kind == "not read" for kind in documents.values())
    parts = [
        f"{_count(len(report.findings), 'finding')}{f' ({words})' if words else ''} on {_count(hosts, 'host')}",
        *_beside_the_baseline(report),
        *([f"{len(report.accepted)} accepted"] if report.accepted else []),
        f"{_count(len(report.not_assessed), 'question')} not assessed",
        _count(len(report.gaps), "gap"),
    ]
    if report.crashes:
        parts.append(_count(len(report.crashes), "crash", "crashes"))
    read = len(documents) - unread
    tail = f" of {len(documents)}" if unread else ""
    parts.append(f"{read}{tail} {'documents' if len(documents) != 1 else 'document'} read")
    if passed_over := sum(host.passed_over for host in report.hosts):
        parts.append(f"{_count(passed_over, 'file')} passed over")
    return "; ".join(parts)


def _beside_the_baseline(report: Report) -> Iterator[str]:
    states = Counter(finding.state for finding in report.findings)
    parts = {"new": states["new"], "known": states["known"], "gone": len(report.gone)}
    words = [f"{number} {state}" for state, number in parts.items() if number]
    if words:
        yield ", ".join(words)


def _count(number: int, word: str, plural: str = "") -> str:
    return f"{number} {word if number == 1 else plural or word + 's'}"
