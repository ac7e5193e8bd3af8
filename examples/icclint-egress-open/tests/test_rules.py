"""Runs the cases beside this file: one file a rule, one case a heading (the format is icclint.testing's)."""

from pathlib import Path

import pytest
from icclint.testing import cases, run_case

from icclint_egress_open import RULES

CASES = [case for path in sorted(Path(__file__).parent.glob("*.md")) for case in cases(path)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case):
    assert run_case(case, RULES) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_has_a_case_that_fires_and_one_that_is_silent(rule):
    own = [case for case in CASES if case.rule == rule.id]
    assert any(case.marked for case in own)
    assert any(case.is_silent for case in own)
