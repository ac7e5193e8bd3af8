"""The report as JUnit XML: a suite for each host, and in it a case for each rule and what it was asked of.

The elements are those that Jenkins, GitLab and the reporters for GitHub have in common. All times are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar
from xml.etree import ElementTree

from icclint.output.proof import marked, proof_lines
from icclint.output.visible import visible
from icclint.report import Report, ReportedCrash, ReportedFinding, ReportedGap, ReportedNotAssessed
from icclint.rule import Rule

Part = TypeVar("Part", ReportedFinding, ReportedNotAssessed, ReportedGap, ReportedCrash)


class _Case(NamedTuple):
    """A test case. ``outcome`` is the element that says what became of it, none where it passed."""

    name: str
    outcome: str = ""
    message: str = ""
    text: str = ""
    type: str = ""


def render_junit(reports: Iterable[Report], rules: Sequence[Rule]) -> Iterator[str]:
    """The document, suite by suite: what is broken failed, what cannot be told is skipped, and what holds passed.

    What is broken, and known or accepted, is skipped too, as nothing fails for it.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<testsuites name="icclint">'
    complete = True
    for report in reports:
        for host in report.hosts:
            yield _suite(host.name, list(_cases(report, rules, host.name)))
        complete &= report.complete
    if not complete:
        yield _suite("captures", [_Case("paths", "error", "a path that was named gave no capture")])
    yield "</testsuites>"


def _cases(report: Report, rules: Iterable[Rule], host: str) -> Iterator[_Case]:
    """The cases of a host. Readers know a case by its class and its name, so what shares both is one."""
    told = set()
    for name, findings in _named((*report.findings, *report.accepted), host, _question):
        told.add(findings[0].rule)
        text = "\n".join(line for finding in findings for line in _story(finding))
        counting = [finding for finding in findings if finding.acceptance is None and finding.state != "known"]
        first = (counting or findings)[0]
        yield _Case(name, "failure" if counting else "skipped", marked(first), text, first.severity)
    for name, words in _named(report.not_assessed, host, _question):
        told.add(words[0].rule)
        yield _Case(name, "skipped", words[0].reason, "\n".join(map(_lack, words)))
    for name, crashes in _named(report.crashes, host, lambda crash: crash.rule):
        told.add(name)
        yield _Case(name, "error", crashes[0].error.splitlines()[-1], "\n".join(crash.error for crash in crashes))
    for name, gaps in _named(report.gaps, host, lambda gap: f"reading {gap.location.document}"):
        outcome = "error" if any(gap.whole for gap in gaps) else "skipped"
        yield _Case(name, outcome, gaps[0].reason, "\n".join(map(_gap, gaps)))
    yield from (_Case(rule.id) for rule in rules if rule.id not in told)


def _question(part: ReportedFinding | ReportedNotAssessed) -> str:
    return f"{part.rule} ({part.subject})"


def _named(parts: Iterable[Part], host: str, name: Callable[[Part], str]) -> Iterable[tuple[str, list[Part]]]:
    """What is said of a host, by the name of its case."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        if part.host == host:
            found.setdefault(name(part), []).append(part)
    return found.items()


def _story(finding: ReportedFinding) -> Iterator[str]:
    yield f"{finding.location.document}:{finding.location.line}: {finding.message}"
    for related in finding.related:
        yield f"{related.location.document}:{related.location.line}: {related.message}"
    yield from proof_lines(finding)
    if finding.acceptance is not None:
        yield f"accepted: {finding.acceptance.reason}"


def _lack(word: ReportedNotAssessed) -> str:
    return f"{word.reason}; capture with: {word.capture_with}" if word.capture_with else word.reason


def _gap(gap: ReportedGap) -> str:
    place = f"{gap.location.document}:{gap.location.line}: {gap.reason}"
    return f"{place}: {gap.text}" if gap.text else place


def _suite(host: str, cases: Sequence[_Case]) -> str:
    suite = ElementTree.Element("testsuite", name=visible(host), tests=str(len(cases)), time="0")
    for attribute, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.outcome == outcome for case in cases)))
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", classname=_class(host), name=visible(case.name), time="0")
        if case.outcome:
            told = ElementTree.SubElement(element, case.outcome, message=visible(case.message))
            told.text = "\n".join(map(visible, case.text.split("\n")))
            if case.type:
                told.set("type", case.type)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode")


def _class(host: str) -> str:
    """Readers take what stands before the last dot of a class for its package, so other dots would be folders too."""
    return f"icclint.{visible(host).replace('.', '_').replace('/', '.')}"
