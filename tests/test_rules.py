"""Runs the cases of tests/rules/*.md: one file a rule, one case a heading (the format is icclint.testing's)."""

from __future__ import annotations

from pathlib import Path

import pytest
from icclint_rules import RULES

from icclint.rule import Rule
from icclint.testing import Case, cases, run_case

CASES = Path(__file__).parent / "rules"
ALL = [case for path in sorted(CASES.glob("*.md")) for case in cases(path)]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_case(case: Case) -> None:
    assert run_case(case, RULES) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_has_a_case_that_fires_and_one_that_is_silent(rule: Rule) -> None:
    own = [case for case in ALL if case.rule == rule.id]
    assert any(case.marked for case in own)
    assert any(case.is_silent for case in own)


def test_each_file_of_cases_is_named_after_a_rule() -> None:
    assert {case.rule for case in ALL} <= {rule.id for rule in RULES}
