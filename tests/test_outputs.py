"""Outputs for other programs, each read by a parser of those who consume it, with captured text that means harm."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cmarkgfm
import junitparser
import pytest
from icclint_rules import RULES
from jsonschema import Draft7Validator

from icclint.capture.read import Capture, read_captures
from icclint.checked import Checked
from icclint.engine import check
from icclint.lower.host import lower_host
from icclint.output.delivery import Delivery
from icclint.output.formats import FILES, FORMATS, Run
from icclint.reach import Table, reach
from icclint.report import ReportedAcceptance, ReportedAssumption, ReportedCrash, ReportedGap, ReportedNotAssessed
from tests.captured import NAMES, capture

ROOT = Path(__file__).parent.parent
OTHERS = [name for name in FORMATS if name not in ("text", "json", "sarif", *FILES)]

HOSTILE = {
    "a workflow command": "\n::set-output name=exit-code::0\r\n##[set-output name=exit-code;]0",
    "properties of a command": "x,line=1::%0A::warning::%25",
    "elements": "]]></failure><script>alert(1)</script>&amp;<!--",
    "Markdown": "`*_~|\\ [x](https://evil.example) ![](//evil.example) <img src=x> \n\n# h\n| a | b |",
    "links": "@admin #1 https://evil.example www.evil.example mailto:me@evil.example",
    "a formula": "=HYPERLINK(\"https://evil.example\")",
    "another formula": "-2+3+cmd|' /C calc'!A1",
    "separators": 'a,b;c"d"\t\'e',
    "what steers a terminal": "\x1b[2J\x9b31m\x00\u202e\ufeff",
    "what no XML holds": "\x0b\ufffe\uffff\x7f\x85\u2028",
    "half a character": "\ud800 \udcff",
    "another script": "приём \U0001f512",
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A report and what a format makes of it."""

    checked: Checked

    def text(self, form: str) -> str:
        """The output, as it is written to a file: it must be UTF-8."""
        run = Run([self.checked], RULES, ("audit",), Delivery())
        lines = "".join(f"{line}\n" for line in FORMATS[form](run))
        return lines.encode("utf-8").decode("utf-8")

    def having(self, **changes: Any) -> Written:
        """The same with another report."""
        return Written(replace(self.checked, report=self.checked.report.model_copy(update=changes)))


def tables(captures: Iterable[Capture]) -> dict[str, Table]:
    return {one.host: reach(lower_host(one.host, one.documents)[0]) for one in captures}


@cache
def written(name: str) -> Written:
    found = capture(name)
    documents = {document.name: document for document, _ in found.documents}
    return Written(Checked(check([found], RULES), documents, tables([found])))


@cache
def several() -> Written:
    captures, errors = read_captures([str(ROOT / "samples" / "28.5.2")], ROOT)
    assert not errors
    documents = {document.name: document for found in captures for document, _ in found.documents}
    return Written(Checked(check(captures, RULES), documents, tables(captures)))


def hostile(text: str) -> Written:
    """A report that says that text wherever captured text may stand."""
    plain = written("28.5.2/10a-accept-in-docker-user")
    report = plain.checked.report
    place = report.findings[0].location.model_copy(update={"document": text})
    finding = report.findings[0].model_copy(
        update={
            "host": text,
            "subject": text,
            "message": text,
            "location": place,
            "remedy": (text,),
            "confidence": "possible",
            "assumptions": (ReportedAssumption(text=text, capture_with=text),),
        }
    )
    host = report.hosts[0].model_copy(update={"name": text})
    document = report.documents[0].model_copy(update={"name": text, "host": text})
    gaps = tuple(ReportedGap(host=text, location=place, text=text, reason=text, whole=whole) for whole in (True, False))
    return plain.having(
        hosts=(host,),
        documents=(document,),
        findings=(finding,),
        gaps=gaps,
        not_assessed=(ReportedNotAssessed(rule=RULES[1].id, host=text, subject=text, reason=text, capture_with=text),),
        crashes=(ReportedCrash(rule=RULES[2].id, host=text, error=f"Traceback\nValueError: {text}"),),
    )


def unseen(text: str) -> list[str]:
    """Characters that steer a terminal or hide text, but for line breaks."""
    return re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\ufeff\ufffe\uffff\ud800-\udfff]", text)


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_captured_steers_a_terminal(form: str, text: str) -> None:
    assert unseen(hostile(text).text(form)) == []


# --- GitHub's workflow commands, as actions/runner reads them ---

_UNESCAPED = (("%0D", "\r"), ("%0A", "\n"))


