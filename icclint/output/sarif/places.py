"""The documents of a report, and places in them, with what is to be seen there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import sarif_om as om

from icclint.checked import Checked
from icclint.output.sarif.text import message
from icclint.report import PathStep, ReportedDocument, ReportedLocation

if TYPE_CHECKING:
    from icclint.source import Document

ROOT = "%SRCROOT%"
MOST_SNIPPET = 2_000
"""A capture may hold all of its JSON in one line."""
CONTEXT_LINES = 3
CONTEXT_COLUMNS = 80


Position = tuple[int, int]
"""A line and a column, both from 1."""


class _Page:
    """The text of a document, from which regions are cut. Lines keep the ``\\r`` of their end (section 3.3.2)."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.last = max(1, len(self.lines) - (self.lines[-1] == ""))

    def end(self, line: int) -> Position:
        """The end of a line, before its line break."""
        return line, len(self.lines[line - 1].rstrip("\r")) + 1

    def nearest(self, line: int, column: int) -> Position:
        """A place that exists."""
        return self.end(self.last) if line > self.last else min((line, column), self.end(line))

    def cut(self, start: Position, end: Position) -> str:
        """The text between two places."""
        lines = self.lines[start[0] - 1 : end[0]]
        # The end first: on one line, it is counted from the line's start.
        lines[-1] = lines[-1][: end[1] - 1]
        lines[0] = lines[0][start[1] - 1 :]
        return "\n".join(lines)

    def region(self, start: Position, end: Position) -> om.Region:
        """A region with its text, unless there is too much of it."""
        text = self.cut(start, end)
        snippet = om.ArtifactContent(text=text) if 0 < len(text) <= MOST_SNIPPET else None
        return _region(start, end, snippet)

    def context(self, start: Position, end: Position) -> om.Region | None:
        """Some lines around a region, or some columns where lines are long; None where nothing is around it."""
        around = (max(1, start[0] - CONTEXT_LINES), 1), self.end(min(self.last, end[0] + CONTEXT_LINES))
        beside = (start[0], max(1, start[1] - CONTEXT_COLUMNS)), self.nearest(end[0], end[1] + CONTEXT_COLUMNS)
        for wider in (around, beside):
            # It must be larger than the region (section 3.29.5).
            if wider[0] <= start and end <= wider[1] and wider != (start, end):
                found = self.region(*wider)
                if found.snippet is not None:
                    return found
        return None


def _region(start: Position, end: Position, snippet: om.ArtifactContent | None = None) -> om.Region:
    return om.Region(start_line=start[0], start_column=start[1], end_line=end[0], end_column=end[1], snippet=snippet)


@dataclass(frozen=True)
class Places:
    """The documents of a report, as a log refers to them. ``pages`` fills as they are looked into."""

    documents: Mapping[str, Document]
    indices: Mapping[str, int]
    pages: dict[str, _Page] = field(default_factory=dict)

    @classmethod
    def of(cls, part: Checked, before: int) -> Places:
        """The places of a part of the report, with so many documents before its own."""
        names = (document.name for document in unique(part.report.documents))
        return cls(part.documents, {name: index for index, name in enumerate(names, start=before)})

    def artifact(self, name: str) -> om.ArtifactLocation:
        """A document, by its name and its place among the artifacts. One that could not be read has no such place.

        A name is bytes to the system, and what is not UTF-8 in it came as lone surrogates. Colons are encoded too,
        since what stands before one in the first segment would be a scheme (RFC 3986, section 4.2).
        """
        uri = quote(name.encode("utf-8", "surrogateescape"), safe="/").lstrip("/")
        return om.ArtifactLocation(uri=uri, uri_base_id=ROOT, index=self.indices.get(name, -1))

    def location(
        self,
        place: ReportedLocation | None,
        label: str | None = None,
        step: PathStep | None = None,
        host: str = "",
        *,
        id: int = -1,
        context: bool = False,
    ) -> om.Location:
        """A place with what is to be seen there, and the chain that it is in where a step of a path tells.

        An ``id`` of -1 is none.
        """
        return om.Location(
            id=id,
            message=message(label) if label else None,
            physical_location=self._physical(place, context) if place else None,
            logical_locations=[logical(host, "chain", step.table, step.chain)] if step else None,
        )

    def _physical(self, place: ReportedLocation, context: bool) -> om.PhysicalLocation:
        artifact = self.artifact(place.document)
        document = self.documents.get(place.document)
        if document is None:
            region = _region((place.line, place.column), (place.end_line, place.end_column))
            return om.PhysicalLocation(artifact_location=artifact, region=region)
        if document.is_binary:
            # There are no lines in it (section 3.30.1).
            return om.PhysicalLocation(artifact_location=artifact)
        page = self._page(document)
        start, end = page.nearest(place.line, place.column), page.nearest(place.end_line, place.end_column)
        if start >= end:
            # Editors show nothing of an empty region.
            start, end = (start[0], 1), page.end(start[0])
        return om.PhysicalLocation(
            artifact_location=artifact,
            region=page.region(start, end),
            context_region=page.context(start, end) if context else None,
        )

    def _page(self, document: Document) -> _Page:
        if document.name not in self.pages:
            self.pages[document.name] = _Page(document.text)
        return self.pages[document.name]


def logical(host: str, kind: str, *names: str) -> om.LogicalLocation:
    """A host, or what its name is followed by: a table and a chain."""
    path = (host, *names)
    return om.LogicalLocation(name=path[-1], fully_qualified_name="/".join(path), kind=kind)


def artifact_of(document: ReportedDocument, places: Places) -> om.Artifact:
    """A document of the report."""
    return om.Artifact(
        location=places.artifact(document.name),
        length=document.bytes,
        # Of the bytes as read, so that sha256sum says the same.
        hashes={"sha-256": document.sha256},
        roles=["analysisTarget"],
        properties={"kind": document.kind, "host": document.host},
    )


def unique(documents: Iterable[ReportedDocument]) -> list[ReportedDocument]:
    """Each document once: a file that is named beside its folder belongs to two hosts."""
    first: dict[str, ReportedDocument] = {}
    for document in documents:
        first.setdefault(document.name, document)
    return list(first.values())
