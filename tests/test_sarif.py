"""SARIF logs: valid by the schema, by our own checker and by Microsoft's multitool, and the same for the same input."""

from __future__ import annotations

import ast
import gzip
import json
import os
import random
import shutil
import string
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import attr
import pytest
import sarif_om as om
from icclint_rules import RULES
from jsonschema import Draft202012Validator, FormatChecker

import icclint.checked
from icclint import fingerprint
from icclint.capture.read import Capture, read_captures
from icclint.engine import check
from icclint.finding import Finding, NotAssessed
from icclint.ir.host import Host
from icclint.output.delivery import Delivery
from icclint.output.sarif import log, notices, places, render_sarif, results, tool, writer
from icclint.packets.effect import Effect
from icclint.report import (
    Report,
    ReportedAcceptance,
    ReportedFinding,
    ReportedGap,
    ReportedGone,
    ReportedIdleAcceptance,
    ReportedLocation,
)
from icclint.rule import Profile, Rule
from icclint.source import Document
from tests.captured import NAMES, capture
from tests.npm import run_with_npm
from tests.sarif_check import CHECKS, Log, faults

ROOT = Path(__file__).parent.parent
DEFAULT = tuple(rule for rule in RULES if rule.profile is Profile.DEFAULT)
SAMPLES = sorted(folder.relative_to(ROOT / "samples").as_posix() for folder in (ROOT / "samples").glob("*/*/"))
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())

BROKEN = "28.5.2/10a-accept-in-docker-user"
"""A capture with a finding that has a packet, a path and related locations."""


# --- Logs ---

DIRECT = Delivery()
"""One run without a category, as by default."""


@dataclass(frozen=True)
class Checked:
    """A report with what a log is made of."""

    report: Report
    documents: Mapping[str, Document]
    rules: Sequence[Rule]
    delivery: Delivery = DIRECT

    def log(self) -> str:
        """The log as it is written."""
        parts = [icclint.checked.Checked(self.report, self.documents)]
        return "".join(f"{line}\n" for line in render_sarif(parts, self.rules, self.delivery))

    def root(self) -> Any:
        """The log as objects."""
        return json.loads(self.log())

    def with_report(self, **changes: Any) -> Checked:
        """The same with another report."""
        return replace(self, report=self.report.model_copy(update=changes))

    def finding(self, **changes: Any) -> Checked:
        """The same with nothing but its first finding, changed."""
        return self.with_report(findings=(self.report.findings[0].model_copy(update=changes),))


def checked(captures: Iterable[Capture], rules: Sequence[Rule] = DEFAULT) -> Checked:
    captures = list(captures)
    # What is an excerpt is shown in its file.
    documents = {d.name: d for capture in captures for d, _ in capture.documents if d.file is None}
    return Checked(check(captures, rules), documents, rules)


def checked_at(folder: Path, rules: Sequence[Rule] = DEFAULT) -> Checked:
    captures, errors = read_captures([str(folder)], folder.parent)
    assert not errors
    return checked(captures, rules)


@cache
def broken() -> Checked:
    """A host with one finding: the ACCEPT that wins over the DROP."""
    found = checked([capture(BROKEN)])
    leak = tuple(finding for finding in found.report.findings if finding.rule == "icc-off-but-forwarded")
    return found.with_report(findings=leak)


def assert_sound(found: Checked) -> Any:
    """That neither the schema nor the checker has anything to say on a log. Returns it as objects."""
    text = found.log()
    root = json.loads(text)
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(root)] == []
    files = {name: document.content for name, document in found.documents.items()}
    assert [str(fault) for fault in faults(text, files, private=(str(ROOT), str(Path.home())))] == []
    return root


@pytest.mark.parametrize("name", NAMES)
def test_logs_of_captures_are_sound(name: str) -> None:
    assert_sound(checked([capture(name)]))


@pytest.mark.parametrize("name", SAMPLES)
def test_logs_of_samples_are_sound(name: str) -> None:
    assert_sound(checked_at(ROOT / "samples" / name))


def test_a_log_of_several_hosts_is_sound() -> None:
    captures, _ = read_captures([str(ROOT / "samples" / "28.5.2")], ROOT)
    (run,) = assert_sound(checked(captures))["runs"]
    assert len({artifact["properties"]["host"] for artifact in run["artifacts"]}) == len(captures)


def test_a_result_tells_what_the_report_tells() -> None:
    (result,) = assert_sound(broken())["runs"][0]["results"]
    (finding,) = broken().report.findings
    assert result["message"]["arguments"][0] == finding.message
    assert result["partialFingerprints"]["icclintFinding/v1"] == finding.fingerprint
    assert result["properties"]["remedy"] == list(finding.remedy)
    (flow,) = result["codeFlows"]
    assert finding.packet is not None
    assert finding.packet.text in flow["message"]["text"]
    start = {name: state["text"] for name, state in flow["threadFlows"][0]["initialState"].items()}
    assert start["destination"] == f"{finding.packet.destination} port {finding.packet.destination_port}"
    assert start["in"] == start["out"] == "docker0"
    last = flow["threadFlows"][0]["locations"][-1]["location"]
    assert last["physicalLocation"]["region"] == result["locations"][0]["physicalLocation"]["region"]
    assert last["logicalLocations"][0]["fullyQualifiedName"] == "host/filter/DOCKER-USER"


