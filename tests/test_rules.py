"""Runs the cases of tests/rules/*.md: one file a rule, one case a heading.

A case is a host: its fenced blocks are documents, named by their info string. A line that the rule must point at ends
in ``# finding`` (``// finding`` in JSON); whatever is not marked must not be reported. An ``expect`` block says more:
``possible`` (each finding hangs on assumptions), ``message: TEXT`` (a part of a message), ``not assessed: COMMAND``
(``nothing`` where no command would tell).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from icclint_rules import RULES

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.parse.kind import kind_of
from icclint.report import Report
from icclint.source import Document

CASES = Path(__file__).parent / "rules"
MARK = re.compile(r"\s*(?:#|//) finding$", re.MULTILINE)


@dataclass
class Case:
    """One host and what is to be found on it."""

    rule: str
    title: str
    documents: dict[str, str] = field(default_factory=dict)
    expect: list[str] = field(default_factory=list)

    def marked(self) -> set[tuple[str, int]]:
        return {
            (name, number)
            for name, text in self.documents.items()
            for number, line in enumerate(text.splitlines(), start=1)
            if MARK.search(line)
        }

    def report(self) -> Report:
        documents = [Document(name, MARK.sub("", text).encode()) for name, text in sorted(self.documents.items())]
        capture = Capture("host", tuple((document, kind_of(document)) for document in documents), ())
        return check([capture], [rule for rule in RULES if rule.id == self.rule])

    def expected(self, key: str) -> list[str]:
        return [line.removeprefix(f"{key}: ") for line in self.expect if line.startswith(f"{key}: ")]


def cases(path: Path) -> Iterator[Case]:
    for part in path.read_text().split("\n## ")[1:]:
        case = Case(path.stem, part.partition("\n")[0])
        for info, text in re.findall(r"^```(\S+)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL):
            if info == "expect":
                case.expect = text.splitlines()
            else:
                assert info not in case.documents, f"{path.name}: {case.title}: two blocks are called {info}"
                case.documents[info] = text
        yield case


ALL = [case for path in sorted(CASES.glob("*.md")) for case in cases(path)]


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.rule}: {case.title}")
def test_case(case: Case) -> None:
    report = case.report()
    found = {(finding.location.document, finding.location.line) for finding in report.findings}
    assert found == case.marked(), [finding.message for finding in report.findings]
    assert {word.capture_with or "nothing" for word in report.not_assessed} == set(case.expected("not assessed"))
    confidence = "possible" if "possible" in case.expect else "certain"
    assert all(finding.confidence == confidence for finding in report.findings), report.findings[0].assumptions
    for text in case.expected("message"):
        assert any(text in finding.message for finding in report.findings), [f.message for f in report.findings]
    assert not report.crashes
    unknown = [line for line in case.expect if line.partition(":")[0] not in ("possible", "message", "not assessed")]
    assert not unknown


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_has_a_case_that_fires_and_one_that_is_silent(rule: object) -> None:
    own = [case for case in ALL if case.rule == rule.id]  # type: ignore[attr-defined]
    assert any(case.marked() for case in own)
    assert any(not case.marked() and not case.expect for case in own)


def test_each_file_of_cases_is_named_after_a_rule() -> None:
    assert {case.rule for case in ALL} <= {rule.id for rule in RULES}
