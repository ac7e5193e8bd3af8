"""The baseline: after an ordinary redeploy all is known, a new hole is one new finding, and what is mended is gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from icclint_rules import RULES

from icclint.baseline import baseline_of, compare, pruned, render_baseline
from icclint.capture.read import Capture
from icclint.cli import main
from icclint.engine import check
from icclint.report import Report
from icclint.rule import Rule
from icclint.source import Document
from tests.captured import NAMES, capture
from tests.redeployed import Redeploy

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples" / "28.5.2"

HOLED = "28.5.2/10a-accept-in-docker-user"
"""A host with ICC off and an ACCEPT that wins over it."""


def told(found: Capture, rules: Sequence[Rule] = RULES) -> Report:
    return check([found], rules)


def edited(found: Capture, *changes: tuple[str, str]) -> Capture:
    """A capture with something else in each of its dumps of IPv4."""
    documents = []
    for document, kind in found.documents:
        text = document.text
        if document.name in ("iptables-save.txt", "iptables-S.txt"):
            for old, new in changes:
                assert old in text
                text = text.replace(old, new)
        documents.append((Document(document.name, text.encode()), kind))
    return Capture(found.host, tuple(documents), found.gaps)


def states(report: Report) -> list[str | None]:
    return [finding.state for finding in report.findings]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("29")])
def test_after_a_redeploy_all_is_known(name: str) -> None:
    found = compare(told(Redeploy(capture(name)).redeployed), baseline_of(told(capture(name))))
    assert set(states(found)) <= {"known"}
    assert found.gone == ()


@pytest.mark.parametrize("name", ["20.10.24/02-default-icc-false", "28.5.2/02-default-icc-false", HOLED])
def test_after_a_redeploy_a_new_hole_is_one_new_finding(name: str) -> None:
    before = told(capture(name))
    rule = "-A FORWARD -i docker0 -o docker0 -p udp -m udp --dport 53 -j ACCEPT\n"
    first = "-A FORWARD -j DOCKER-USER\n"
    found = compare(told(edited(Redeploy(capture(name)).redeployed, (first, rule + first))), baseline_of(before))
    (new,) = [finding for finding in found.findings if finding.state == "new"]
    assert new.rule == "icc-off-but-forwarded"
    assert "--dport 53" in new.message
    assert len(found.findings) == len(before.findings) + 1
    assert found.gone == ()


def test_what_is_mended_is_gone_and_pruned() -> None:
    before = told(capture(HOLED))
    baseline = baseline_of(before)
    holes = [line for line in before_lines(HOLED) if line.startswith("-A DOCKER-USER") and line.endswith("ACCEPT")]
    assert holes
    mended = edited(Redeploy(capture(HOLED)).redeployed, *((f"{line}\n", "") for line in holes))
    found = compare(told(mended), baseline)
    assert [one.rule for one in found.gone] == ["icc-off-but-forwarded"]
    assert "new" not in states(found)
    after = pruned(baseline, told(mended))
    assert next(one for one in baseline.findings if one not in after.findings).rule == "icc-off-but-forwarded"
    assert compare(told(mended), after).gone == ()


def before_lines(name: str) -> list[str]:
    (document,) = [document for document, _ in capture(name).documents if document.name == "iptables-save.txt"]
    return list(document.lines)


def test_a_second_finding_like_a_known_one_is_new() -> None:
    before = told(capture(HOLED))
    first = before.findings[0]
    second = first.model_copy(update={"fingerprint": first.fingerprint.replace(":1", ":2")})
    twice = before.model_copy(update={"findings": (first, second, *before.findings[1:])})
    assert states(compare(twice, baseline_of(before)))[:2] == ["known", "new"]
    assert states(compare(twice, baseline_of(twice)))[:2] == ["known", "known"]
    (gone,) = compare(before, baseline_of(twice)).gone
    assert gone.fingerprint == second.fingerprint
    assert pruned(baseline_of(twice), before) == baseline_of(before)


@pytest.mark.parametrize("name", ["28.5.2/04a-link-target-removed", "20.10.24/18e-multiport-iprange", HOLED])
def test_what_was_not_asked_or_could_not_be_told_is_not_gone(name: str) -> None:
    before = told(capture(name))
    baseline = baseline_of(before)
    rules = [rule for rule in RULES if rule.id not in {finding.rule for finding in before.findings}]
    assert before.findings
    bare = Capture("host", tuple(pair for pair in capture(name).documents if pair[0].name == "docker-version.txt"), ())
    for report in (told(capture(name), rules), told(bare)):
        assert not {finding.rule for finding in before.findings} & {finding.rule for finding in report.findings}
        assert compare(report, baseline).gone == ()
        assert pruned(baseline, report) == baseline


def test_hosts_are_told_apart_unless_there_is_one_on_either_side() -> None:
    one, other = capture(HOLED), capture("28.5.2/02-default-icc-false")
    web, db = Capture("web", one.documents, ()), Capture("db", other.documents, ())
    only_web, both = baseline_of(check([web], RULES)), baseline_of(check([web, db], RULES))
    renamed = Capture("captures/web-2", one.documents, ())
    assert set(states(compare(told(renamed), only_web))) == {"known"}
    # What web is known for is new on db, and web is not clean because it was not looked at.
    holed_db = Capture("db", one.documents, ())
    found = compare(told(holed_db), both)
    assert {finding.state for finding in found.findings if finding.rule == "icc-off-but-forwarded"} == {"new"}
    assert "web" not in {one.host for one in found.gone}
    assert pruned(both, told(db)) == both


def test_a_baseline_is_the_same_for_the_same_host() -> None:
    lines = list(render_baseline(baseline_of(told(capture(HOLED)))))
    assert lines == list(render_baseline(baseline_of(told(Capture("host", capture(HOLED).documents[::-1], ())))))
    assert len(lines) == 2 + len(told(capture(HOLED)).findings)


# --- The commands ---


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SAMPLES / "icc-off-but-accept", tmp_path / "host1")
    shutil.copytree(SAMPLES / "icc-off", tmp_path / "clean")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def results(*arguments: str) -> Any:
    return json.loads(run("check", "host1", "-o", "sarif", *arguments).stdout)["runs"][0]["results"]


def test_write_check_and_prune(desk: Path) -> None:
    written = run("baseline", "write", "host1", "-o", "b.json")
    assert (written.exit_code, written.stdout) == (0, "findings written to b.json: 1\n")
    jsonschema.validate(
        json.loads((desk / "b.json").read_text()), json.loads((ROOT / "docs/baseline.schema.json").read_text())
    )
    known = run("check", "host1", "--baseline", "b.json")
    assert known.exit_code == 0
    assert (
        "reach each other: rule -A FORWARD -i docker0 -o docker0 -j ACCEPT lets the packets pass (known)"
        in known.stdout
    )
    assert "1 finding (1 high) on 1 host; 1 known; " in known.stdout
    assert "= packet" not in known.stdout
    shutil.rmtree("host1")
    Path("clean").rename("host1")
    mended = run("check", "host1", "--baseline", "b.json")
    assert mended.exit_code == 0
    assert "gone[icc-off-but-forwarded] Network 'bridge' has ICC off" in mended.stdout
    assert "0 findings on 1 host; 1 gone; " in mended.stdout
    cut = run("baseline", "prune", "host1", "--baseline", "b.json")
    assert (cut.exit_code, cut.stdout) == (0, "findings taken out of b.json: 1; left in it: 0\n")
    assert json.loads((desk / "b.json").read_text()) == {
        "format": "icclint-baseline/1",
        "hosts": ["host1"],
        "findings": [],
    }
    assert sorted(path.name for path in desk.iterdir()) == ["b.json", "host1"]


def test_what_is_new_counts(desk: Path) -> None:
    assert run("baseline", "write", "clean", "-o", "b.json").exit_code == 0
    result = run("check", "host1", "--baseline", "b.json")
    assert result.exit_code == 1
    assert "lets the packets pass (new)" in result.stdout
    assert "1 finding (1 high) on 1 host; 1 new; " in result.stdout
    assert results("--baseline", "b.json")[0]["baselineState"] == "new"


def test_sarif_has_the_states(desk: Path) -> None:
    run("baseline", "write", "host1", "-o", "b.json")
    assert [result["baselineState"] for result in results("--baseline", "b.json")] == ["unchanged"]
    (known,) = results("--baseline", "b.json")
    shutil.rmtree("host1")
    Path("clean").rename("host1")
    # GitHub would make an alert of it.
    assert results("--baseline", "b.json") == []
    (absent,) = results("--baseline", "b.json", "--show-all")
    assert absent["baselineState"] == "absent"
    assert absent["partialFingerprints"] == known["partialFingerprints"]
    assert absent["message"]["text"].startswith("No longer found: Network 'bridge' has ICC off")


def test_what_is_accepted_is_not_written(desk: Path) -> None:
    (desk / "icclint.toml").write_text('[[accept]]\nrule = "*"\nsubject = "*"\nreason = "a test"\n')
    run("baseline", "write", "host1", "-o", "b.json")
    assert json.loads((desk / "b.json").read_text())["findings"] == []
    assert run("check", "host1", "--baseline", "b.json").exit_code == 0
    # The day that nothing is accepted any more, it is as new as ever.
    assert run("check", "host1", "--baseline", "b.json", "--no-accept").exit_code == 1


def test_an_acceptance_takes_no_place_of_a_known_finding(desk: Path) -> None:
    run("baseline", "write", "host1", "-o", "b.json")
    (desk / "icclint.toml").write_text('[[accept]]\nrule = "*"\nsubject = "*"\nreason = "a test"\n')
    report = json.loads(run("check", "host1", "--baseline", "b.json", "-o", "json").stdout)
    assert [finding["state"] for finding in report["accepted"]] == ["known"]
    assert report["gone"] == []


GOOD = '{"format": "icclint-baseline/1", "hosts": ["host1"], "findings": [\n  %s\n]}\n'
ENTRY = {"fingerprint": "0" * 64, "count": 1, "host": "host1", "rule": "r", "subject": "s", "message": "m"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "b.json:1: not JSON"),
        ('{"format":\n "icclint-baseline/1",\n', "b.json:2: not JSON"),
        ("[]", "b.json:1: no baseline that icclint has written"),
        ('{"format": "icclint-baseline/2", "hosts": [], "findings": []}', "b.json:1: no baseline"),
        ('{"format": "icclint-baseline/1", "hosts": []}', "b.json:1: no baseline that icclint has written: findings: "),
        (GOOD % json.dumps(ENTRY | {"count": 0}), "b.json:2: no baseline that icclint has written: findings.0.count: "),
        (GOOD % json.dumps(ENTRY | {"count": "1"}), "b.json:2: "),
        (GOOD % json.dumps(ENTRY | {"fingerprint": "abc"}), "b.json:2: "),
        (GOOD % json.dumps(ENTRY | {"line": 3}), "b.json:2: "),
        (GOOD % f"{json.dumps(ENTRY)},\n{json.dumps(ENTRY)}", "a host has two entries of one fingerprint"),
    ],
)
def test_a_broken_baseline_is_an_error_and_never_an_empty_one(desk: Path, text: str, reason: str) -> None:
    (desk / "b.json").write_text(text)
    for command in (("check",), ("baseline", "prune")):
        result = run(*command, "clean", "--baseline", "b.json")
        assert result.exit_code == 2
        assert reason in result.stderr
    assert (desk / "b.json").read_text() == text


def test_a_missing_baseline_is_an_error(desk: Path) -> None:
    result = run("check", "clean", "--baseline", "b.json")
    assert (result.exit_code, result.stderr) == (2, "icclint: b.json: No such file or directory\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("write", "host1"), 2),
        (("write", "no-such-folder", "-o", "b.json"), 3),
        (("write", "host1", "no-such-folder", "-o", "b.json"), 3),
        (("write", "host1", "-o", "/no/such/folder/b.json"), 2),
        (("prune", "host1"), 2),
    ],
)
def test_exit_codes(desk: Path, arguments: tuple[str, ...], code: int) -> None:
    assert run("baseline", *arguments).exit_code == code
