"""A rule's page with the facts of the rule: as Markdown for the documentation and code scanning, and for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import click

from icclint.rule import Rule

# Not within an address.
_NAMED = re.compile(r"(?<![\w/=-])(?:CWE-(?P<weakness>\d+)|CVE-\d{4}-\d{4,})\b")


def _facts(rule: Rule) -> dict[str, str]:
    """What is to be known of a rule beside its page, but for the evidence that it needs."""
    return {
        "Severity": rule.severity.value,
        "Profile": rule.profile.value,
        "Family": rule.family,
        "Since": rule.since,
    }


def _evidence(rule: Rule) -> list[str]:
    """The commands whose outputs a rule cannot do without."""
    return sorted(need.value for need in rule.needs)


def markdown(rule: Rule) -> str:
    """The page as Markdown, with its title, its facts, and links to the weaknesses and vulnerabilities it names."""
    summary, _, rest = rule.page.strip().partition("\n")
    listed = [f"- {name}: {value}" for name, value in _facts(rule).items()]
    if rule.needs:
        listed.append(f"- Needs: {', '.join(f'`{command}`' for command in _evidence(rule))}")
    sections, heading, references = rest.partition("## References\n")
    linked = f"{sections}{heading}{_NAMED.sub(_link, references)}"
    return "\n\n".join(part for part in (f"# {rule.id}", summary, "\n".join(listed), linked.strip()) if part) + "\n"


def _link(name: re.Match[str]) -> str:
    if name["weakness"]:
        return f"[{name[0]}](https://cwe.mitre.org/data/definitions/{name['weakness']}.html)"
    return f"[{name[0]}](https://www.cve.org/CVERecord?id={name[0]})"


def terminal(rule: Rule, width: int) -> Iterator[str]:
    """The page for a terminal, line by line and with ANSI styles; only prose is wrapped, to ``width`` columns."""
    summary, _, sections = rule.page.strip().partition("\n")
    yield click.style(rule.id, bold=True)
    yield from _wrapped(summary, width)
    yield ""
    shown = [*_facts(rule).items(), *(("Needs", command) for command in _evidence(rule))]
    yield from (f"  {name + ':':<9} {value}" for name, value in shown)
    for block in re.split(r"\n(?:[ ]*\n)+", sections.strip("\n")):
        yield ""
        yield from _block(block, width)


def _block(block: str, width: int) -> Iterator[str]:
    """A paragraph, a list, a heading, or lines that stay as they are."""
    if block.startswith("## "):
        yield click.style(block.removeprefix("## "), bold=True)
    elif block.startswith("- "):
        for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:]:
            yield from _wrapped(item, width, "- ")
    elif block.startswith(("    ", "```", "|")):
        yield from block.split("\n")
    else:
        yield from _wrapped(block, width)


def _wrapped(text: str, width: int, mark: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        # Names of settings and options are full of hyphens.
        break_on_hyphens=False,
        break_long_words=False,
    )
