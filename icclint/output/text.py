"""The report for people: code frames over all documents concerned, the packet, its path, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import click

from icclint.checked import Checked
from icclint.output.visible import visible
from icclint.output.words import (
    WIDEST_LINE,
    Frame,
    Totals,
    engine,
    frames,
    line_of,
    marks,
    standing,
    step_words,
    told_steps,
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


def render_text(parts: Iterable[Checked], show_all: bool = False) -> Iterator[str]:
    """The report, line by line, with ANSI styles. ``show_all`` has accepted findings as the others, with the reason."""
    hosts: list[_Host] = []
    totals = Totals()
    for part in parts:
        yield from _told(part.report, part.documents, show_all)
        hosts += (_host(part.report, host) for host in part.report.hosts)
        totals.add(part.report)
    yield from _hosts(hosts)
    yield str(totals)


def _told(report: Report, documents: Mapping[str, Document], show_all: bool) -> Iterator[str]:
    for finding in report.accepted if show_all else ():
        yield from _finding(finding, documents)
        yield ""
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


class _Host(NamedTuple):
    """A host, which engine wrote its rules, by which lines that is told, and how it stands with it."""

    name: str
    engine: str
    told_by: str
    word: str


def _host(report: Report, host: ReportedHost) -> _Host:
    places = " and ".join(f"{visible(found.location.document)}:{found.location.line}" for found in host.rules_of)
    found = standing(report, host.name)
    word = click.style(found.words, fg=_COLOURS[found.worst] if found.worst else _OUTCOMES[found.outcome])
    return _Host(visible(host.name), engine(host), f", as told by {places}" if places else "", word)


def _hosts(hosts: Sequence[_Host]) -> Iterator[str]:
    """Which engine wrote the rules of each host; where there is more than one, also how it stands with each."""
    if len(hosts) == 1:
        yield f"{hosts[0].engine}{hosts[0].told_by}"
        return
    width = max((len(host.name) for host in hosts), default=0)
    engines = max((len(host.engine) for host in hosts), default=0)
    for host in hosts:
        yield f"{host.name:<{width}}  {host.engine:<{engines}}  {host.word}"
    if hosts:
        yield ""
