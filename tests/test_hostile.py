"""Captures that are broken, huge or made to do harm, through the command line."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from icclint.cli import main

SAMPLES = Path(__file__).parent.parent / "samples" / "28.5.2"
GOOD, BAD = SAMPLES / "icc-off", SAMPLES / "icc-off-but-accept"
LINE = "-A FORWARD -i docker0 -o docker0 -j ACCEPT"
HEAD = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    return result


def report(*arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    result = run("check", *arguments, "-o", "json", stdin=stdin)
    assert result.exit_code in (0, 1, 3)
    found: dict[str, Any] = json.loads(result.stdout)
    assert not found["crashes"]
    return found


def gaps(found: dict[str, Any]) -> list[tuple[str, int, str]]:
    return [(g["location"]["document"], g["location"]["line"], g["reason"]) for g in found["gaps"]]


def host(name: str, files: Mapping[str, str | bytes] | None = None) -> Path:
    """A folder with copies of a good sample, and these files added or replaced."""
    folder = Path(name)
    folder.mkdir()
    for path in GOOD.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for file, content in (files or {}).items():
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def measured(path: str, seconds: float, megabytes: int) -> dict[str, Any]:
    """A report that a process of its own made, within bounds of time and memory."""
    started = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "icclint", "check", path, "-o", "json=report.json", "--fail-on", "never"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes * MEGABYTE, megabytes * MEGABYTE)),
        capture_output=True,
        check=False,
        timeout=10 * seconds,
    )
    assert process.returncode in (0, 3), process.stderr.decode()
    assert time.monotonic() - started < seconds
    found: dict[str, Any] = json.loads(Path("report.json").read_text())
    assert not found["crashes"]
    return found


# Sizes: seconds and bounded memory, and a report that a person can read.


def lines_of_garbage() -> str:
    chance = random.Random(1)
    return "".join("".join(chance.choices("abcdefgh \t-{}#;:,.", k=60)) + "\n" for _ in range(10 * MEGABYTE // 61))


def test_ten_megabytes_of_garbage_are_one_gap() -> None:
    Path("garbage.txt").write_text(lines_of_garbage())
    found = measured("garbage.txt", 10, 1500)
    assert [reason for _, _, reason in gaps(found)] == ["not a kind of document that icclint knows"]


def test_ten_megabytes_of_garbage_in_a_dump_are_one_gap_and_the_rules_are_read() -> None:
    # Nothing that a line of a dump begins with.
    garbage = re.sub(r"^[^a-z]+", "x", lines_of_garbage(), flags=re.MULTILINE)
    Path("fw.txt").write_text(f"{HEAD}COMMIT\n{garbage}-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n")
    found = measured("fw.txt", 15, 1500)
    ((_, line, reason),) = gaps(found)
    assert line == 6
    assert reason.startswith("not a line that iptables -S or iptables-save prints (")
    assert len(found["gaps"][0]["text"]) <= 200


@pytest.mark.parametrize("line", ["x" * 10 * MEGABYTE, "[" + "x" * 10 * MEGABYTE, " " * 10 * MEGABYTE + "x"])
def test_one_line_of_ten_megabytes_is_one_gap(line: str) -> None:
    Path("line.txt").write_text(line)
    found = measured("line.txt", 10, 1500)
    assert len(gaps(found)) == 1
    assert len(found["gaps"][0]["text"]) <= 200


def test_a_rule_of_ten_megabytes_is_an_unknown_rule() -> None:
    Path("fw.txt").write_text(f"{HEAD}{LINE} {'-m comment --comment x ' * 450_000}\nCOMMIT\n")
    found = measured("fw.txt", 10, 1500)
    assert gaps(found) == [("fw.txt", 5, "iptables command not understood: it is longer than any rule")]


def test_ten_megabytes_of_what_is_almost_rules_are_told_in_part() -> None:
    broken = "".join(f"-A FORWARD -i docker0 -o br-{n:012x} -p tcp --dport -j ACCEPT oops\n" for n in range(150_000))
    Path("fw.txt").write_text(f"{HEAD}{broken}COMMIT\n")
    found = measured("fw.txt", 90, 2000)
    assert len(gaps(found)) == 501
    assert gaps(found)[-1][2] == "149500 more places that were not understood, from here on"


def test_ten_megabytes_of_nesting_are_one_gap() -> None:
    Path("networks.json").write_text("[" * 10 * MEGABYTE)
    found = measured("networks.json", 10, 1500)
    assert gaps(found) == [("networks.json", 1, "JSON nested deeper than 100 levels at line 1, column 101")]


def test_a_list_of_what_nobody_knows_is_told_in_part() -> None:
    whole = (GOOD / "networks.json").read_text().rstrip().removesuffix("]")
    host("web1", {"networks.json": f"{whole}{',5' * 100_000}]"})
    found = report("web1")
    assert len(gaps(found)) == 501
    assert not any(question["subject"] == "host" for question in found["not_assessed"])


# Documents that are no text, or not quite.


@pytest.mark.parametrize(
    "content",
    [
        random.Random(2).randbytes(50_000),
        b"\x7fELF" + bytes(5000),
        HEAD.encode("utf-16-le"),
        HEAD.encode("utf-32"),
    ],
    ids=["random", "ELF", "UTF-16 without a mark", "UTF-32"],
)
def test_a_binary_file_is_a_gap(content: bytes) -> None:
    host("web1", {"core": content})
    found = report("web1")
    assert [name for name, _, _ in gaps(found)][-1:] == ["web1/core"]
    assert "not a kind of document that icclint knows" in [reason for _, _, reason in gaps(found)]


@pytest.mark.parametrize(
    "content",
    [
        f"{HEAD}{LINE}\nCOMMIT\n".replace("\n", "\r\n").encode(),
        f"\ufeff{HEAD}{LINE}\nCOMMIT\n".encode(),
        f"{HEAD}{LINE}\nCOMMIT\n".encode("utf-16"),
        f"{HEAD}{LINE}\nCOMMIT".encode(),
        f"{HEAD}{LINE} \t\nCOMMIT \n".encode(),
        f"{HEAD}{LINE}\r\r\nCOMMIT\n".encode(),
    ],
    ids=["CRLF", "BOM", "UTF-16", "no last line end", "trailing blanks", "CRCRLF"],
)
def test_a_dump_in_another_coat_is_read_as_if_it_had_none(content: bytes) -> None:
    host("plain", {"iptables-save.txt": f"{HEAD}{LINE}\nCOMMIT\n"})
    host("other", {"iptables-save.txt": content})
    plain, other = report("plain"), report("other")
    assert not other["gaps"]
    assert [f["rule"] for f in other["findings"]] == [f["rule"] for f in plain["findings"]]
    places = [(f["location"]["line"], f["location"]["column"]) for f in other["findings"]]
    assert places == [(f["location"]["line"], f["location"]["column"]) for f in plain["findings"]]
    assert (5, 1) in places


def test_a_dump_with_bytes_of_latin_1_is_read_and_tells_of_them() -> None:
    rule = f'-A FORWARD -m comment --comment "caf\xe9" -j LOG\n{LINE}\n'
    host("web1", {"iptables-save.txt": f"{HEAD}{rule}COMMIT\n".encode("latin-1")})
    found = report("web1")
    assert gaps(found) == [("web1/iptables-save.txt", 5, "bytes that are not UTF-8 are shown as \ufffd")]
    assert "icc-off-but-forwarded" in [finding["rule"] for finding in found["findings"]]


def test_a_nul_in_a_dump_spoils_its_own_line() -> None:
    damaged = LINE.replace("docker0", "dock\0er0")
    host("web1", {"iptables-save.txt": f"{HEAD}{damaged}\n{LINE}\nCOMMIT\n"})
    assert gaps(report("web1")) == [("web1/iptables-save.txt", 5, "iptables command not understood: it holds NUL")]


def test_what_steers_a_terminal_is_not_printed() -> None:
    evil = "\x1b[2J\x1b]0;pwned\x07\u202egnp.exe"
    Path("fw.txt").write_text(f'{HEAD}-A FORWARD -m comment --comment "{evil}" {evil} -j ACCEPT\n{evil}\nCOMMIT\n')
    output = run("check", "fw.txt").output
    assert "not understood" in output
    assert not set(output) & set("\x1b\x07\u202e")


# JSON.


@pytest.mark.parametrize("length", [1, 100, 900])
def test_a_json_document_that_was_cut_off_is_told_with_its_place(length: int) -> None:
    whole = (GOOD / "networks.json").read_text()
    host("web1", {"networks.json": whole[:length]})
    found = report("web1")
    ((name, line, reason),) = gaps(found)
    assert name == "web1/networks.json"
    assert reason.startswith("not JSON: ")
    assert f"line {line}, column " in reason
    assert "icc-off-but-forwarded" in [question["rule"] for question in found["not_assessed"]]
    assert run("check", "web1").exit_code == 3


@pytest.mark.parametrize("name", ["networks.json", "containers.json", "sysctl.txt", "iptables-save.txt"])
@pytest.mark.parametrize("content", ["", "[", "[NaN]", "\0", "[[[[", "{}", "-A", "*filter", ":", "a = b", "null"])
def test_no_document_of_a_host_takes_the_others_with_it(name: str, content: str) -> None:
    folder = host("web1", {name: content})
    found = report("web1")
    assert len(found["documents"]) == len(list(folder.iterdir()))
    assert {name.partition("/")[0] for name, _, _ in gaps(found)} <= {"web1"}


# Folders.


def test_an_empty_folder_is_exit_code_3() -> None:
    Path("empty").mkdir()
    assert run("check", "empty").exit_code == 3


def test_an_empty_file_says_nothing() -> None:
    Path("fw.txt").write_text("")
    found = report("fw.txt")
    assert not found["findings"]
    assert "iptables-save" in {question["capture_with"] for question in found["not_assessed"]} | {
        part for question in found["not_assessed"] for part in (question["capture_with"] or "").split("; ")
    }


def test_a_folder_that_is_called_like_a_file_is_a_folder() -> None:
    folder = host("iptables-save.txt")
    (folder / "networks.json").rename(folder / "n")
    (folder / "networks.json").mkdir()
    (folder / "n").rename(folder / "networks.json" / "networks.json")
    found = report("iptables-save.txt")
    assert not found["gaps"]
    assert "iptables-save.txt/networks.json/networks.json" in [document["name"] for document in found["documents"]]


def test_standard_input_is_a_document() -> None:
    content = (BAD / "iptables-save.txt").read_bytes()
    found = report("-", str(BAD / "networks.json"), str(BAD / "sysctl.txt"), stdin=content)
    assert "icc-off-but-forwarded" in [finding["rule"] for finding in found["findings"]]
    assert "stdin" in [document["name"] for document in found["documents"]]


def test_one_bad_host_spoils_no_other() -> None:
    Path("all").mkdir()
    host("all/good")
    host("all/bad", {"networks.json": "[", "iptables-save.txt": "\0" * 100})
    found = report("all")
    assert {document["host"] for document in found["documents"]} == {"all/good", "all/bad"}
    assert {gap["host"] for gap in found["gaps"]} == {"all/bad"}
    assert not any(question["host"] == "all/good" for question in found["not_assessed"])


# Dumps that belong together, or do not.


def test_the_same_dump_twice_changes_nothing() -> None:
    host("once")
    host("twice", {"again.txt": (GOOD / "iptables-save.txt").read_bytes()})
    once, twice = report("once"), report("twice")
    assert not twice["gaps"]
    assert [f["rule"] for f in twice["findings"]] == [f["rule"] for f in once["findings"]]


def test_dumps_that_contradict_each_other_are_told() -> None:
    host("web1", {"iptables-save-after.txt": (BAD / "iptables-save.txt").read_bytes()})
    found = report("web1")
    ((name, _, reason),) = gaps(found)
    assert name == "web1/iptables-save.txt"
    assert re.search(r"differs from web1/iptables-save-after.txt:\d+:1, which is analysed instead", reason)
    assert run("check", "web1").exit_code == 3


def test_a_dump_of_forward_alone_finds_what_it_can_and_says_what_it_cannot() -> None:
    save = (GOOD / "iptables-save.txt").read_text().splitlines()
    forward = [line for line in save if line.startswith("-A FORWARD")]
    host("web1", {"iptables-save.txt": "\n".join(["-P FORWARD DROP", *forward])})
    found = report("web1")
    assert not found["gaps"]
    reasons = [question["reason"] for question in found["not_assessed"]]
    assert any("chain DOCKER-USER of table filter was not captured" in reason for reason in reasons), reasons
    assert all(finding["confidence"] == "possible" for finding in found["findings"])


@pytest.mark.parametrize("options", [("--frobnicate",), ("-o", "xml"), ("--fail-on", "never", "--fail-on", "x"), ()])
def test_a_wrong_command_line_is_exit_code_2(options: tuple[str, ...]) -> None:
    assert run("check", *options).exit_code == 2
