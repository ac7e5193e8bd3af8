"""The tool, its rules and its notices: what the log looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sarif_om as om

from icclint import __version__
from icclint.output.page import markdown
from icclint.output.sarif.notices import NOTICES, Notice
from icclint.output.sarif.results import MESSAGES, WEIGHTS
from icclint.output.sarif.taxonomies import Taxa, classified, component_reference, relationship
from icclint.output.sarif.text import MOST_DESCRIPTION, clipped

if TYPE_CHECKING:
    from icclint.rule import Rule

HOME = "https://github.com/icclint/icclint"
MOST_TAGS = 10
"""GitLab takes no more of a rule, GitHub refuses more than 20."""


def driver(rules: Sequence[Rule], taxa: Taxa) -> om.ToolComponent:
    """The tool with all rules that ran, whether they found anything or not: so the log says what was looked for."""
    return om.ToolComponent(
        name="icclint",
        full_name=f"icclint {__version__}: Docker's network claims against captured iptables rules",
        organization="icclint",
        information_uri=HOME,
        version=__version__,
        semantic_version=__version__,
        rules=[_rule(rule, taxa) for rule in rules],
        notifications=[_notification_descriptor(notice) for notice in NOTICES],
        supported_taxonomies=[component_reference(taxonomy) for taxonomy in taxa] or None,
    )


def _rule(rule: Rule, taxa: Taxa) -> om.ReportingDescriptor:
    weight = WEIGHTS[rule.severity.value]
    uri = _help_uri(rule)
    # GitHub wants all of these texts, and rules of other packages may have no page.
    summary = rule.summary or f"{rule.id}."
    detects = " ".join(rule.section("What it detects").split())
    return om.ReportingDescriptor(
        id=rule.id,
        name=_pascal_case(rule.id),
        short_description=_described(summary),
        full_description=_described(detects or summary),
        message_strings={key: om.MultiformatMessageString(text=text) for key, text in MESSAGES.items()},
        default_configuration=om.ReportingConfiguration(level=weight.level, rank=weight.rank),
        help_uri=uri,
        help=om.MultiformatMessageString(
            text=rule.page.strip() or summary,
            # GitHub shows the help and no help URI.
            markdown=f"{markdown(rule)}\n[This page with examples]({uri})\n" if uri else markdown(rule),
        ),
        relationships=[relationship(taxonomy, name, taxa) for taxonomy, name in classified(rule)] or None,
        properties={
            "tags": ["security", "docker", "iptables", *_weakness_tags(rule)][:MOST_TAGS],
            # A finding has a packet that proves it, or names what it assumes.
            "precision": "very-high",
            "problem.severity": weight.problem,
            "security-severity": weight.score,
        },
    )


def _help_uri(rule: Rule) -> str | None:
    """Where the page of a built-in rule stands. Other packages have other homes."""
    if rule.check.__module__.partition(".")[0] != "icclint_rules":
        return None
    return f"{HOME}/blob/main/docs/rules/{rule.id}.md"


def _weakness_tags(rule: Rule) -> list[str]:
    """The form in which CodeQL tags its rules, and by which GitHub finds weaknesses."""
    return [f"external/cwe/cwe-{number:03}" for number in rule.references.weaknesses]


def _notification_descriptor(notice: Notice) -> om.ReportingDescriptor:
    return om.ReportingDescriptor(
        id=notice.id,
        name=_pascal_case(notice.id),
        short_description=_described(notice.summary),
        full_description=_described(notice.summary),
        help=_described(notice.help),
        default_configuration=om.ReportingConfiguration(level=notice.level),
    )


def _pascal_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _described(text: str) -> om.MultiformatMessageString:
    return om.MultiformatMessageString(text=clipped(text, MOST_DESCRIPTION))
