"""JSON that is read, and SARIF that is written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from icclint_rules import RULES

from benchmarks.inputs import ROOT
from benchmarks.measure import Call
from icclint.capture.read import read_captures
from icclint.checked import Checked
from icclint.engine import check
from icclint.output.delivery import Delivery
from icclint.output.sarif import render_sarif
from icclint.parse.inspect import InspectedObjects, read_inspected
from icclint.parse.json import parse_json
from icclint.report import Report
from icclint.source import Document, Span

CAPTURE = ROOT / "samples" / "28.5.2" / "icc-off-but-accept"


def inspect(path: Path) -> Call:
    """The models of what ``docker network inspect`` prints, and the place of the very last address."""

    def read(document: Document) -> tuple[InspectedObjects, Span | None]:
        found = read_inspected(parse_json(document))
        last = found.networks[-1]
        return found, last.span("Containers", next(reversed(last.value.Containers)), "IPv4Address")

    def compare(document: Document, read: tuple[InspectedObjects, Span | None]) -> None:
        found, span = read
        loaded = json.loads(document.text)
        named = [(one.value.Name, [end.Name for end in one.value.Containers.values()]) for one in found.networks]
        assert named == [(one["Name"], [end["Name"] for end in one["Containers"].values()]) for one in loaded]
        assert span is not None
        last = next(reversed(loaded[-1]["Containers"].values()))["IPv4Address"]
        assert document.lines[span.line - 1].strip().rstrip(",") == f'"IPv4Address": "{last}"'

    return Call(lambda: Document("networks.json", path.read_bytes()), read, compare)


def loads(path: Path) -> Call:
    """Python's own reader of the same."""
    return Call(path.read_text, json.loads, lambda given, value: None)


def sarif(path: Path) -> Call:
    """The log of as many findings as the name of the input says."""

    def write(report: Report) -> None:
        with open(os.devnull, "w") as log:
            log.writelines(_log(report))

    def compare(report: Report, _: None) -> None:
        written = len(json.loads("".join(_log(report)))["runs"][0]["results"])
        assert written == len(report.findings), f"{written} results of {len(report.findings)} findings"

    return Call(lambda: _report(path), write, compare)


def findings(path: Path) -> Call:
    """The same findings, and no log."""
    return Call(lambda: _report(path), lambda report: None, lambda report, _: None)


def dumps(path: Path) -> Call:
    """Python's own writer of the same log."""
    return Call(lambda: json.loads("".join(_log(_report(path)))), json.dumps, lambda log, written: None)


def _report(path: Path) -> Report:
    """Copies of one finding of a sample, with a packet's path."""
    (capture,), _ = read_captures([str(CAPTURE)], ROOT)
    report = check([capture], RULES)
    first = next(one for one in report.findings if one.path)
    count = int(path.name.partition("-")[2])
    copies = (first.model_copy(update={"fingerprint": f"{number:064x}:1"}) for number in range(count))
    return report.model_copy(update={"findings": tuple(copies)})


def _log(report: Report) -> Iterator[str]:
    (capture,), _ = read_captures([str(CAPTURE)], ROOT)
    documents = {document.name: document for document, _ in capture.documents}
    return (line + "\n" for line in render_sarif([Checked(report, documents)], RULES, Delivery()))