@pytest.mark.parametrize("name", [name for name in NAMES if name.partition("/")[2].startswith(("09b", "1"))])
def test_a_code_flow_ends_with_a_rule_that_the_finding_names(name: str) -> None:
    for result in checked([capture(name)], RULES).root()["runs"][0]["results"]:
        if "codeFlows" in result:
            places = [
                place["physicalLocation"] for place in (*result["locations"], *result.get("relatedLocations", ()))
            ]
            last = result["codeFlows"][0]["threadFlows"][0]["locations"][-1]["location"]["physicalLocation"]
            named = [(place["artifactLocation"]["uri"], place["region"]) for place in places]
            assert (last["artifactLocation"]["uri"], last["region"]) in named


def test_what_is_accepted_is_suppressed_and_what_is_gone_is_absent() -> None:
    (finding,) = broken().report.findings
    acceptance = ReportedAcceptance(reason="OPS-412", until=date(2027, 1, 31))
    accepted = finding.model_copy(update={"acceptance": acceptance, "state": "new", "fingerprint": f"{'a' * 64}:1"})
    gone = ReportedGone(
        rule=finding.rule,
        host=finding.host,
        subject="network a",
        message="It {was} broken",
        fingerprint=f"{'b' * 64}:1",
    )
    known = finding.model_copy(update={"state": "known"})
    found = broken().with_report(findings=(known,), accepted=(accepted,), gone=(gone,))
    assert len(found.root()["runs"][0]["results"]) == 1
    found = replace(found, delivery=Delivery(show_all=True))
    first, second, third = assert_sound(found)["runs"][0]["results"]
    assert [result["baselineState"] for result in (first, second, third)] == ["unchanged", "new", "absent"]
    assert first["suppressions"] == third["suppressions"] == []
    (suppression,) = second["suppressions"]
    assert suppression == {"kind": "external", "status": "accepted", "justification": "OPS-412 (until 2027-01-31)"}
    assert third["message"]["arguments"] == ["No longer found: It {was} broken"]
    assert third["level"] == first["level"]


def test_without_acceptances_and_baseline_a_result_tells_nothing_of_them() -> None:
    (result,) = broken().root()["runs"][0]["results"]
    assert not {"suppressions", "baselineState"} & result.keys()


def test_an_acceptance_of_nothing_is_a_notification_on_the_configuration() -> None:
    idle = ReportedIdleAcceptance(
        kind="unused-accept", file="icclint.toml", line=7, rule="a", subject="b", host="*", text="there is no a of b"
    )
    (invocation,) = assert_sound(broken().with_report(idle_acceptances=(idle,)))["runs"][0]["invocations"]
    (told,) = invocation["toolConfigurationNotifications"]
    assert told["message"]["text"] == "icclint.toml, line 7: there is no a of b."
    assert told["descriptor"]["id"] == "unused-accept"
    assert invocation["executionSuccessful"] is True


def test_a_run_says_which_engine_wrote_the_rules_of_each_host() -> None:
    captures, _ = read_captures([str(ROOT / "samples" / "28.5.2"), str(ROOT / "samples" / "1.12")], ROOT)
    (run,) = assert_sound(checked(captures))["runs"]
    told = {host["name"]: host["rulesOf"] for host in run["properties"]["hosts"]}
    assert told["samples/28.5.2/icc-off"] == ["28.2 to 28.5"]
    assert told["samples/1.12/icc-off"] == ["1.10 to 17.03"]
    assert len(told) == len(captures)


def test_a_log_has_no_category_unless_one_is_given() -> None:
    (run,) = assert_sound(broken())["runs"]
    assert "automationDetails" not in run


@pytest.mark.parametrize("category", ["production", "production/", "/a/b"])
def test_a_category_is_all_before_the_last_slash(category: str) -> None:
    (run,) = assert_sound(replace(broken(), delivery=Delivery(category)))["runs"]
    assert run["automationDetails"] == {"id": f"{category.strip('/')}/"}


def test_a_run_for_each_host_tells_of_that_host_alone() -> None:
    captures, _ = read_captures([str(ROOT / "samples" / "28.5.2")], ROOT)
    together = checked(captures)
    runs = assert_sound(replace(together, delivery=Delivery("lab", per_host=True)))["runs"]
    hosts = [capture.host for capture in captures]
    assert [run["automationDetails"]["id"] for run in runs] == [f"lab/{host}/" for host in hosts]
    for run, host in zip(runs, hosts, strict=True):
        assert [told["name"] for told in run["properties"]["hosts"]] == [host]
        assert {artifact["properties"]["host"] for artifact in run["artifacts"]} == {host}
    results = [result for run in runs for result in run["results"]]
    assert len(results) == len(together.report.findings)
    assert {result["properties"]["host"] for result in results} < set(hosts)


@pytest.mark.parametrize("per_host", [False, True])
def test_the_same_finding_on_two_hosts_of_one_file_is_two_alerts(per_host: bool) -> None:
    captures, _ = read_captures([str(ROOT / "tests" / "transcripts" / "two-hosts.txt")], ROOT)
    found = replace(checked(captures, RULES), delivery=Delivery(per_host=per_host))
    results = [result for run in assert_sound(found)["runs"] for result in run["results"]]
    prints = [result["partialFingerprints"] for result in results]
    assert len({each["icclintFinding/v1"] for each in prints}) < len(results)
    assert len({each["primaryLocationLineHash"] for each in prints}) == len(results)


