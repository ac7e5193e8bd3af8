"""Runs the cases of tests/dumps/*.md: dumps, and the rulesets that they become.

A case is a host. Its fenced blocks are documents, named by their info string, but for three: ``rules`` lists the rules
that are expected, ``ruleset`` the whole outline, and ``gaps`` what is not understood (none where there is no such
block). tests/notation.py explains how they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.dump import CUT
from icclint.parse.iptables import parse_dump
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap, Span
from tests import notation

CASES = Path(__file__).parent / "dumps"
EXPECTED = ("rules", "ruleset", "gaps")


@dataclass
class Case:
    """One host and what its dumps become."""

    title: str
    documents: list[Document] = field(default_factory=list)
    expected: dict[str, list[str]] = field(default_factory=dict)

    def lowered(self) -> tuple[Host, tuple[Gap, ...]]:
        return lower_host("host", [(document, kind_of(document)) for document in self.documents])


def cases(path: Path) -> Iterator[Case]:
    for part in path.read_text(encoding="utf-8").split("\n## ")[1:]:
        case = Case(f"{path.stem}: {part.partition(chr(10))[0]}")
        for info, text in re.findall(r"^```(\S+)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL):
            if info in EXPECTED:
                case.expected[info] = text.splitlines()
            else:
                case.documents.append(Document(info, text.encode()))
        yield case


ALL = [case for path in sorted(CASES.glob("*.md")) for case in cases(path)]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_case(case: Case) -> None:
    host, gaps = case.lowered()
    assert list(notation.gaps(gaps)) == case.expected.get("gaps", [])
    assert case.expected.keys() & {"rules", "ruleset"} or not host.rulesets
    if "rules" in case.expected:
        assert list(notation.rules(host.rulesets)) == case.expected["rules"]
    if "ruleset" in case.expected:
        assert list(notation.outline(host.rulesets)) == case.expected["ruleset"]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_the_order_of_documents_says_nothing(case: Case) -> None:
    backwards = lower_host("host", [(document, kind_of(document)) for document in reversed(case.documents)])
    assert backwards == case.lowered()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_a_document_of_a_case_is_told_by_its_content(case: Case) -> None:
    assert {kind_of(document) for document in case.documents} <= {Kind.IPTABLES, Kind.NOT_READ}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title)
def test_every_text_is_what_stands_at_its_place(case: Case) -> None:
    for document in case.documents:
        for table in parse_dump(document).tables:
            for command in table.commands:
                if not table.listed and command.kind != CUT:
                    assert "".join(text_at(document, command.span).split()) == "".join(command.text.split())


def text_at(document: Document, span: Span) -> str:
    """What stands at a place; a rule that was broken stands on several lines."""
    lines = list(document.lines[span.line - 1 : span.end_line])
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "".join(lines)