def runner(line: str) -> tuple[str, Mapping[str, str], str]:
    """The command, its properties and its data, read as ActionCommand.TryParseV2 does."""
    line = line.lstrip()
    assert line.startswith("::")
    end = line.index("::", 2)
    name, _, rest = line[2:end].partition(" ")
    properties = {}
    for pair in filter(None, rest.strip().split(",")):
        key, value = pair.split("=", 1)
        for escaped, meant in (*_UNESCAPED, ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            value = value.replace(escaped, meant)
        properties[key] = value
    data = line[end + 2 :]
    for escaped, meant in (*_UNESCAPED, ("%25", "%")):
        data = data.replace(escaped, meant)
    return name, properties, data


def test_github_annotates_the_line_that_decides() -> None:
    found = written("28.5.2/10a-accept-in-docker-user")
    commands = [runner(line) for line in found.text("github").splitlines()]
    for finding, (name, properties, data) in zip(found.checked.report.findings, commands, strict=False):
        assert name == {"high": "error", "medium": "warning", "low": "notice", "note": "notice"}[finding.severity]
        place = finding.location
        assert (properties["file"], properties["line"], properties["endLine"]) == (
            place.document,
            str(place.line),
            str(place.end_line),
        )
        assert data.splitlines()[0].removesuffix(" (possible)") == finding.message
    assert len(commands) == len(found.checked.report.findings) + len(found.checked.report.not_assessed)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_captured_begins_a_workflow_command(text: str) -> None:
    lines = hostile(text).text("github").splitlines()
    assert [runner(line)[0] for line in lines] == ["error", "error", "error", "warning", "notice"]
    _, properties, data = runner(lines[0])
    assert set(properties) == {"file", "line", "endLine", "col", "endColumn", "title"}
    assert data.split("\n")[0].endswith(" (possible)")


# --- GitLab ---

GITLAB_SAST = Draft7Validator(
    json.loads((Path(__file__).parent / "schemas" / "gitlab-sast-15.0.4.json").read_text(encoding="utf-8"))
)


def code_quality(text: str) -> list[dict[str, Any]]:
    """The issues, with all that GitLab's parser demands (Gitlab::Ci::Parsers::Codequality::CodeClimate)."""
    issues: list[dict[str, Any]] = json.loads(text)
    for issue in issues:
        assert issue.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert isinstance(issue["description"], str)
        assert issue["description"]
        assert isinstance(issue["location"]["lines"]["begin"], int)
        assert not issue["location"]["path"].startswith(("/", "./"))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    return issues


@pytest.mark.parametrize("name", [name for name in NAMES if "/1" in name])
def test_gitlab_takes_what_is_found(name: str) -> None:
    findings = written(name).checked.report.findings
    issues = code_quality(written(name).text("gitlab"))
    assert [(issue["check_name"], issue["location"]["lines"]["begin"]) for issue in issues] == [
        (finding.rule, finding.location.line) for finding in findings
    ]
    report = json.loads(written(name).text("gitlab-sast"))
    assert [error.message for error in GITLAB_SAST.iter_errors(report)] == []
    assert [found["identifiers"][0]["value"] for found in report["vulnerabilities"]] == [f.rule for f in findings]
    assert report["scan"]["status"] == "success"


def test_the_same_finding_on_two_hosts_is_two_for_gitlab() -> None:
    report = several().checked.report
    assert len({finding.fingerprint for finding in report.findings}) < len(report.findings)
    assert len(code_quality(several().text("gitlab"))) == len(report.findings)
    found = json.loads(several().text("gitlab-sast"))["vulnerabilities"]
    assert len({vulnerability["id"] for vulnerability in found}) == len(report.findings)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_gitlab_reads_captured_text_as_text(text: str) -> None:
    assert len(code_quality(hostile(text).text("gitlab"))) == 1
    report = json.loads(hostile(text).text("gitlab-sast"))
    assert [error.message for error in GITLAB_SAST.iter_errors(report)] == []
    assert report["scan"]["status"] == "failure"
    assert [message["level"] for message in report["scan"]["messages"]] == ["fatal", "fatal", "warn", "info"]
    (found,) = report["vulnerabilities"]
    assert_no_markup(cmarkgfm.github_flavored_markdown_to_html(found["description"]), {"p"})


# --- JUnit ---


def suites(text: str) -> list[junitparser.TestSuite]:
    return list(junitparser.JUnitXml.fromstring(text.encode()))


def outcomes(suite: junitparser.TestSuite) -> dict[str, str]:
    cases = {case.name: "".join(type(result).__name__ for result in case.result) for case in suite}
    assert len(cases) == suite.tests, "two cases of one name are one for most readers"
    return cases


def test_junit_says_of_each_rule_what_became_of_it() -> None:
    found = several()
    report = found.checked.report
    for suite, host in zip(suites(found.text("junit")), report.hosts, strict=True):
        assert suite.name == host.name
        cases = outcomes(suite)
        failed = {f"{one.rule} ({one.subject})" for one in report.findings if one.host == host.name}
        skipped = {f"{one.rule} ({one.subject})" for one in report.not_assessed if one.host == host.name}
        assert {name for name, outcome in cases.items() if outcome == "Failure"} == failed
        assert {name for name, outcome in cases.items() if outcome == "Skipped"} == skipped
        told = {name.partition(" ")[0] for name in failed | skipped}
        assert {name for name, outcome in cases.items() if not outcome} == {rule.id for rule in RULES} - told
        assert (suite.failures, suite.skipped, suite.errors) == (len(failed), len(skipped), 0)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_junit_holds_any_text(text: str) -> None:
    (suite,) = suites(hostile(text).text("junit"))
    counted = sorted(outcome for outcome in outcomes(suite).values() if outcome)
    assert counted == ["Error", "Error", "Failure", "Skipped"]
    assert (suite.failures, suite.errors, suite.skipped) == (1, 2, 1)


# --- Markdown ---


def assert_no_markup(html: str, allowed: set[str]) -> None:
    assert set(re.findall(r"<(\w+)", html)) <= allowed, html


TABLES = {"h2", "table", "thead", "tbody", "tr", "th", "td"}


def test_markdown_has_a_row_for_each_finding() -> None:
    html = cmarkgfm.github_flavored_markdown_to_html(several().text("markdown"))
    assert_no_markup(html, TABLES)
    report = several().checked.report
    parts = (report.findings, report.not_assessed, report.gaps, report.crashes)
    assert html.count("<tr>") == sum(len(part) + 1 for part in parts if part)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_markdown_shows_captured_text_as_text(text: str) -> None:
    written_text = hostile(text).text("markdown")
    html = cmarkgfm.github_flavored_markdown_to_html(written_text)
    assert_no_markup(html, TABLES)
    assert [row.count("<td>") for row in html.split("<tr>")[1:] if "<td>" in row] == [5, 5, 3, 3, 3]
    # GitHub makes these links after the Markdown is read, in the text that it then finds.
    shown = re.sub(r"<[^>]*>", "\0", html.replace("<!-- -->", "\0").replace("<!-- raw HTML omitted -->", "\0"))
    assert not re.search(r"[@#]\w|https?://|www\.\w", shown)


# --- CSV ---


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_for_each_thing_to_say() -> None:
    report = several().checked.report
    found = rows(several().text("csv"))
    broken = [row for row in found if row["outcome"] == "broken"]
    assert [(row["rule"], row["host"], row["line"]) for row in broken] == [
        (finding.rule, finding.host, str(finding.location.line)) for finding in report.findings
    ]
    assert len([row for row in found if row["outcome"] == "not assessed"]) == len(report.not_assessed)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_csv_holds_any_text_and_no_formula(text: str) -> None:
    found = rows(hostile(text).text("csv"))
    assert [row["outcome"] for row in found] == ["broken", "not assessed", "gap", "gap", "crash"]
    assert not any(None in row or None in row.values() for row in found)
    assert not [cell for row in found for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert found[0]["message"].endswith(found[0]["subject"])


# --- All of them ---


def decided() -> Written:
    """A report in which one finding is known and another accepted."""
    plain = written("28.5.2/10a-accept-in-docker-user")
    first = plain.checked.report.findings[0]
    acceptance = ReportedAcceptance(reason="OPS-412 | <b>", until=None)
    accepted = first.model_copy(update={"subject": "network other", "acceptance": acceptance})
    return plain.having(findings=(first.model_copy(update={"state": "known"}),), accepted=(accepted,))


def test_what_is_known_or_accepted_fails_nothing() -> None:
    (name, _, data) = runner(decided().text("github").splitlines()[0])
    assert (name, data.splitlines()[0].rpartition(" ")[2]) == ("notice", "(known)")
    (suite,) = suites(decided().text("junit"))
    (rule,) = {finding.rule for finding in decided().checked.report.findings}
    assert (suite.failures, suite.errors) == (0, 0)
    assert {outcomes(suite)[f"{rule} ({subject})"] for subject in ("network bridge", "network other")} == {"Skipped"}
    found = rows(decided().text("csv"))
    assert [(row["outcome"], row["state"]) for row in found[:2]] == [("broken", "known"), ("accepted", "")]
    html = cmarkgfm.github_flavored_markdown_to_html(decided().text("markdown"))
    assert_no_markup(html, TABLES)
    assert "OPS-412 | &lt;b&gt;" in html


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("github", "::error title=icclint::A path that was named gave no capture"),
        ("gitlab-sast", '"status": "failure"'),
        ("junit", 'errors="1"'),
        ("markdown", "A path that was named gave no capture"),
        ("csv", "a path that was named gave no capture"),
    ],
)
def test_a_report_that_is_not_complete_says_so(form: str, told: str) -> None:
    assert told not in several().text(form)
    assert told in several().having(complete=False).text(form)


@pytest.mark.parametrize("form", OTHERS)
def test_the_same_input_gives_the_same_bytes(form: str) -> None:
    command = [sys.executable, "-m", "icclint", "check", "-o", form, "samples/28.5.2"]
    first, second = (
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=False
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert first