def test_all_rules_that_ran_are_listed_and_no_others() -> None:
    rules = (RULES[3], RULES[0])
    run = assert_sound(checked([capture(BROKEN)], rules))["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in rules]


def test_fingerprints_have_the_name_of_their_recipe() -> None:
    assert results.FINGERPRINT == fingerprint.VERSION


# --- What is odd in what people hand over ---


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder with a capture to spoil."""
    folder = tmp_path / "host1"
    folder.mkdir()
    for document, _ in capture(BROKEN).documents:
        (folder / document.name).write_bytes(document.content)
    return folder


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    after = change(before)
    assert after != before
    path.write_bytes(after)


def notifications(root: Any) -> list[tuple[str, str]]:
    (invocation,) = root["runs"][0]["invocations"]
    return [(found["level"], found["descriptor"]["id"]) for found in invocation["toolExecutionNotifications"]]


def succeeded(root: Any) -> bool:
    (invocation,) = root["runs"][0]["invocations"]
    return bool(invocation["executionSuccessful"])


def test_a_line_that_is_not_understood_is_a_warning(host: Path) -> None:
    # The same chain by another command, which would now differ.
    (host / "iptables-S.txt").unlink()
    edit(host / "iptables-save.txt", lambda text: text.replace(b"-j DOCKER-USER\n", b"-j DOCKER-USER\n-A /etc !!\n", 1))
    root = assert_sound(checked_at(host))
    assert ("warning", "not-understood") in notifications(root)
    assert succeeded(root)


def test_a_document_that_cannot_be_used_is_an_error(host: Path) -> None:
    edit(host / "networks.json", lambda text: text[: len(text) // 2])
    root = assert_sound(checked_at(host))
    assert ("error", "document-not-read") in notifications(root)
    assert not succeeded(root)


def test_a_file_that_cannot_be_read_is_no_artifact(host: Path) -> None:
    (host / "away.txt").symlink_to("nowhere")
    root = assert_sound(checked_at(host))
    (invocation,) = root["runs"][0]["invocations"]
    (found,) = invocation["toolExecutionNotifications"]
    place = found["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "host1/away.txt", "uriBaseId": "%SRCROOT%"}
    assert not succeeded(root)


def test_a_binary_file_has_no_lines(host: Path) -> None:
    (host / "core.bin").write_bytes(b"\x7fELF\0\0")
    (invocation,) = assert_sound(checked_at(host))["runs"][0]["invocations"]
    (found,) = invocation["toolExecutionNotifications"]
    assert "region" not in found["locations"][0]["physicalLocation"]


def test_what_was_not_captured_is_a_note(host: Path) -> None:
    (host / "networks.json").unlink()
    root = assert_sound(checked_at(host))
    assert set(notifications(root)) == {("note", "not-assessed")}
    assert succeeded(root)


def test_a_path_that_gave_no_capture_makes_the_run_fail() -> None:
    root = assert_sound(broken().with_report(complete=False))
    assert notifications(root) == [("error", "path-not-read")]
    assert not succeeded(root)


def test_what_the_strict_exit_code_counts_makes_the_run_fail(host: Path) -> None:
    (host / "networks.json").unlink()
    root = assert_sound(replace(checked_at(host), delivery=Delivery(strict=True)))
    assert set(notifications(root)) == {("error", "not-assessed")}
    assert not succeeded(root)


def failing(error: Callable[[], Exception]) -> tuple[Rule, ...]:
    """Rules of which one fails."""

    def fail(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
        raise error()

    return (*RULES, replace(RULES[0], id="other-rule", needs=frozenset(), check=fail, page=""))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (lambda: ValueError("boom {0} \x1b[31m"), "ValueError", "boom {0} \x1b[31m"),
        (AssertionError, "AssertionError", None),
        (lambda: RuntimeError("two\nlines: here"), "RuntimeError", "two\nlines: here"),
    ],
)
def test_a_crash_is_an_error_without_paths(error: Callable[[], Exception], kind: str, message: str | None) -> None:
    root = assert_sound(checked([capture(BROKEN)], failing(error)))
    assert ("error", "rule-crashed") in notifications(root)
    assert not succeeded(root)
    (found,) = root["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert (found["exception"]["kind"], found["exception"].get("message")) == (kind, message)
    assert found["associatedRule"] == {"id": "other-rule", "index": len(RULES)}


def test_the_rule_of_another_package_need_not_have_a_page() -> None:
    *_, rule = assert_sound(checked([capture(BROKEN)], failing(ValueError)))["runs"][0]["tool"]["driver"]["rules"]
    assert rule["name"] == "OtherRule"
    assert rule["help"]["text"] == "other-rule."
    assert not {"helpUri", "relationships"} & rule.keys()
    assert rule["properties"]["tags"] == ["security", "docker", "iptables"]


def test_rules_are_related_to_the_weaknesses_and_benchmark_items_that_their_pages_name() -> None:
    page = "A rule.\n\n## References\n\n- CWE-923, CWE-79\n- CIS Docker Benchmark 1.8.0, 2.2 (2.1 up to 1.2.0)\n"
    other = "A rule.\n\n## References\n\n- CIS Docker Benchmark 1.6.0, 2.10, 2.2\n"
    rules = (replace(RULES[0], page=page), replace(RULES[1], page=other))
    run = assert_sound(checked([capture(BROKEN)], rules).with_report(findings=()))["runs"][0]
    assert [(t["name"], t.get("version"), [taxon["id"] for taxon in t["taxa"]]) for t in run["taxonomies"]] == [
        ("CIS Docker Benchmark", "1.6.0", ["2.2", "2.10"]),
        ("CIS Docker Benchmark", "1.8.0", ["2.2"]),
        ("CWE", None, ["79", "923"]),
    ]
    one, two = run["tool"]["driver"]["rules"]
    assert [(r["target"]["id"], r["kinds"]) for r in one["relationships"]] == [
        ("923", ["superset"]),
        ("79", ["superset"]),
        ("2.2", ["relevant"]),
    ]
    assert one["properties"]["tags"][3:] == ["external/cwe/cwe-923", "external/cwe/cwe-079"]
    assert [r["target"]["toolComponent"]["guid"] for r in two["relationships"]] == [run["taxonomies"][0]["guid"]] * 2


def test_no_rule_has_more_tags_than_gitlab_takes() -> None:
    weaknesses = ", ".join(f"CWE-{number}" for number in range(1, 30))
    page = f"A rule.\n\n## References\n\n- {weaknesses}\n"
    root = checked([capture(BROKEN)], [replace(RULES[0], page=page)]).with_report(findings=()).root()
    assert len(bag(root)["tags"]) == 10


def test_a_built_in_rule_leads_to_its_page() -> None:
    for built_in in driver(checked([capture(BROKEN)], RULES).root())["rules"]:
        path = built_in["helpUri"].removeprefix(f"{tool.HOME}/blob/main/")
        assert (ROOT / path).read_text().startswith(built_in["help"]["markdown"].rpartition("\n[")[0].rstrip())


COMMENTS = {
    "a link": "[click here](https://evil.example/) [x](1)",
    "braces": "{0} {app} }{",
    "format characters": "\u202eECCEPT",
    "control characters": "\x07\x1b[2J\x9b",
    "quotes": 'it\'s \\"so\\"',
    "another script": "приём \U0001f512",
}


@pytest.mark.parametrize("comment", COMMENTS.values(), ids=COMMENTS.keys())
def test_captured_text_steers_no_reader(host: Path, comment: str) -> None:
    rule = "-A DOCKER-USER -i docker0 -o docker0 "
    edit(
        host / "iptables-save.txt",
        lambda text: text.replace(
            f"{rule}-j ACCEPT".encode(), f'{rule}-m comment --comment "{comment}" -j ACCEPT'.encode()
        ),
    )
    (result,) = assert_sound(checked_at(host))["runs"][0]["results"]
    snippet = result["locations"][0]["physicalLocation"]["region"]["snippet"]["text"]
    assert comment in snippet


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "CRLF made of CRLF": lambda text: text.replace(b"\n", b"\r\r\n"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: b"\xff\xfe" + text.decode().encode("utf-16-le"),
    "bytes that are not UTF-8": lambda text: text.replace(b"# Generated", b"# \xff\xfe Generated \xc3("),
    "no last line break": lambda text: text.rstrip(b"\n"),
}


@pytest.mark.parametrize("change", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_snippets_are_the_text_of_the_file(host: Path, change: Callable[[bytes], bytes]) -> None:
    edit(host / "iptables-save.txt", change)
    if change is not ENCODINGS["bytes that are not UTF-8"]:
        edit(host / "networks.json", change)
    assert len(assert_sound(checked_at(host))["runs"][0]["results"]) == 1


def test_json_in_one_long_line_has_short_snippets(host: Path) -> None:
    networks = json.loads((host / "networks.json").read_text())
    networks += [{**networks[0], "Name": f"n{number}", "Id": f"{number:064x}"} for number in range(100)]
    (host / "networks.json").write_text(json.dumps(networks))
    log = assert_sound(checked_at(host))
    for result in log["runs"][0]["results"]:
        for place in (*result["locations"], *result["relatedLocations"]):
            region = place["physicalLocation"]["region"]
            assert len(region.get("snippet", {}).get("text", "")) <= places.MOST_SNIPPET


NAMES_OF_FILES = (
    b"with blank.txt",
    b"50% #1 ?.txt",
    b"c:\\x:y.txt",
    b"\xc3\xa9\xf0\x9f\x94\x92.txt",
    b"not-utf8-\xff.txt",
    b'\x1b[31m&<>".txt',
    b"-",
    b"...",
)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take all of these names")
@pytest.mark.parametrize("name", NAMES_OF_FILES, ids=repr)
def test_any_file_name_becomes_a_relative_address(host: Path, name: bytes) -> None:
    os.rename(host / "iptables-save.txt", os.fsencode(host) + b"/" + name)
    found = checked_at(host)
    assert len(assert_sound(found)["runs"][0]["results"]) == 1
    # UTF-8 holds it.
    assert found.log().encode()


def test_a_name_in_the_root_that_looks_like_a_scheme_is_relative(host: Path) -> None:
    (host / "iptables-save.txt").rename(host / "http:x.txt")
    captures, _ = read_captures([str(host)], host)
    uris = [artifact["location"]["uri"] for artifact in assert_sound(checked(captures))["runs"][0]["artifacts"]]
    assert "http%3Ax.txt" in uris


def test_a_file_beside_its_folder_is_one_artifact(host: Path) -> None:
    captures, _ = read_captures([str(host), str(host / "iptables-save.txt")], host.parent)
    assert {capture.host for capture in captures} == {"host1", "host"}
    assert_sound(checked(captures))


def test_a_region_beyond_its_file_is_moved_into_it() -> None:
    (name, document) = next((n, d) for n, d in broken().documents.items() if n == "iptables-save.txt")
    last = len(document.lines)
    places = [
        ReportedLocation(document=name, line=last + 9, column=5, end_line=last + 12, end_column=7),
        ReportedLocation(document=name, line=1, column=9999, end_line=1, end_column=10000),
        ReportedLocation(document=name, line=last, column=3, end_line=last + 1, end_column=1),
        ReportedLocation(document=name, line=1, column=1, end_line=last, end_column=2),
        ReportedLocation(document=name, line=2, column=4, end_line=2, end_column=4),
    ]
    for place in places:
        gap = ReportedGap(host="host", location=place, text="", reason="why", whole=False)
        assert_sound(broken().with_report(gaps=(gap,)).finding(location=place, path=()))


# --- Limits of those who read it ---


def repeated(count: int) -> Iterator[ReportedFinding]:
    (finding,) = broken().report.findings
    digest = finding.fingerprint.partition(":")[0]
    for number in range(1, count + 1):
        yield finding.model_copy(update={"fingerprint": f"{digest}:{number}"})


def test_more_findings_than_github_takes_are_left_out_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_RESULTS", 3)
    root = assert_sound(broken().with_report(findings=tuple(repeated(5))))
    assert len(root["runs"][0]["results"]) == 3
    (found,) = root["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert "The 2 results after the first 3" in found["message"]["text"]


def test_as_many_findings_as_github_takes_are_written_one_by_one() -> None:
    assert log.MOST_RESULTS == 25_000
    found = broken().with_report(findings=tuple(repeated(25_001)))
    results = [
        line
        for line in render_sarif([icclint.checked.Checked(found.report, found.documents)], RULES, DIRECT)
        if line.startswith('{"ruleId"')
    ]
    assert len(results) == 25_000


def test_a_log_ends_before_it_is_too_large_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_PACKED", 100_000)
    root = assert_sound(broken().with_report(findings=tuple(repeated(2_000))))
    written = len(root["runs"][0]["results"])
    assert 0 < written < 2_000
    (found,) = root["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert f"The {2_000 - written} results after the first {written}" in found["message"]["text"]


def test_no_log_is_larger_than_github_takes() -> None:
    # Nothing of it repeats, so gzip finds little to save.
    noise = random.Random(1)
    findings = tuple(
        one.model_copy(update={"remedy": ("".join(noise.choices(string.printable[:94], k=4_000)),)})
        for one in repeated(4_000)
    )
    log = broken().with_report(findings=findings).log()
    assert 8_000_000 < len(gzip.compress(log.encode(), mtime=0)) < 10_000_000


def test_a_document_of_garbage_does_not_fill_the_log(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST_NOTIFICATIONS", 20)
    edit(host / "iptables-save.txt", lambda text: text + b"garbage\n-A DOCKER-USER -j ACCEPT\n" * 30)
    (host / "networks.json").write_bytes(b"")
    root = assert_sound(checked_at(host))
    told = notifications(root)
    assert len(told) == 21
    assert told[0] == ("error", "document-not-read")
    assert told[-1] == ("warning", "log-shortened")
    assert not succeeded(root)


def test_more_places_and_steps_than_github_takes_are_left_out_and_it_is_said() -> None:
    finding = broken().report.findings[0]
    steps = [step for step in finding.path if step.table == "filter"]
    root = assert_sound(broken().finding(related=finding.related * 500, path=(steps[0],) * 60 + (steps[-1],)))
    (result,) = root["runs"][0]["results"]
    assert len(result["relatedLocations"]) == results.MOST_RELATED
    orders = [step["executionOrder"] for step in result["codeFlows"][0]["threadFlows"][0]["locations"]]
    assert orders == list(range(12, 62))
    (found,) = root["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert found["message"]["text"].endswith("goes without 100 places and 11 steps.")


def test_no_message_is_longer_than_gitlab_takes() -> None:
    finding = broken().report.findings[0]
    long = finding.related[0].model_copy(update={"message": "[{x}](1)" * 40})
    message = assert_sound(broken().finding(message="{" * 3000, related=(long,) * 30))
    assert len(message["runs"][0]["results"][0]["message"]["text"]) <= 2048


def test_a_path_of_policies_alone_is_shown() -> None:
    path = tuple(step for step in broken().report.findings[0].path if step.text == "policy ACCEPT")
    (result,) = assert_sound(broken().finding(path=path))["runs"][0]["results"]
    assert len(result["codeFlows"][0]["threadFlows"][0]["locations"]) == len(path)


def test_a_step_without_a_place_is_told_in_words() -> None:
    finding = broken().report.findings[0]
    path = tuple(step.model_copy(update={"location": None}) for step in finding.path)
    (result,) = assert_sound(broken().finding(path=path))["runs"][0]["results"]
    assert not any(
        "physicalLocation" in step["location"] for step in result["codeFlows"][0]["threadFlows"][0]["locations"]
    )


# --- The checker itself: each check sees its fault ---


def driver(root: Any) -> Any:
    return root["runs"][0]["tool"]["driver"]


def rule(root: Any) -> Any:
    return driver(root)["rules"][0]


def bag(root: Any) -> Any:
    return rule(root)["properties"]


def taxon(root: Any) -> Any:
    return rule(root)["relationships"][0]["target"]


def result(root: Any) -> Any:
    return root["runs"][0]["results"][0]


def place(root: Any) -> Any:
    return result(root)["locations"][0]["physicalLocation"]


def region(root: Any) -> Any:
    return place(root)["region"]


def steps(root: Any) -> Any:
    return result(root)["codeFlows"][0]["threadFlows"][0]["locations"]


def invocation(root: Any) -> Any:
    return root["runs"][0]["invocations"][0]


def artifact(root: Any) -> Any:
    return root["runs"][0]["artifacts"][place(root)["artifactLocation"]["index"]]


def text(root: Any) -> str:
    return str(result(root)["message"]["text"])


def notify(root: Any, **changes: Any) -> None:
    note = {
        "descriptor": {"id": "not-assessed", "index": 3},
        "level": "note",
        "message": {"text": "Why."},
        "locations": result(root)["locations"],
    }
    invocation(root)["toolExecutionNotifications"].append({**note, **changes})


FAULTS: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
    ("rule_of_a_result", "the index of another rule", lambda r: result(r).update(ruleIndex=1)),
    ("rule_of_a_result", "an index of none", lambda r: result(r).update(ruleIndex=99, ruleId="x")),
    ("unique_rules", "a rule twice", lambda r: driver(r)["rules"].append({**rule(r), "helpUri": "x:y"})),
    ("descriptor_of_a_notification", "unknown", lambda r: notify(r, descriptor={"id": "x", "index": 3})),
    ("descriptor_of_a_notification", "another one's", lambda r: notify(r, descriptor={"id": "not-assessed"})),
    ("descriptor_of_a_notification", "no rule", lambda r: notify(r, associatedRule={"id": "x", "index": 0})),
    ("descriptor_of_a_notification", "no place", lambda r: notify(r, locations=[])),
    ("artifact_of_a_location", "another file", lambda r: place(r)["artifactLocation"].update(index=0)),
    ("artifact_of_a_location", "no file", lambda r: place(r)["artifactLocation"].update(index=99)),
    ("artifact_of_a_location", "not said", lambda r: place(r)["artifactLocation"].pop("index")),
    ("artifact_of_a_location", "unknown base", lambda r: place(r)["artifactLocation"].update(uriBaseId="X")),
    ("message_by_its_id", "unknown id", lambda r: result(r)["message"].update(id="x")),
    ("message_by_its_id", "too few arguments", lambda r: result(r)["message"].update(arguments=[])),
    ("message_by_its_id", "another text", lambda r: result(r)["message"].update(text=text(r) + "!")),
    ("links_of_a_message", "link to nothing", lambda r: result(r)["message"].update(text=text(r) + " [x](9).")),
    ("links_of_a_message", "link elsewhere", lambda r: result(r)["message"].update(text="A. See [x](http://y).")),
    ("links_of_a_message", "an id twice", lambda r: result(r)["relatedLocations"][1].update(id=1)),
    ("links_of_a_message", "no link", lambda r: result(r)["message"].update(text="A. B.")),
    (
        "links_of_a_message",
        "one link of two",
        lambda r: result(r)["message"].update(text=text(r).partition(" and [")[0] + "."),
    ),
    ("links_of_a_message", "in the title", lambda r: result(r)["message"].update(text="See [x](1).")),
    ("lengths_of_texts", "description", lambda r: rule(r)["fullDescription"].update(text="x" * 1025)),
    ("lengths_of_texts", "empty help", lambda r: rule(r)["help"].update(text="")),
    ("lengths_of_texts", "message", lambda r: result(r)["message"].update(text="x" * 2049)),
    ("texts_that_are_read_by_people", "absolute", lambda r: notify(r, message={"text": "/etc/passwd."})),
    ("texts_that_are_read_by_people", "address", lambda r: notify(r, message={"text": "file:///x."})),
    ("texts_that_are_read_by_people", "control", lambda r: notify(r, message={"text": "a\x1b[2J."})),
    ("texts_that_are_read_by_people", "brace", lambda r: notify(r, message={"text": "a {b."})),
    ("texts_that_are_read_by_people", "no sentence", lambda r: result(r)["message"].update(text="x")),
    ("texts_that_are_read_by_people", "name is id", lambda r: rule(r).update(name=rule(r)["id"])),
    ("severity_of_a_rule", "a number", lambda r: bag(r).update({"security-severity": 8.0})),
    ("severity_of_a_rule", "a word", lambda r: bag(r).update({"security-severity": "high"})),
    ("severity_of_a_rule", "zero", lambda r: bag(r).update({"security-severity": "0.0"})),
    ("severity_of_a_rule", "rank", lambda r: rule(r)["defaultConfiguration"].update(rank=8.0)),
    ("severity_of_a_rule", "problem", lambda r: bag(r).update({"problem.severity": "warning"})),
    ("severity_of_a_rule", "precision", lambda r: bag(r).pop("precision")),
    ("severity_of_a_result", "level", lambda r: result(r).update(level="note")),
    ("severity_of_a_result", "no level", lambda r: result(r).pop("level")),
    ("severity_of_a_result", "kind", lambda r: result(r).update(kind="pass")),
    ("tags", "many", lambda r: bag(r)["tags"].extend(str(number) for number in range(10))),
    ("tags", "not security", lambda r: bag(r).update(tags=["docker"])),
    ("tags", "a secret", lambda r: bag(r)["tags"].append("external/cwe/cwe-319")),
    ("taxa_of_a_rule", "another taxon", lambda r: taxon(r).update(id="1")),
    ("taxa_of_a_rule", "the index of another taxon", lambda r: taxon(r).update(index=99)),
    ("taxa_of_a_rule", "no such taxonomy", lambda r: taxon(r)["toolComponent"].pop("guid")),
    ("taxa_of_a_rule", "another taxonomy", lambda r: taxon(r)["toolComponent"].update(name="OWASP")),
    ("taxa_of_a_rule", "the index of an extension", lambda r: taxon(r)["toolComponent"].update(index=0)),
    ("taxa_of_a_rule", "not supported", lambda r: driver(r).pop("supportedTaxonomies")),
    ("taxa_of_a_rule", "no tag", lambda r: bag(r)["tags"].remove("external/cwe/cwe-923")),
    ("fingerprints", "none", lambda r: result(r).pop("partialFingerprints")),
    (
        "fingerprints",
        "another",
        lambda r: result(r)["partialFingerprints"].update(primaryLocationLineHash="0" * 16 + ":1"),
    ),
    ("fingerprints", "a result twice", lambda r: r["runs"][0]["results"].append(result(r))),
    ("suppressions", "some", lambda r: r["runs"][0]["results"].append({**result(r), "suppressions": []})),
    ("categories", "one category twice", lambda r: r["runs"].append(r["runs"][0])),
    ("categories", "no slash", lambda r: r["runs"][0].update(automationDetails={"id": "x"})),
    ("categories", "many runs", lambda r: r["runs"].extend(r["runs"] * 20)),
    ("addresses", "absolute", lambda r: place(r)["artifactLocation"].update(uri="/x")),
    ("addresses", "scheme", lambda r: place(r)["artifactLocation"].update(uri="file:x")),
    ("addresses", "upwards", lambda r: place(r)["artifactLocation"].update(uri="a/../x")),
    ("addresses", "not encoded", lambda r: place(r)["artifactLocation"].update(uri="a b")),
    ("addresses", "badly encoded", lambda r: place(r)["artifactLocation"].update(uri="a%2")),
    ("regions", "none", lambda r: place(r).pop("region")),
    ("regions", "only a line", lambda r: region(r).pop("endColumn")),
    ("regions", "backwards", lambda r: region(r).update(startColumn=9999)),
    ("regions", "beyond the file", lambda r: region(r).update(startLine=999, endLine=999)),
    ("regions", "beyond the line", lambda r: region(r).update(endColumn=999)),
    ("regions", "another text", lambda r: region(r)["snippet"].update(text="x")),
    ("regions", "no text", lambda r: region(r).pop("snippet")),
    ("regions", "equal context", lambda r: place(r).update(contextRegion=region(r))),
    ("artifacts", "no hash", lambda r: artifact(r).update(hashes={"sha-256": "x"})),
    ("artifacts", "another hash", lambda r: artifact(r).update(hashes={"sha-256": "0" * 64})),
    ("artifacts", "another length", lambda r: artifact(r).update(length=1)),
    ("code_flows", "too long", lambda r: steps(r).extend(steps(r) * 50)),
    ("code_flows", "by index", lambda r: steps(r)[0].update(index=0)),
    ("code_flows", "in silence", lambda r: steps(r)[0]["location"].pop("message")),
    ("code_flows", "after the end", lambda r: steps(r).append({**steps(r)[0], "importance": "essential"})),
    ("code_flows", "no end", lambda r: steps(r)[-1].update(importance="important")),
    ("code_flows", "disorder", lambda r: steps(r)[0].update(executionOrder=9)),
    ("code_flows", "no depth", lambda r: steps(r)[0].pop("nestingLevel")),
    ("logical_locations", "another name", lambda r: steps(r)[0]["location"]["logicalLocations"][0].update(name="X")),
    ("success", "in spite of an error", lambda r: notify(r, level="error")),
    ("success", "no reason", lambda r: invocation(r).update(executionSuccessful=False)),
    ("determinism", "a time", lambda r: invocation(r).update(endTimeUtc="2026-01-01T00:00:00Z")),
    ("determinism", "a command line", lambda r: invocation(r).update(arguments=["x"])),
    ("determinism", "a folder", lambda r: r["runs"][0]["originalUriBaseIds"]["%SRCROOT%"].update(uri="file:///x/")),
    ("determinism", "columns", lambda r: r["runs"][0].pop("columnKind")),
    ("determinism", "a word", lambda r: notify(r, message={"text": "In /home/me."})),
    ("formats", "a GUID of version 7", lambda r: result(r).update(guid="01890a5d-ac96-774b-bcce-b302099a8057")),
    ("formats", "a time that is not in UTC", lambda r: invocation(r).update(endTimeUtc="2026-01-01T00:00:00+00:00")),
    ("sizes", "results", lambda r: r["runs"][0].update(results=[{"locations": [0]}] * 25_001)),
    ("sizes", "rules", lambda r: driver(r).update(rules=[{}] * 25_001)),
    ("sizes", "locations", lambda r: result(r)["locations"].append(result(r)["locations"][0])),
    ("sizes", "places", lambda r: result(r).update(relatedLocations=result(r)["relatedLocations"] * 500)),
)


@pytest.mark.parametrize(("name", "what", "spoil"), FAULTS, ids=[f"{name}: {what}" for name, what, _ in FAULTS])
def test_the_checker_sees_a_fault(name: str, what: str, spoil: Callable[[Any], object]) -> None:
    root = broken().root()
    spoil(root)
    files = {name: document.content for name, document in broken().documents.items()}
    assert list(CHECKS[name](Log(json.dumps(root), files, private=("/home/me",))))


@pytest.mark.parametrize("spoil", [lambda text: text.rstrip(), lambda text: text.replace('\n{"ruleId"', '{"ruleId"')])
def test_the_checker_sees_lines(spoil: Callable[[str], str]) -> None:
    assert {fault.check for fault in faults(spoil(broken().log()))} == {"lines"}


def test_the_checker_sees_a_key_that_stands_twice() -> None:
    with pytest.raises(AssertionError, match="twice"):
        faults(broken().log().replace('"version":', '"version":"2.1.0",\n"version":', 1))


def test_each_check_has_a_log_that_fails_it() -> None:
    assert {name for name, *_ in FAULTS} | {"lines"} == CHECKS.keys()


# --- The same input, the same bytes ---


def run(folder: Path, *arguments: str, seed: str = "0") -> bytes:
    command = [sys.executable, "-m", "icclint", "check", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode in (0, 1)
    assert done.stderr.decode() == ""
    return done.stdout


def test_neither_the_seed_nor_the_order_nor_the_place_makes_a_difference(tmp_path: Path) -> None:
    for place in ("here", "there/again"):
        shutil.copytree(ROOT / "samples" / "28.5.2", tmp_path / place)
    here, there = tmp_path / "here", tmp_path / "there" / "again"
    hosts = sorted(folder.name for folder in here.iterdir())
    first = run(here, "-o", "sarif", *hosts)
    assert run(here, "-o", "sarif", *hosts, seed="1") == first
    assert run(here, "-o", "sarif", *reversed(hosts), seed="2") == first
    assert run(there, "-o", "sarif", *hosts, seed="3") == first
    # And a file holds what standard output gets.
    run(here, "-o", "sarif=log.sarif", *hosts)
    assert (here / "log.sarif").read_bytes() == first


# --- The adapter between sarif-om and JSON ---

CLASSES = [found for _, found in sorted(vars(om).items()) if isinstance(found, type) and attr.has(found)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_schema_has_every_name_that_the_adapter_writes(kind: type) -> None:
    name = kind.__name__[0].lower() + kind.__name__[1:]
    properties = SCHEMA["properties"] if kind is om.SarifLog else SCHEMA["definitions"][name]["properties"]
    assert {member.key for member in writer.members_of(kind)} <= properties.keys()


def test_what_equals_a_default_is_written_and_what_is_absent_is_not() -> None:
    plain = writer.plain(om.Result(message=om.Message(text="x"), level="warning", rank=0.0, rule_index=0))
    assert plain == {"message": {"text": "x"}, "kind": "fail", "level": "warning", "rank": 0.0, "ruleIndex": 0}


def test_the_state_of_a_suppression_has_its_final_name() -> None:
    assert writer.plain(om.Suppression(kind="external", state="accepted")) == {
        "kind": "external",
        "status": "accepted",
    }


def test_a_misspelt_attribute_is_no_silence() -> None:
    message = om.Message(text="x")
    message.markdwon = "y"
    with pytest.raises(AttributeError, match="Message has no markdwon"):
        writer.plain(message)


@pytest.mark.parametrize("value", [Path("x"), {"x"}, b"x", object()], ids=repr)
def test_what_json_does_not_have_is_no_silence(value: object) -> None:
    with pytest.raises(attr.exceptions.NotAnAttrsClassError):
        writer.plain({"key": value})


def test_only_the_writer_of_sarif_imports_its_packages() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for folder in ("icclint", "grammars", "rules")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        if name.partition(".")[0] in ("sarif_om", "attr", "attrs", "jschema_to_python")
    }
    assert users
    assert all(user.startswith("icclint/output/sarif/") for user in users)


@pytest.mark.parametrize(("form", "imported"), [("text", False), ("json", False), ("sarif", True)])
def test_only_those_who_ask_for_sarif_import_it(form: str, imported: bool) -> None:
    code = (
        "import sys\n"
        "from icclint.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('sarif_om' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "check", "-o", form, str(ROOT / "samples" / "28.5.2" / "icc-off")]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == str(imported)


# --- The validators of those who read the logs ---


def for_validators(host: Path) -> Iterator[tuple[str, Checked]]:
    """Logs of all sorts: with findings and without, with gaps, with crashes, with odd names, of many hosts."""
    for name in ("10a-accept-in-docker-user", "12a-ipv6-no-ip6tables", "23-icc-spellings", "02-default-icc-false"):
        yield name, checked([capture(f"28.5.2/{name}")])
    yield "link", checked([capture("20.10.24/04a-link-target-removed")])
    yield "samples", checked(read_captures([str(ROOT / "samples")], ROOT)[0])
    hosts = read_captures([str(ROOT / "samples" / "28.5.2")], ROOT)[0][:4]
    yield "runs", replace(checked(hosts), delivery=Delivery("lab", per_host=True))
    yield "crash", checked([capture(BROKEN)], failing(lambda: ValueError("boom {0}")))
    finding = broken().report.findings[0]
    step = finding.path[0].model_copy(update={"location": None})
    yield "long", broken().finding(related=finding.related * 40, path=(step,) * 60)
    edit(host / "networks.json", lambda text: text[: len(text) // 2])
    edit(host / "iptables-save.txt", lambda text: text.replace(b"\n", b"\r\n").replace(b"-j ACCEPT", b"-j \x01[x](1)"))
    (host / "50% #1:?.txt").write_bytes(b"\0")
    (host / "away.txt").symlink_to("nowhere")
    yield "gaps", checked_at(host)


@pytest.mark.npm
def test_microsofts_multitool_and_githubs_upload_action_take_all_logs(host: Path, tmp_path: Path) -> None:
    paths = []
    for name, found in for_validators(host):
        assert_sound(found)
        paths.append(tmp_path / f"{name}.sarif")
        paths[-1].write_text(found.log(), encoding="utf-8")
    for script, word in (("multitool.sh", ": 0 errors, 0 warnings"), ("upload-action.sh", ": 0 errors")):
        done = run_with_npm(script, *paths)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count(word) == len(paths)
