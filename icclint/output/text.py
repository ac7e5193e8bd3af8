"""The report for people: code frames over all documents concerned, the packet, its path, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from icclint.output.visible import visible
from icclint.output.words import (
    WIDEST_LINE,
    Frame,
    engine,
    frames,
    line_of,
    marks,
    standing,
    step_words,
    told_steps,
    totals,
    unanswered,
)
from icclint.report import (
    PathStep,
    Report,
    ReportedFinding,
    ReportedGap,
    ReportedGone,
    ReportedHost,
    ReportedIdleAcceptance,
    ReportedNotAssessed,
)
from icclint.source import Document

_COLOURS: Mapping[str, str] = {"high": "red", "medium": "yellow", "low": "cyan", "note": "blue"}
_OUTCOMES: Mapping[str, str] = {"cannot be told": "magenta", "accepted": "cyan", "holds": "green"}
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
    yield totals(report)


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
    said = marks(finding)
    tail = f" ({', '.join(said)})" if said else ""
    return f"{head} {click.style(visible(finding.message), bold=True)}{tail}"


def _finding(finding: ReportedFinding, documents: Mapping[str, Document]) -> Iterator[str]:
    yield _head(finding)
    places = frames(finding, documents)
    gutter = max(len(str(place.location.line)) for place in places)
    for place in places:
        arrow, underline = ("-->", "^") if place is places[0] else (":::", "-")
        yield from _frame(place, arrow, underline, gutter)
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


def _frame(frame: Frame, arrow: str, underline: str, gutter: int) -> Iterator[str]:
    pad = " " * gutter
    yield f"{pad}{_blue(arrow)} {frame.place}"
    if frame.line is None:
        yield f"{pad} = {frame.label}"
        return
    before, marked, after = frame.line
    yield f"{_blue(f'{frame.location.line:>{gutter}} |')} {before}{marked}{after}"
    underlined = underline * max(1, len(marked))
    colour = "red" if underline == "^" else "blue"
    yield f"{pad} {_blue('|')} {' ' * len(before)}{click.style(f'{underlined} {frame.label}', fg=colour)}"


def _blue(text: str) -> str:
    return click.style(text, fg="blue", bold=True)


def path_lines(path: tuple[PathStep, ...]) -> Iterator[str]:
    """The rules that a packet met and that matched it, deeper calls further in."""
    for step in told_steps(path):
        yield f"{'  ' * step.depth}{step_words(step)} => {visible(step.effect)}{line_of(step)}"


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
    for one in unanswered(words):
        yield click.style("cannot be told", fg="magenta", bold=True) + f" {one.what}: {one.reason}"
        yield f"  = rules not assessed: {', '.join(one.rules)}"
        if one.capture_with:
            yield f"  = capture with: {one.capture_with}"
        yield ""


def _gaps(gaps: tuple[ReportedGap, ...]) -> Iterator[str]:
    for gap in gaps[:_MOST_GAPS]:
        place = f"{visible(gap.location.document)}:{gap.location.line}:{gap.location.column}"
        yield f"{click.style('gap', fg='magenta', bold=True)} {place}: {visible(gap.reason)}"
        if gap.text and gap.text != gap.location.document:
            cut = gap.text if len(gap.text) <= WIDEST_LINE else gap.text[:WIDEST_LINE] + "…"
            yield f"    {visible(cut)}"
    if len(gaps) > _MOST_GAPS:
        yield f"    and {len(gaps) - _MOST_GAPS} more gaps, which -o json lists"
    if gaps:
        yield ""


def _hosts(report: Report) -> Iterator[str]:
    """Which engine wrote the rules of each host; where there is more than one, also how it stands with each."""
    if len(report.hosts) == 1:
        yield f"{engine(report.hosts[0])}{_told_by(report.hosts[0])}"
        return
    width = max((len(visible(host.name)) for host in report.hosts), default=0)
    engines = max((len(engine(host)) for host in report.hosts), default=0)
    for host in report.hosts:
        yield f"{visible(host.name):<{width}}  {engine(host):<{engines}}  {_word(report, host.name)}"
    if report.hosts:
        yield ""


def _told_by(host: ReportedHost) -> str:
    places = (f"{visible(found.location.document)}:{found.location.line}" for found in host.rules_of)
    return f", as told by {' and '.join(places)}" if host.rules_of else ""


def _word(report: Report, host: str) -> str:
    found = standing(report, host)
    return click.style(found.words, fg=_COLOURS[found.worst] if found.worst else _OUTCOMES[found.outcome])
