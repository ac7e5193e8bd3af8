"""The pages of rules: what is read from their references, and how they look on a terminal."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest
from icclint_rules import RULES

from icclint.output.page import markdown, terminal
from icclint.references import BenchmarkItem, References, read_references
from icclint.rule import Evidence, Profile, Rule

PAGE = """A network is open.

## What it detects

Whatever `net.bridge.bridge-nf-call-iptables` says, in a paragraph that is longer than a line of the terminal may be.

## Example

    -A FORWARD -i docker0 -o docker0 -m comment --comment "a line that stays as long as it is" -j ACCEPT

## References

- CWE-923, CWE-284
- CVE-2025-54410: a reload of firewalld takes the rules away, and these words go on so that they are wrapped
  on lines of their own
- https://example.org/CWE-1/CVE-2020-0001
"""


@pytest.fixture
def rule() -> Rule:
    needs = frozenset({Evidence.SYSCTLS, Evidence.IPTABLES})
    return replace(RULES[0], id="open", profile=Profile.AUDIT, needs=needs, page=PAGE)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("- CWE-923, CWE-79: why\n- CWE-923", References(weaknesses=(923, 79))),
        (
            "- CIS Docker Benchmark 1.8.0, 2.2 (2.1 up to 1.2.0): network traffic",
            References(benchmark_items=(BenchmarkItem("1.8.0", "2.2"),)),
        ),
        (
            "- CIS Docker Benchmark 1.8.0, 2.2, 5.30, which speaks of more",
            References(benchmark_items=(BenchmarkItem("1.8.0", "2.2"), BenchmarkItem("1.8.0", "5.30"))),
        ),
        ("- CVE-2025-54410: words", References(vulnerabilities=("CVE-2025-54410",))),
        (
            "- https://example.org/a_b/1#L2, https://example.org/c: words\n- https://example.org/d.",
            References(links=("https://example.org/a_b/1#L2", "https://example.org/c", "https://example.org/d")),
        ),
        (
            "- something\n  that goes on with CWE-1 and\n  https://example.org/x.go",
            References(weaknesses=(1,), links=("https://example.org/x.go",)),
        ),
        ("- moby, iptabler/network.go: the DROP itself", References()),
        ("CWE-1 in a sentence that is no item", References()),
        ("", References()),
    ],
)
def test_references_are_read_from_list_items(items: str, expected: References) -> None:
    assert read_references(items) == expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_a_built_in_rule_refers_to_is_understood(rule: Rule) -> None:
    section = rule.section("References")
    assert bool(rule.references.weaknesses) == ("CWE" in section)
    assert bool(rule.references.benchmark_items) == ("CIS" in section)
    assert section.count("https://") == len(rule.references.links)


def test_a_page_on_a_terminal_wraps_prose_and_nothing_else(rule: Rule) -> None:
    lines = [click.unstyle(line) for line in terminal(rule, 48)]
    assert lines[:2] == ["open", "A network is open."]
    assert [line for line in lines if "audit" in line] == ["  Profile:  audit"]
    assert [line.split()[-1] for line in lines if line.startswith("  Needs:")] == ["iptables-save", "-a"]
    assert (
        '    -A FORWARD -i docker0 -o docker0 -m comment --comment "a line that stays as long as it is" -j ACCEPT'
        in lines
    )
    assert "`net.bridge.bridge-nf-call-iptables`" in " ".join(lines)
    prose = [line for line in lines if not line.startswith("    ")]
    assert max(map(len, prose)) <= 48
    first = lines.index(next(line for line in lines if line.startswith("- CVE")))
    assert all(line.startswith("  ") for line in lines[first + 1 : -1])


def test_a_page_as_markdown_has_links(rule: Rule) -> None:
    page = markdown(rule)
    assert page.startswith("# open\n\nA network is open.\n\n- Severity: high\n- Profile: audit\n")
    assert "- Needs: `iptables-save`, `sysctl -a`\n\n## What it detects\n" in page
    assert "[CWE-284](https://cwe.mitre.org/data/definitions/284.html)" in page
    assert "\n- https://example.org/CWE-1/CVE-2020-0001\n" in page
    assert "[CVE-2025-54410](https://www.cve.org/CVERecord?id=CVE-2025-54410)" in page


def test_a_rule_without_a_page_still_has_its_facts(rule: Rule) -> None:
    bare = replace(rule, page="", needs=frozenset())
    assert markdown(bare) == "# open\n\n- Severity: high\n- Profile: audit\n- Family: icc\n- Since: 0.1\n"
    assert "  Since:    0.1" in terminal(bare, 40)
