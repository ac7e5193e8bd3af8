"""The command line as its users meet it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from icclint.cli import main

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
BROKEN = "samples/28.5.2/icc-off-but-accept"
WHOLE = "samples/28.5.2/icc-off"


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "icclint", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", WHOLE), 0),
        (("check", BROKEN), 1),
        (("check", BROKEN, "--fail-on", "never"), 0),
        (("check", "samples/28.5.2/icc-on-but-drop"), 0),
        (("check", "samples/28.5.2/icc-on-but-drop", "--fail-on", "low"), 1),
        (("check", BROKEN, "--ignore", "icc-off-but-forwarded"), 0),
        (("check", BROKEN, "--select", "link-orphaned"), 0),
        (("check", f"{BROKEN}/iptables-save.txt"), 0),
        (("check", f"{BROKEN}/iptables-save.txt", "--strict"), 3),
        (("check", "no-such-folder"), 3),
        (("check", BROKEN, "no-such-folder"), 3),
        (("check",), 2),
        (("check", BROKEN, "-o", "xml"), 2),
        (("check", BROKEN, "-o", "json", "-o", "text"), 2),
        (("check", BROKEN, "--select", "icc-of-but-forwarded"), 2),
        (("check", BROKEN, "-o", "json=/no/such/folder/report.json"), 2),
        (("explain", "no-such-rule"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


def test_a_misspelt_rule_is_answered_with_the_nearest() -> None:
    assert "did you mean icc-off-but-forwarded?" in run("check", BROKEN, "--select", "icc-of-but-forwarded").output


def test_a_path_that_is_missing_does_not_hide_what_the_others_say() -> None:
    result = run("check", BROKEN, "no-such-folder")
    assert "high[icc-off-but-forwarded]" in result.output
    assert "no-such-folder: " in result.stderr


def test_standard_input_is_a_document() -> None:
    dump = (ROOT / BROKEN / "iptables-save.txt").read_bytes()
    result = run("check", "-", f"{BROKEN}/networks.json", "-o", "json", stdin=dump)
    report = json.loads(result.stdout)
    assert report["findings"][0]["location"]["document"] == "stdin"


def test_json_fits_its_schema() -> None:
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    report = json.loads(run("check", "samples", "-o", "json").stdout)
    jsonschema.validate(report, schema)
    assert report["format"] == "icclint/1"
    assert len({document["host"] for document in report["documents"]}) == 28


def test_several_outputs_at_once(tmp_path: Path) -> None:
    result = run("check", BROKEN, "-o", "text", "-o", f"json={tmp_path}/a.json", "-o", f"sarif={tmp_path}/a.sarif")
    assert "high[icc-off-but-forwarded]" in result.output
    assert json.loads((tmp_path / "a.json").read_text())["findings"]
    assert json.loads((tmp_path / "a.sarif").read_text())["runs"][0]["results"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.sarif"]


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_equal_input_gives_equal_bytes(form: str) -> None:
    folders = [str(path.relative_to(ROOT)) for path in sorted(SAMPLES.glob("*/*/"))]
    seen = set()
    for seed in (0, 1, 2):
        random.Random(seed).shuffle(folders)
        seen.add(process("check", *folders, "-o", form, PYTHONHASHSEED=str(seed)).stdout)
    assert len(seen) == 1


def test_where_a_capture_lies_does_not_show(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "host1").symlink_to(ROOT / BROKEN)
    outputs = {run("check", str(tmp_path / name / "host1"), "-o", "json").stdout for name in ("here", "there")}
    assert len(outputs) == 1
    assert str(tmp_path) not in outputs.pop()


def test_two_captures_of_one_name_stay_two(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "host1").symlink_to(ROOT / BROKEN)
    report = json.loads(run("check", f"{tmp_path}/here/host1", f"{tmp_path}/there/host1", "-o", "json").stdout)
    assert {finding["host"] for finding in report["findings"]} == {"here/host1", "there/host1"}


def test_a_fingerprint_outlives_lines_ids_and_addresses(tmp_path: Path) -> None:
    network = """[{"Name": "apps", "Id": "%s", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "%s.0/24",
      "Gateway": "%s.1"}]}, "Containers": {"c": {"Name": "web", "IPv4Address": "%s.2/24"}},
      "Options": {"com.docker.network.bridge.enable_icc": "false"}}]"""
    rules = "-P FORWARD DROP\n%s-A FORWARD -i br-%s -d %s.2/32 -j ACCEPT\n"
    fingerprints = set()
    for number, (id_, prefix, before) in enumerate(
        [("aaaaaaaaaaaa0000", "172.18.0", ""), ("bbbbbbbbbbbb0000", "172.25.0", "-A FORWARD -i eth9 -j DROP\n")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "networks.json").write_text(network % (id_, *(prefix,) * 3))
        (folder / "rules.txt").write_text(rules % (before, id_[:12], prefix))
        (finding,) = json.loads(run("check", str(folder), "--select", "icc-off-but-forwarded", "-o", "json").stdout)[
            "findings"
        ]
        fingerprints.add(finding["fingerprint"])
    assert len(fingerprints) == 1


def test_captured_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "networks.json").write_text(
        '[{"Name": "evil\\u001b[2J\\u202e", "Id": "aaaaaaaaaaaa", "Driver": "bridge", "IPAM": {}, '
        '"Options": {"com.docker.network.bridge.enable_icc": "false"}}]'
    )
    (tmp_path / "rules.txt").write_text(
        '-P FORWARD ACCEPT\n-A FORWARD -i br-aaaaaaaaaaaa -m comment --comment "\x1b[31m\u202e" -j ACCEPT\n'
        "bad \x07 line\n"
    )
    output = run("check", str(tmp_path), "--color", "always").output
    assert "\x1b[2J" not in output
    assert "\x1b[31m\u202e" not in output
    assert "\u202e" not in output
    assert "\x07" not in output
    assert "\\x1b" in output


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" not in process("check", BROKEN).stdout
    assert "\x1b[" in process("check", BROKEN, "--color", "always").stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m icclint check samples | head -n 1"
    result = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.startswith("high[")
    assert result.stderr == ""


def test_a_crash_of_a_rule_is_said_and_the_others_still_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    from icclint import plugins
    from icclint.finding import Severity
    from icclint.rule import Profile, Rule

    def broken(host: object, effect: object) -> object:
        raise RuntimeError("no such thing")

    crashing = Rule("crashing", Severity.LOW, Profile.DEFAULT, frozenset(), "0.1", broken, "A rule.")  # type: ignore[arg-type]
    rules = plugins.load_rules()
    monkeypatch.setattr(plugins, "load_rules", lambda: (crashing, *rules))
    result = run("check", BROKEN)
    assert result.exit_code == 4
    assert "crash[crashing]" in result.output
    assert "high[icc-off-but-forwarded]" in result.output


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    assert run("check", WHOLE, "-o", f"text={pipe}").exit_code == 0
    assert "0 findings" in reader.communicate(timeout=30)[0]
    assert pipe.is_fifo()


def test_explain_and_rules() -> None:
    page = run("explain", "link-orphaned").output
    assert page.startswith("link-orphaned\n")
    assert "\n  Severity: high\n  Profile:  default\n  Family:   links\n" in page
    assert "\n  Needs:    iptables-save\n" in page
    assert "\nLimits\n" in page
    rows = [line.split(maxsplit=4) for line in run("rules").output.splitlines()]
    assert ["icc-off-but-forwarded", "icc", "high", "default"] in [row[:4] for row in rows]
    assert {row[3] for row in rows} <= {"default", "audit"}


def test_the_default_profile_leaves_out_what_only_an_audit_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    from icclint import plugins
    from icclint.rule import Profile

    audit = {"icc-off-but-forwarded"}
    rules = [
        replace(rule, profile=Profile.AUDIT if rule.id in audit else Profile.DEFAULT) for rule in plugins.load_rules()
    ]
    monkeypatch.setattr(plugins, "load_rules", lambda: tuple(rules))

    def found(*options: str) -> set[str]:
        report = json.loads(run("check", BROKEN, "-o", "json", *options).stdout)
        return {finding["rule"] for finding in report["findings"]}

    assert found("--profile", "audit") - found() == audit
    assert found("--profile", "default") == found()
    assert found("--select", "icc-off-but-forwarded") == audit
    assert run("check", BROKEN, "--profile", "all").exit_code == 2
    (row,) = [line for line in run("rules").output.splitlines() if line.startswith("icc-off-but-forwarded ")]
    assert row.split()[3] == "audit"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--from", "web2", "--to", "web1:80"), "dropped, by -A DOCKER-FORWARD -i docker0 -o docker0 -j DROP"),
        (("--from", "172.17.0.2", "--to", "172.17.0.3", "--proto", "udp"), "dropped, by"),
        (
            ("--from", "web1", "--to", "203.0.113.5:443"),
            "delivered to somebody (203.0.113.5 port 443) by eth0, by -A DOCKER-FORWARD -i docker0 !",
        ),
        (
            ("--from", "web2", "--to", "web1:80", "--state", "ESTABLISHED"),
            "delivered to web1 (172.17.0.2 port 80) by docker0, by -A DOCKER-CT",
        ),
        (
            ("--from", "203.0.113.5", "--to", "web1:80"),
            "dropped, by -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP",
        ),
    ],
)
def test_trace(arguments: tuple[str, ...], shown: str) -> None:
    result = run("trace", WHOLE, *arguments)
    assert result.exit_code == 0
    assert shown in result.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--from", "web9", "--to", "web1"), "no container has the name 'web9'"),
        (("--from", "web2", "--to", "web1@apps"), "no container of network 'apps' has the name 'web1'"),
        (("--from", "web2"), "say who sends and to whom"),
        (("--from", "web2", "--to", "web1:http"), "'http' is not a port"),
        (("--from", "web2", "--to", "web1:²"), "'²' is not a port"),
        (("--from", "web2", "--to", "web1", "--proto", "²"), "no protocol has the name '²'"),
        (("--from", "web2", "--to", "fd00::1"), "--family 6"),
    ],
)
def test_trace_says_what_it_cannot_follow(arguments: tuple[str, ...], reason: str) -> None:
    result = run("trace", WHOLE, *arguments)
    assert result.exit_code == 2
    assert reason in result.output


def test_trace_answers_a_file_of_questions_line_by_line(tmp_path: Path) -> None:
    questions = [
        {"id": 1, "from": "container:web2", "to": "container:web1", "family": 4, "proto": "tcp", "dport": 80},
        {"id": "b", "from": "container:web2@bridge", "to": "host", "family": 4, "proto": "udp", "dport": 53},
        {"id": 3, "from": "container:gone", "to": "host", "family": 4, "proto": "icmp"},
    ]
    (tmp_path / "queries.jsonl").write_text("".join(f"{json.dumps(question)}\n" for question in questions))
    result = run("trace", WHOLE, "--queries", f"{tmp_path}/queries.jsonl", "-o", "json")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1, "b", 3]
    assert [answer["verdict"] for answer in answers] == ["dropped", "delivered", "unknown"]
    assert answers[1]["delivered_to"]["interface"] is None
    assert answers[2]["at"]["text"] == "no container has the name 'gone'"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("to", None), ("family", 5), ("dport", 65536), ("sport", -1), ("icmp_type", 256), ("state", "OLD"),
        ("mark", 1 << 32), ("mark", -1),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_questions_is_refused_with_its_line(tmp_path: Path, key: str, value: Any) -> None:
    question = {"from": "host", "to": "web1", "proto": "icmp"}
    lines = [question, question | {key: value}]
    (tmp_path / "queries.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    result = run("trace", WHOLE, "--queries", f"{tmp_path}/queries.jsonl")
    assert result.exit_code == 2
    assert f"line 2 is no question: {key}: " in result.output


def test_a_question_in_bytes_that_are_no_text_is_answered(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_bytes(b'{"from": "caf\xe9", "to": "host"}\n')
    result = run("trace", WHOLE, "--queries", f"{tmp_path}/queries.jsonl")
    assert json.loads(result.stdout)["at"]["text"] == "no container has the name 'caf\ufffd'"


def test_questions_that_cannot_be_read_are_told() -> None:
    result = run("trace", WHOLE, "--queries", "/proc/self/mem")
    assert result.exit_code == 2
    assert "/proc/self/mem cannot be read: Input/output error" in result.output


def test_a_small_check_imports_only_what_it_uses() -> None:
    code = (
        "import sys; from icclint.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "unused = {'lark', 'sarif_om', 'attr', 'jinja2', 'jsonschema', 'numpy', 'asyncio', 'multiprocessing', 'pebble', 'rich'}\n"
        "print(sorted(unused & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", code, "check", WHOLE, "-o", "text=/dev/null"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_ci_runs_the_commands_that_the_readme_gives() -> None:
    commands = [line.strip() for line in (ROOT / "README.md").read_text().splitlines() if ".venv/bin/pip" in line]
    script = (ROOT / ".ci/run").read_text()
    assert len(commands) == 2
    assert all(command in script for command in commands)


def test_a_run_for_each_host_is_for_as_many_hosts_as_github_takes() -> None:
    done = run("check", str(ROOT / "tests" / "captures" / "28.5.2"), "--run-per-host", "-o", "sarif")
    assert done.exit_code == 2
    assert "GitHub takes 20 runs in a log" in done.stderr
