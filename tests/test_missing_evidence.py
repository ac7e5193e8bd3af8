"""Less evidence may make a finding less sure, or leave its question open. It must never make it vanish."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from icclint_rules import RULES

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.report import Report
from tests import captured

Lost = Callable[[str], bool]

LOST: dict[str, Lost] = {
    "ip6tables": lambda name: name.startswith("ip6tables"),
    "all of iptables": lambda name: name.startswith("ip"),
    "the saves, so that tables raw and mangle are not known": lambda name: name.endswith("-save.txt"),
    "the networks": lambda name: name == "networks.json",
    "the containers": lambda name: name == "containers.json",
    "the settings": lambda name: name == "sysctl.txt",
    "the word of nftables": lambda name: name == "nft-ruleset.txt",
}


def without(name: str, lost: Lost) -> Report:
    full = captured.capture(name)
    kept = tuple((document, kind) for document, kind in full.documents if not lost(document.name))
    return check([Capture(full.host, kept, full.gaps)], RULES)


@cache
def whole(name: str) -> Report:
    return check([captured.capture(name)], RULES)


@cache
def yielding(name: str) -> Report:
    return check([captured.capture(name)], [rule for rule in RULES if rule.yields])


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("name", captured.NAMES)
def test_a_finding_stays_or_becomes_a_question_and_none_is_made_up(name: str, lost: Lost) -> None:
    before, after = whole(name), without(name, lost)
    still = {(finding.rule, finding.subject) for finding in after.findings}
    open_questions = {word.rule for word in after.not_assessed}
    # Where the engine's own rules may be elsewhere, that one question stands for all that would be asked of them.
    elsewhere = "no-docker-rules" in open_questions
    for finding in before.findings:
        known = (finding.rule, finding.subject) in still or finding.rule in open_questions
        assert known or elsewhere, finding.message
    # What a rule that yields has to say may have been a part of another rule's finding.
    everything = (*before.findings, *yielding(name).findings)
    known = {(finding.rule, finding.subject, finding.message) for finding in everything}
    for finding in after.findings:
        assert finding.confidence == "possible" or (finding.rule, finding.subject, finding.message) in known
