"""The configuration: what it may say, where it is looked for, and what it accepts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner, Result
from icclint_rules import RULES
from jsonschema import Draft202012Validator

from icclint.cli import SEVERITIES, main
from icclint.config import Configuration, chosen_rules
from icclint.rule import Profile
from icclint.toml import line_of

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples" / "28.5.2"
CASE = "icc-off-but-accept"
"""A host with one finding: icc-off-but-forwarded of network bridge, severity high."""

ACCEPTED = """
[[accept]]
rule = "icc-off-but-forwarded"
subject = "network bridge"
reason = "the scrapers share this bridge, OPS-412"
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one captured host in it."""
    shutil.copytree(SAMPLES / CASE, tmp_path / "host1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("check", *(arguments or ("host1",))))


def report(*arguments: str) -> Any:
    return json.loads(check("host1", "-o", "json", *arguments).stdout)


# --- What it may say ---


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('ruels = ["audit"]\n', "icclint.toml:1: there is no key ruels; did you mean rules?"),
        ('\nfail_on = "low"\n', "icclint.toml:2: there is no key fail_on; did you mean fail-on?"),
        ('rules = "audit"\n', "icclint.toml:1: rules is no list"),
        ("rules = []\n", "icclint.toml:1: rules is empty"),
        (f"rules = {'9' * 5000}\n", "icclint.toml:1: a number of too many digits, or values nested too deeply"),
        (
            f"rules = {'[' * 3000}{']' * 3000}\n",
            "icclint.toml:1: a number of too many digits, or values nested too deeply",
        ),
        ('# why\nfail-on = "hihg"\n', "icclint.toml:2: fail-on must be 'high', 'medium', 'low', 'note' or 'never'"),
        (ACCEPTED.replace("reason", "raeson"), "icclint.toml:5: there is no key accept.raeson; did you mean reason?"),
        (ACCEPTED.replace("reason", "raeson"), "icclint.toml:2: accept.reason is missing"),
        (ACCEPTED.replace("the scrapers share this bridge, OPS-412", " "), "icclint.toml:5: accept.reason is empty"),
        (f'{ACCEPTED}until = "2027-01-31"\n', "icclint.toml:6: accept.until is no date"),
        (f"{ACCEPTED}until = 2027-01-31T10:00:00Z\n", "icclint.toml:6: accept.until is no date"),
        (f"{ACCEPTED}{ACCEPTED}subject = 1\n", "icclint.toml:11: not TOML: "),
        (
            'rules = [\n  "default",\n  "-link-orfaned",\n]\n',
            "icclint.toml:3: no rule has the name 'link-orfaned'; did",
        ),
        ('rules = ["defualt"]\n', "icclint.toml:1: no rule has the name 'defualt'; did you mean default?"),
        (ACCEPTED.replace('"icc-off', '"icc-of'), "did you mean icc-off-but-forwarded?"),
        (ACCEPTED.replace('"icc-off-but-forwarded', '"ipc-*'), "icclint.toml:3: no rule has the name 'ipc-*'"),
        ('rules = ["default"\n', "icclint.toml:1: not TOML: "),
        ("\n\nrules = [\xff]\n", "icclint.toml:3: not UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(desk: Path, text: str, reason: str) -> None:
    (desk / "icclint.toml").write_bytes(text.encode("latin-1"))
    result = check()
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["icclint.toml", "pyproject.toml"])
def test_a_file_that_is_named_must_be_there(desk: Path, name: str) -> None:
    result = check("host1", "--config", name)
    assert (result.exit_code, result.stderr) == (2, f"icclint: {name}: No such file or directory\n")


def test_a_pyproject_that_is_named_must_have_the_table(desk: Path) -> None:
    (desk / "pyproject.toml").write_text("[project]\n")
    result = check("host1", "--config", "pyproject.toml")
    assert result.exit_code == 2
    assert "pyproject.toml: there is no table tool.icclint in it" in result.stderr


def test_the_schema_and_the_reader_agree() -> None:
    schema = Draft202012Validator(json.loads((ROOT / "docs/config.schema.json").read_text()))
    entry = {"rule": "icc-*", "subject": "network *", "reason": "why", "until": "2027-01-31", "host": "web-*"}
    whole: dict[str, Any] = {"rules": ["audit", "-link-orphaned"], "fail-on": "low", "accept": [entry]}
    assert schema.is_valid(whole)
    assert schema.is_valid({})
    wrong: dict[str, Any]
    for wrong in ({"fail-on": "hihg"}, {"fail_on": "low"}, {"rules": []}, {"accept": [entry | {"line": 4}]}):
        assert not schema.is_valid(whole | wrong)
    for key in ("rule", "subject", "reason"):
        assert not schema.is_valid({"accept": [{name: value for name, value in entry.items() if name != key}]})


def test_the_levels_are_those_of_the_command_line() -> None:
    assert get_args(Configuration.model_fields["fail_on"].annotation) == SEVERITIES


@pytest.mark.parametrize(
    ("path", "line"),
    [(("a",), 2), (("b",), 3), (("b", 1), 5), (("c", "d"), 9), (("e", 0), 11), (("e", 1), 14), (("e", 1, "g"), 16)],
)
def test_lines_of_values(path: tuple[str | int, ...], line: int) -> None:
    text = '# a\na = 1\nb = [\n  "x", # y\n  "]",\n]\n\n[c]\nd = """\n[[e]]"""\n[[e]]\ng = 1\n\n[[e]]\n# f\ng = 2\n'
    assert line_of(text.encode(), path) == line


# --- Which rules, and what fails ---


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("default",), {rule.id for rule in RULES if rule.profile is Profile.DEFAULT}),
        (("audit",), {rule.id for rule in RULES}),
        (("link-orphaned", "duplicate-rules"), {"link-orphaned", "duplicate-rules"}),
        (("audit", "-link-orphaned"), {rule.id for rule in RULES} - {"link-orphaned"}),
        (("-link-orphaned",), {rule.id for rule in RULES if rule.profile is Profile.DEFAULT} - {"link-orphaned"}),
        (("-link-orphaned", "link-orphaned"), set()),
        (("link-orphaned", "default"), {rule.id for rule in RULES if rule.profile is Profile.DEFAULT}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_words_that_choose_rules(words: tuple[str, ...], expected: set[str]) -> None:
    assert {rule.id for rule in chosen_rules(words, RULES)} == expected


def test_rules_and_level_of_the_configuration_are_overruled_by_the_command_line(desk: Path) -> None:
    (desk / "icclint.toml").write_text('rules = ["icc-off-but-forwarded", "link-orphaned"]\nfail-on = "never"\n')
    assert report()["rules"] == ["icc-off-but-forwarded", "link-orphaned"]
    assert check().exit_code == 0
    assert check("host1", "--fail-on", "high").exit_code == 1
    assert report("--ignore", "link-orphaned")["rules"] == ["icc-off-but-forwarded"]
    assert report("--select", "link-half-pair")["rules"] == ["link-half-pair"]
    assert len(report("--profile", "audit")["rules"]) >= len(RULES)
    assert report("--no-config")["rules"] != report()["rules"]
    assert check("host1", "--no-config").exit_code == 1


def test_to_ask_nothing_is_an_error(desk: Path) -> None:
    result = check("host1", "--select", "link-orphaned", "--ignore", "link-orphaned")
    assert result.exit_code == 2
    assert "no rule is left to ask" in result.stderr


# --- Where it is looked for ---


def test_it_is_looked_for_where_one_is(desk: Path) -> None:
    (desk / "pyproject.toml").write_text('[tool.icclint]\nrules = ["link-orphaned"]\n')
    assert report()["rules"] == ["link-orphaned"]
    (desk / "icclint.toml").write_text('rules = ["link-half-pair"]\n')
    assert report()["rules"] == ["link-half-pair"]
    (desk / "other.toml").write_text('rules = ["icc-off-but-forwarded"]\n')
    assert report("--config", "other.toml")["rules"] == ["icc-off-but-forwarded"]
    assert check("host1", "--config", "other.toml", "--no-config").exit_code == 2


def test_a_pyproject_without_the_table_says_nothing(desk: Path) -> None:
    before = report()
    (desk / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert report() == before


def test_nothing_is_taken_from_a_capture(desk: Path) -> None:
    (desk / "host1" / "icclint.toml").write_text(ACCEPTED)
    assert [finding["rule"] for finding in report()["findings"]] == ["icc-off-but-forwarded"]


@pytest.mark.parametrize("name", ["icclint.toml", "pyproject.toml"])
@pytest.mark.parametrize("capture", [".", "..", "../host1"])
def test_nothing_is_taken_from_a_capture_that_one_stands_in(
    desk: Path, monkeypatch: pytest.MonkeyPatch, name: str, capture: str
) -> None:
    table = "[tool.icclint]\nrules = ['link-orphaned']\n" if name == "pyproject.toml" else "rules = ['link-orphaned']\n"
    (desk / "host1" / name).write_text(table)
    monkeypatch.chdir(desk / "host1")
    result = check(capture)
    assert "high[icc-off-but-forwarded]" in result.stdout
    assert f"{name} is not read" in result.stderr
    assert result.exit_code == 1
    assert "high[" not in check(capture, "--config", name).stdout
    assert check(capture, "--no-config").stderr == ""


# --- What it accepts ---


def test_what_is_accepted_does_not_count_and_is_not_lost(desk: Path) -> None:
    (desk / "icclint.toml").write_text(f"{ACCEPTED}until = 2027-01-31\n")
    result = check("host1", "--at", "2027-01-01T00:00:00Z")
    assert result.exit_code == 0
    assert "high[" not in result.stdout
    assert "0 findings on 1 host; 1 accepted; " in result.stdout.splitlines()[-1]
    listed = check("host1", "--at", "2027-01-01T00:00:00Z", "--show-all").stdout
    assert "high[icc-off-but-forwarded] Network 'bridge' has ICC off, but its containers reach each other" in listed
    assert " = accepted until 2027-01-31: the scrapers share this bridge, OPS-412" in listed
    found = report("--at", "2027-01-01T00:00:00Z")
    assert found["findings"] == []
    (accepted,) = found["accepted"]
    assert accepted["rule"] == "icc-off-but-forwarded"
    assert accepted["acceptance"] == {"reason": "the scrapers share this bridge, OPS-412", "until": "2027-01-31"}


def test_no_accept_shows_all(desk: Path) -> None:
    before = report()
    (desk / "icclint.toml").write_text(ACCEPTED)
    assert report("--no-accept") == before
    assert check("host1", "--no-accept").exit_code == 1


def test_an_acceptance_has_its_last_day(desk: Path) -> None:
    (desk / "icclint.toml").write_text(f"{ACCEPTED}until = 2027-01-31\n")
    last, after = (check("host1", "--at", f"2027-{day}T23:59:59Z") for day in ("01-31", "02-01"))
    assert (last.exit_code, after.exit_code) == (0, 1)
    assert "ended-accept" not in last.stdout
    said = "note[ended-accept] icclint.toml:2: the acceptance of icc-off-but-forwarded of network bridge on * ended on 2027"
    assert said in after.stdout


def test_the_day_changes_nothing_but_what_has_ended(desk: Path) -> None:
    (desk / "icclint.toml").write_text(ACCEPTED)
    assert report("--at", "2027-01-01T00:00:00Z") == report("--at", "2099-01-01T00:00:00Z") == report()


@pytest.mark.parametrize(
    ("change", "accepts"),
    [
        (("icc-off-but-forwarded", "icc-*"), True),
        (("network bridge", "network *"), True),
        (("network bridge", "network b"), False),
        (("network bridge", "Network bridge"), False),
        (('reason = "', 'host = "host?"\nreason = "'), True),
        (('reason = "', 'host = "web-*"\nreason = "'), False),
        (("icc-off-but-forwarded", "link-orphaned"), False),
    ],
)
def test_rule_subject_and_host_are_globs(desk: Path, change: tuple[str, str], accepts: bool) -> None:
    (desk / "icclint.toml").write_text(ACCEPTED.replace(*change))
    assert bool(report()["accepted"]) is accepts


def unused(*arguments: str) -> list[tuple[str, int]]:
    return [(one["kind"], one["line"]) for one in report(*arguments)["idle_acceptances"]]


def test_an_acceptance_of_nothing_is_said_if_its_rule_could_tell(desk: Path) -> None:
    (desk / "icclint.toml").write_text(ACCEPTED + ACCEPTED.replace("network bridge", "network gone"))
    assert unused() == [("unused-accept", 7)]
    assert unused("--ignore", "icc-off-but-forwarded") == []
    said = "icclint.toml:7: there is no icc-off-but-forwarded of network gone on * to accept"
    assert said in check().stdout
    assert check().exit_code == 0
    # Without the rules of IPv4 the rule cannot tell, and what it is for may be there.
    (desk / "host1" / "iptables-save.txt").unlink()
    for name in ("iptables-S.txt", "iptables-S-nat.txt"):
        (desk / "host1" / name).unlink(missing_ok=True)
    assert report()["not_assessed"]
    assert unused() == []


def test_an_acceptance_for_several_rules_is_unused_only_if_all_were_asked(desk: Path) -> None:
    (desk / "icclint.toml").write_text(ACCEPTED.replace("icc-off-but-forwarded", "link-*"))
    assert unused("--profile", "audit") == [("unused-accept", 2)]
    assert unused("--profile", "audit", "--ignore", "link-orphaned") == []


def test_an_acceptance_for_a_host_that_is_not_there_says_nothing(desk: Path) -> None:
    (desk / "icclint.toml").write_text(ACCEPTED.replace("reason", 'host = "web-*"\nreason'))
    assert unused() == []


def test_what_could_not_be_told_cannot_be_accepted(desk: Path) -> None:
    (desk / "host1" / "networks.json").write_text("[{")
    (desk / "icclint.toml").write_text('[[accept]]\nrule = "*"\nsubject = "*"\nreason = "all of it"\n')
    result = check("host1", "--strict")
    assert result.exit_code == 3
    assert "cannot be told" in result.stdout
    assert "gap " in result.stdout
