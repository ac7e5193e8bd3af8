"""``iptables -L`` against ``iptables-save``: what a real iptables prints of the same rules in two ways.

The rulesets are those of the captures, and each rule of tests/dumps/options.md that this iptables takes.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from icclint.ir.match import Match, OpaqueMatch, UnknownTarget
from icclint.ir.ruleset import Rule, Table
from icclint.lower.host import lower_host
from icclint.parse.kind import kind_of
from icclint.source import Document
from tests import captured, notation
from tests.kernel.lab import FAMILIES, VARIANTS, Lab, Namespace

pytestmark = pytest.mark.kernel

TOOL = {4: "iptables", 6: "ip6tables"}
TABLES = ("filter", "nat", "raw", "mangle")
OPTIONS = (Path(__file__).parent.parent / "dumps" / "options.md").read_text()
FULL, NUMBERED, NUMERIC, NAMED = ("-n", "-v", "-x"), ("-nv", "--line-numbers"), ("-n",), ()
SHOWS_NOTHING = "-m eui64"
"""The one match of iptables 1.8.9 that a listing does not show at all."""


def listing(family: int, variant: str, name: str, *flags: str) -> Table:
    return table(family, name, said(f"{TOOL[family]}-{variant}", "-t", name, "-L", *flags))


def save(family: int, variant: str, name: str) -> Table:
    return table(family, name, said(f"{TOOL[family]}-{variant}-save", "-t", name))


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def table(family: int, name: str, text: str) -> Table:
    """One table of what a command printed; there must be no gap in it."""
    document = Document(f"{TOOL[family]}-output", text.encode())
    host, gaps = lower_host("host", [(document, kind_of(document))])
    assert not gaps
    (ruleset,) = host.rulesets
    assert ruleset.family == family
    return ruleset.tables[name]


def rules(one: Table) -> Iterator[Rule]:
    return (rule for chain in one.chains.values() for rule in chain.rules)


def outline(one: Table, family: int) -> list[tuple[str, str | None, list[str]]]:
    return [(c.name, c.policy, [notation.rule_line(rule, family) for rule in c.rules]) for c in one.chains.values()]


def without_logging(one: Table) -> list[str]:
    """The rules as text. Of what LOG writes, a listing is not read."""
    return [re.sub(r"-j LOG .*", "-j LOG", rule.text) for rule in rules(one)]


def restored(family: int, variant: str, text: str) -> bool:
    """Adds rules, where iptables takes them."""
    command = [f"{TOOL[family]}-{variant}-restore", "--noflush"]
    return subprocess.run(command, input=text, check=False, capture_output=True, text=True).returncode == 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", captured.NAMES)
def test_a_listing_in_full_is_the_same_ruleset(lab: Lab, name: str, family: int, variant: str) -> None:
    host = Namespace()
    with host.entered():
        assert restored(family, variant, (captured.ROOT / name / f"{TOOL[family]}-save.txt").read_text())
        for of in TABLES:
            saved, listed = save(family, variant, of), listing(family, variant, of, *FULL)
            assert outline(listed, family) == outline(saved, family)
            assert without_logging(listed) == without_logging(saved)
            assert listed.complete
    host.close()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", captured.NAMES)
def test_a_listing_in_part_says_nothing_that_is_not_so(lab: Lab, name: str, variant: str) -> None:
    host = Namespace()
    with host.entered():
        assert restored(4, variant, (captured.ROOT / name / "iptables-save.txt").read_text())
        for flags in (NUMERIC, NAMED):
            compare(save(4, variant, "filter"), listing(4, variant, "filter", *flags))
    host.close()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_option_as_a_listing_prints_it(lab: Lab, family: int, variant: str) -> None:
    lines = re.findall(r"^-A (?:FORWARD|OUTPUT|PREROUTING|POSTROUTING) .*$", OPTIONS, re.MULTILINE)
    host = Namespace()
    with host.entered():
        for line in lines:
            if SHOWS_NOTHING not in line:
                any(restored(family, variant, f"*{of}\n:OTHER -\n{line}\nCOMMIT\n") for of in TABLES)
        for of, flags in product(TABLES, (FULL, NUMBERED, NUMERIC, NAMED)):
            compare(save(family, variant, of), listing(family, variant, of, *flags))
        assert len(list(rules(save(family, variant, "filter")))) > 50
    host.close()


def compare(saved: Table, listed: Table) -> None:
    for short, full in zip(rules(listed), rules(saved), strict=True):
        assert no_surer(short, full), (short.text, full.text)


def no_surer(short: Rule, full: Rule) -> bool:
    """Whether a rule as listed says nothing but what the rule as saved says, and knows where it lacks something."""
    said, meant = ({meaning(match) for match in rule.matches if known(match)} for rule in (short, full))
    lacks = meant - said or any(not known(match) for match in full.matches)
    admitted = not lacks or any(not known(match) for match in short.matches)
    ends_alike = isinstance(short.target, UnknownTarget) or notation.target(short.target, 4) == notation.target(
        full.target, 4
    )
    return said <= meant and admitted and ends_alike


def known(match: Match) -> bool:
    return not isinstance(match, OpaqueMatch)


def meaning(match: Match) -> str:
    return match.model_copy(update={"text": ""}).model_dump_json(warnings=False)
