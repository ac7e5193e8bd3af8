"""The gaps of one document, as its reader finds them from the top down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from icclint.source import Document, Gap, Span

LONGEST_TEXT = 200
"""How many characters of a line a gap shows."""
MOST_GAPS = 500
"""How many gaps of a document are told one by one; a report of more would hide what matters."""


@dataclass
class _Run:
    """Lines that follow each other and are the same to a reader."""

    reason: str
    first: int
    last: int
    lines: int = 1


@dataclass
class Gaps:
    """Collects gaps. Lines that follow each other and lack the same thing are one."""

    document: Document
    found: list[Gap] = field(default_factory=list)
    run: _Run | None = None

    def foreign(self, number: int, reason: str) -> None:
        """A line that does not belong here. It joins the lines like it that stand directly before it."""
        if self.run is not None and self.run.reason == reason:
            self.run.last = number
            self.run.lines += 1
            return
        self.understood()
        self.run = _Run(reason, number, number)

    def understood(self) -> None:
        """A line that was understood stands here, so what is foreign after it is another run."""
        if self.run is not None:
            self.found.append(_run_gap(self.document, self.run))
            self.run = None

    def line(self, number: int, reason: str) -> None:
        """A line that is a gap of its own."""
        self.understood()
        self.found.append(line_gap(self.document, number, reason))

    def mended(self, number: int) -> None:
        """A line that was a gap of its own was understood after all, together with the one after it."""
        self.found = [gap for gap in self.found if gap.span.line != number]

    def all(self) -> tuple[Gap, ...]:
        """Every gap, in order."""
        self.understood()
        return tuple(self.found)


def bounded(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """Gaps in order, each once; where a document has too many, one more stands for the rest."""
    in_order = sorted(set(gaps), key=lambda gap: (gap.span, gap.reason))
    for document, group in groupby(in_order, key=lambda gap: gap.span.document):
        told = 0
        untold = []
        for gap in group:
            # What makes a document useless is told in any case.
            if told == MOST_GAPS and not gap.whole:
                untold.append(gap)
                continue
            told += not gap.whole
            yield gap
        if untold:
            first, last = untold[0].span, untold[-1].span
            place = Span(document, first.line, first.column, last.end_line, last.end_column)
            yield Gap(place, untold[0].text, f"{len(untold)} more places that were not understood, from here on")


def line_gap(document: Document, number: int, reason: str) -> Gap:
    """The gap that one line is."""
    return Gap(document.text_span(number), shortened(document.lines[number - 1].strip()), reason)


def shortened(text: str) -> str:
    """A text that a report can show."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def undecodable(document: Document) -> tuple[Gap, ...]:
    """The lines in which bytes could not be decoded."""
    gaps = Gaps(document)
    if document.is_damaged:
        for number, line in enumerate(document.lines, start=1):
            if "\ufffd" in line:
                gaps.foreign(number, "bytes that are not UTF-8 are shown as \ufffd")
            else:
                gaps.understood()
    return gaps.all()


def _run_gap(document: Document, run: _Run) -> Gap:
    if run.lines == 1:
        return line_gap(document, run.first, run.reason)
    start, end = document.text_span(run.first), document.text_span(run.last)
    span = Span(document.name, start.line, start.column, end.end_line, end.end_column)
    return Gap(span, shortened(document.lines[run.first - 1].strip()), f"{run.reason} ({run.lines} lines)")
