"""The log, its runs, and how much of them readers accept."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING

import sarif_om as om

from icclint.checked import Checked, joined
from icclint.output.delivery import Delivery
from icclint.output.items import separated
from icclint.output.sarif.notices import (
    MISSING,
    SHORTENED,
    Notes,
    notification,
    notifications,
    of_idle_acceptance,
    of_shortened,
)
from icclint.output.sarif.places import ROOT, Places, artifact_of, unique
from icclint.output.sarif.results import WEIGHTS, absent, result_of, some_place, suppressions_of
from icclint.output.sarif.taxonomies import component, taxa_of
from icclint.output.sarif.text import message
from icclint.output.sarif.tool import driver
from icclint.output.sarif.writer import line_of, with_items
from icclint.report import Report, ReportedFinding
from icclint.spool import Spool

if TYPE_CHECKING:
    from icclint.rule import Rule

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 25_000
"""GitHub refuses a run with more."""
MOST_PACKED = 9_000_000
"""GitHub refuses a log of more than 10 MB of gzip; results end here, as what follows them takes room too."""


def render_sarif(parts: Iterable[Checked], rules: Sequence[Rule], delivery: Delivery) -> Iterator[str]:
    """The log, line by line: one line for each result and each document, and one for each other member of a run.

    ``rules`` are those that ran, in the order of the registry. Results of several hosts come the worst first.
    """
    room = _Room()
    runs = (_Run(rules, delivery, room).lines(run) for run in _runs(parts, delivery))
    log = om.SarifLog(schema_uri=SCHEMA, version="2.1.0", runs=[])
    yield from map(room.with_line, with_items(log, {"runs": separated(runs)}))


def _runs(parts: Iterable[Checked], delivery: Delivery) -> Iterator[Iterable[Checked]]:
    """What each run tells of."""
    if not delivery.per_host:
        yield parts
        return
    by_host = ("documents", "findings", "not_assessed", "gaps", "crashes", "accepted", "gone")
    whole = joined(parts)
    for host in whole.report.hosts:
        told = {key: tuple(one for one in getattr(whole.report, key) if one.host == host.name) for key in by_host}
        yield [replace(whole, report=whole.report.model_copy(update={"hosts": (host,)} | told))]


class _Room:
    """What gzip makes of the lines so far. Level 1 packs least, so that no other level makes more of them."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(1)
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._bytes > MOST_PACKED

    def with_line(self, line: str) -> str:
        """The line, which is counted."""
        self._bytes += len(self._packer.compress(line.encode()))
        return line


class _Run:
    """One run of the log."""

    def __init__(self, rules: Sequence[Rule], delivery: Delivery, room: _Room) -> None:
        self._rules = rules
        self._order = {rule.id: index for index, rule in enumerate(rules)}
        self._delivery = delivery
        self._room = room
        self._hosts: list[tuple[str, list[str]]] = []
        self._artifacts = Spool[str]()
        self._results: dict[str, Spool[str]] = {name: Spool() for name in (*WEIGHTS, "accepted", "gone")}
        self._notes = Notes()
        self._idle: list[om.Notification] = []
        self._written = 0

    def lines(self, parts: Iterable[Checked]) -> Iterator[str]:
        """The run line by line. What is said of the run as a whole comes after the results, when it is known."""
        complete = True
        for part in parts:
            self._take(part.report, Places.of(part, len(self._artifacts)))
            complete &= part.report.complete
        if not complete:
            self._notes.add(MISSING, notification(MISSING, "A path that was named gave no capture."))
        arrays = {
            "artifacts": separated([line] for line in self._artifacts),
            "results": separated([line] for line in self._fitting()),
            "invocations": self._closing(),
        }
        return with_items(self._frame(), arrays)

    def _take(self, report: Report, places: Places) -> None:
        """Puts aside what the run says of a part of the report."""
        self._hosts += ((host.name, [found.releases for found in host.rules_of]) for host in report.hosts)
        for document in unique(report.documents):
            self._artifacts.append(line_of(artifact_of(document, places)))
        for finding in report.findings:
            self._take_finding(finding.severity, finding, places)
        if self._delivery.show_all:
            for finding in report.accepted:
                self._take_finding("accepted", finding, places)
            for gone in report.gone:
                index = self._order[gone.rule]
                weight = WEIGHTS[self._rules[index].severity.value]
                self._results["gone"].append(
                    line_of(absent(gone, weight, index, some_place(report, gone.host, places)))
                )
        for notice, one in notifications(report, places, self._order, self._delivery.strict):
            self._notes.add(notice, one)
        self._idle += map(of_idle_acceptance, report.idle_acceptances)

    def _take_finding(self, group: str, finding: ReportedFinding, places: Places) -> None:
        suppressions = suppressions_of(finding) if self._delivery.show_all else None
        result = result_of(finding, places, self._order[finding.rule], suppressions)
        for one in of_shortened(finding, places):
            self._notes.add_of_result(group, len(self._results[group]), one)
        self._results[group].append(line_of(result))

    def _fitting(self) -> Iterator[str]:
        """The results for which there is room, the worst first."""
        for line in islice(chain.from_iterable(self._results.values()), MOST_RESULTS):
            if self._room.is_full:
                return
            self._written += 1
            yield line

    def _closing(self) -> Iterator[str]:
        left = sum(map(len, self._results.values())) - self._written
        if left:
            text = f"The {left} results after the first {self._written} are left out."
            self._notes.add(SHORTENED, notification(SHORTENED, text))
        starts = dict(zip(self._results, accumulate(map(len, self._results.values()), initial=0), strict=False))
        yield line_of(self._notes.invocation(lambda group, number: starts[group] + number < self._written, self._idle))

    def _frame(self) -> om.Run:
        """All that is neither an array of lines nor known after the results."""
        taxa = taxa_of(self._rules)
        id = self._delivery.id_of(self._hosts[0][0] if self._hosts else "")
        return om.Run(
            tool=om.Tool(driver=driver(self._rules, taxa)),
            automation_details=om.RunAutomationDetails(id=id) if id else None,
            taxonomies=[component(taxonomy, names) for taxonomy, names in taxa.items()] or None,
            # Columns count what Python counts, and a lone carriage return ends no line.
            column_kind="unicodeCodePoints",
            newline_sequences=["\r\n", "\n"],
            # Without a URI, since where a capture lies on this machine is nobody's business (section 3.14.14).
            original_uri_base_ids={ROOT: om.ArtifactLocation(description=message("The folder of the captures."))},
            properties={"hosts": [{"name": name, "rulesOf": releases} for name, releases in self._hosts]},
        )
