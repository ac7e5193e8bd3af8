"""Captures that are broken, huge or made to do harm, through the command line."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import random
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner, Result

from icclint.cli import main
from tests.packed import PACKERS, tar, tar_of, zip_

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


@pytest.mark.parametrize(
    "text",
    [
        "net.ipv4.ip_forward = {}1\nnet.ipv4.conf.all.rp_filter = 0\n",
        'table ip nat {{\n\tchain DOCKER {{\n\t\tdnat to 172.17.0.2:80{}comment "DNAT"\n\t}}\n}}\n',
    ],
    ids=["sysctl", "nftables"],
)
def test_blanks_in_a_line_cost_what_they_are_long(text: str) -> None:
    Path("file.txt").write_text(text.format(" " * MEGABYTE))
    assert gaps(measured("file.txt", 10, 1500)) == []


def test_of_too_many_tables_the_first_are_analysed_and_the_others_told() -> None:
    Path("fw.txt").write_text("-P FORWARD DROP\n" + "-N DOCKER\n" * (MEGABYTE // 10))
    found = measured("fw.txt", 60, 2000)
    assert "more than 256 tables are shown before this one, which is not analysed" in {r for _, _, r in gaps(found)}


def test_damaged_lines_that_may_be_rules_of_any_chain_cost_no_more_than_they_are() -> None:
    lines = "".join(f":C{number} - [0:0]\n-A X{number} ---\n" for number in range(5_000))
    Path("fw.txt").write_text(f"{HEAD}{lines}COMMIT\n")
    assert len(gaps(measured("fw.txt", 90, 2000))) == 501


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


NUMBERS = {
    "listing.txt": "Chain FORWARD (policy ACCEPT)\n pkts bytes target prot opt in out source destination\n"
    "    0     {} DROP all -- docker0 docker0 0.0.0.0/0 0.0.0.0/0\n",
    "save.txt": "# Generated by iptables-save v{} on Mon\n*filter\n:FORWARD ACCEPT [{}:0]\nCOMMIT\n",
    "docker-version.txt": "Client:\n Version: 29.7.2\nServer:\n Engine:\n  Version:          {}\n",
    "ipset.txt": "Name: a\nType: hash:ip\nHeader: family inet\nNumber of entries: {}\nMembers:\n10.0.0.1\n",
    "sysctl.txt": "net.ipv4.conf.all.rp_filter = {}\nkernel.osrelease = {}.1\nnet.ipv4.ip_forward = {}\n",
    "networks.json": '[{"Name": "a", "Id": "b", "Driver": "overlay", "IPAM": {}, "Options": '
    '{"com.docker.network.driver.overlay.vxlanid_list": "{}", "encrypted": ""}}]',
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("number", ["9" * 5000, "0" * 5000 + "1", "²", "٣"], ids=["nines", "zeros", "raised", "Arabic"])
def test_a_number_that_is_none_spoils_nothing_else(name: str, number: str) -> None:
    host("web1", {name: NUMBERS[name].replace("{}", number)})
    found = report("web1", "--profile", "audit")
    assert {document.partition("/")[2] for document, _, _ in gaps(found)} <= {name, "iptables-save.txt", "ip-route.txt"}


@pytest.mark.parametrize("command", [("check", "-o", "json"), ("check", "-o", "sarif"), ("show", "--json")])
def test_what_steers_a_terminal_is_escaped_in_json_and_means_the_same(command: tuple[str, ...]) -> None:
    evil = "\x7f\x9b2J\u202egnp.exe\u2028"
    Path("fw.txt").write_text(f"{HEAD}-A FORWARD {evil} -j ACCEPT\nCOMMIT\n")
    output = run(*command, "fw.txt").output
    assert not set(output) & set("\x7f\x9b\u202e\u2028")
    assert json.dumps(evil)[1:-1] in output


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


# Archives: bounded, nothing written, the member named, the rest analysed.

GOOD_FILES = {f"web1/{path.name}": path.read_bytes() for path in sorted(GOOD.iterdir())}


def packed(name: str, files: Mapping[str, bytes]) -> str:
    Path(name).write_bytes(next(pack for end, pack in PACKERS.items() if name.endswith(end))(files))
    return name


def only_gap(found: dict[str, Any]) -> tuple[str, str]:
    """The document and the reason of the only gap, where all that is good was read all the same."""
    (gap,) = found["gaps"]
    assert len(found["documents"]) == len(GOOD_FILES)
    assert not found["not_assessed"]
    return gap["location"]["document"], gap["reason"]


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("name", ["../../iptables-save.txt", "web1/../../../etc/x", "/../x", "web1/.."])
def test_a_name_that_leads_out_of_the_archive_is_told_and_leads_nowhere(end: str, name: str, at: Path) -> None:
    before = sorted(at.parent.rglob("*"))
    packed(f"a.{end}", {**GOOD_FILES, name: b"-P FORWARD ACCEPT\n"})
    reason = f"1 of its members not read, whose names lead out of it or are too long: {name}"
    assert only_gap(report(f"a.{end}")) == (f"a.{end}", reason)
    assert sorted(at.parent.rglob("*")) == sorted([*before, at / f"a.{end}"])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "a symbolic link, which is not followed"),
        (tarfile.LNKTYPE, "a hard link, which is not followed"),
        (tarfile.CHRTYPE, "not a regular file"),
        (tarfile.BLKTYPE, "not a regular file"),
        (tarfile.FIFOTYPE, "not a regular file"),
    ],
)
def test_links_and_devices_in_a_tar_are_told(kind: bytes, reason: str) -> None:
    member = tarfile.TarInfo("web1/iptables-save-more")
    member.type, member.linkname = kind, "/etc/passwd"
    out = io.BytesIO(tar(GOOD_FILES))
    with tarfile.open(fileobj=out, mode="a") as archive:
        archive.addfile(member)
    Path("a.tar").write_bytes(out.getvalue())
    assert only_gap(report("a.tar")) == ("a.tar/web1/iptables-save-more", reason)


@pytest.mark.parametrize(
    ("mode", "reason"), [(0o120777, "a symbolic link, which is not followed"), (0o020666, "not a regular file")]
)
def test_links_and_devices_in_a_zip_are_told(mode: int, reason: str) -> None:
    out = io.BytesIO(zip_(GOOD_FILES))
    with zipfile.ZipFile(out, "a") as archive:
        member = zipfile.ZipInfo("web1/iptables-save-more")
        member.external_attr = mode << 16
        archive.writestr(member, "/etc/passwd")
    Path("a.zip").write_bytes(out.getvalue())
    assert only_gap(report("a.zip")) == ("a.zip/web1/iptables-save-more", reason)


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("kept", [0.5, 0.8, 0.97])
def test_an_archive_that_was_cut_off_is_told_and_what_is_before_is_read(end: str, kept: float) -> None:
    noise = {f"web1/core{number}": random.Random(number).randbytes(MEGABYTE) for number in range(4)}
    whole = PACKERS[end]({**GOOD_FILES, **noise})
    Path(f"a.{end}").write_bytes(whole[: int(len(whole) * kept)])
    result = run("check", f"a.{end}", "-o", "json")
    assert result.exit_code == 3
    if end == "zip":
        # Its directory, which tells where its members are, stands at the end.
        assert "a.zip: cannot be read: File is not a zip file" in result.stderr
        return
    found = json.loads(result.stdout)
    assert {document["name"] for document in found["documents"]} >= {f"a.{end}/{name}" for name in GOOD_FILES}
    assert any(re.match("cannot be read beyond member web1/core", gap["reason"]) for gap in found["gaps"])


@pytest.mark.parametrize("end", PACKERS)
def test_an_archive_with_any_byte_changed_never_crashes(end: str) -> None:
    whole = bytearray(PACKERS[end]({**GOOD_FILES, "web1/fw.txt": f"{HEAD}COMMIT\n".encode()}))
    chance = random.Random(7)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        Path(f"a.{end}").write_bytes(damaged)
        assert run("check", f"a.{end}", "-o", "json").exit_code in (0, 1, 3)


@pytest.mark.parametrize("end", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip"])
def test_a_bomb_stops_at_the_limit_and_what_is_before_it_is_read(end: str) -> None:
    packed(f"a.{end}", {**GOOD_FILES, "web1/zeros": bytes(40 * MEGABYTE)})
    found = report(f"a.{end}", "--max-unpacked", str(10 * MEGABYTE))
    assert len(found["documents"]) == len(GOOD_FILES)
    reasons = {gap["reason"] for gap in found["gaps"]}
    assert any("it unpacks to more than 10,000,000 bytes (--max-unpacked)" in reason for reason in reasons)
    assert any("web1/zeros" in gap["location"]["document"] + gap["reason"] for gap in found["gaps"])


def test_a_bomb_of_bombs_costs_no_more_than_the_limits() -> None:
    bomb = zstandard.compress(bytes(300 * MEGABYTE))
    packed("all.zip", {**GOOD_FILES, **{f"web1/bomb{number}.zst": bomb for number in range(30)}})
    found = measured("all.zip", 60, 1500)
    assert len(found["documents"]) == len(GOOD_FILES)
    assert {gap["location"]["document"] for gap in found["gaps"]} == {f"all.zip/web1/bomb{n}.zst" for n in range(30)}


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_gigabyte_is_refused(kind: bytes) -> None:
    member = tarfile.TarInfo("web1/x")
    member.type, member.size = kind, 900 * MEGABYTE
    start = tar(GOOD_FILES)[: -2 * tarfile.BLOCKSIZE].rstrip(b"\0")
    start += bytes(-len(start) % tarfile.BLOCKSIZE)
    with gzip.open("a.tar.gz", "wb", compresslevel=1) as out:
        out.write(start + member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(900):
            out.write(b"x" * MEGABYTE)
    found = measured("a.tar.gz", 60, 900)
    assert only_gap(found)[1].endswith("a header is larger than 1,048,576 bytes")


def test_a_sparse_file_of_a_terabyte_is_zeros_and_nothing_more() -> None:
    member = tarfile.TarInfo("web1/iptables-save-sparse")
    member.size = 0
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    Path("a.tar").write_bytes(bytes(header) + tar(GOOD_FILES))
    found = measured("a.tar", 60, 1500)
    assert only_gap(found) == (
        "a.tar/web1/iptables-save-sparse",
        "cannot be read: it is larger than 67,108,864 bytes (--max-bytes)",
    )


@pytest.mark.parametrize("end", ["tar", "zip"])
def test_more_members_than_may_be_looked_at_are_told(end: str) -> None:
    packed(f"a.{end}", {**GOOD_FILES, **{f"web1/x{number}": b"" for number in range(200)}})
    found = report(f"a.{end}", "--max-files", "50")
    assert len([document for document in found["documents"] if document["bytes"]]) == len(GOOD_FILES)
    assert any("there are more than 50 files (--max-files)" in gap["reason"] for gap in found["gaps"])


def test_a_million_tiny_members_are_not_all_looked_at() -> None:
    member = tarfile.TarInfo("web1/" + "x" * 40)
    block = b"".join(tarfile.TarInfo(f"web1/x/{number}").tobuf(tarfile.USTAR_FORMAT) for number in range(1000))
    with gzip.open("a.tar.gz", "wb", compresslevel=1) as out:
        out.write(tar(GOOD_FILES)[: -2 * tarfile.BLOCKSIZE].rstrip(b"\0"))
        out.write(bytes(-out.tell() % tarfile.BLOCKSIZE))
        out.write(member.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(1000):
            out.write(block)
    found = report("a.tar.gz", "--max-files", "20000")
    (gap,) = found["gaps"]
    assert re.fullmatch(
        r"cannot be read beyond member web1/x/\d+: there are more than 20,000 files \(--max-files\)", gap["reason"]
    )
    assert len([document for document in found["documents"] if document["bytes"]]) == len(GOOD_FILES)


def test_a_folder_of_many_files_is_looked_at_in_the_order_of_names() -> None:
    folder = host("web1")
    for number in range(300):
        (folder / f"x{number:03}").write_text("hello\n")
    found = report("web1", "--max-files", "100")
    assert {document["name"] for document in found["documents"]} >= {f"web1/{path.name}" for path in GOOD.iterdir()}
    assert [gap["reason"] for gap in found["gaps"] if "--max-files" in gap["reason"]] == [
        "cannot be read: there are more than 100 files (--max-files)"
    ]


@pytest.mark.parametrize("end", ["tar", "zip"])
def test_a_member_with_a_name_of_many_folders_costs_no_more_than_the_limits(end: str) -> None:
    deep = {f"web1/{number}{'/d' * 1500}/iptables-save": b"-P FORWARD DROP\n" for number in range(100)}
    packed(f"a.{end}", {**GOOD_FILES, **deep})
    found = report(f"a.{end}", "--max-files", "20000")
    assert any("--max-files" in gap["reason"] for gap in found["gaps"])


def test_a_name_longer_than_any_path_is_told() -> None:
    packed("a.tar", {**GOOD_FILES, f"web1/{'x' * 5000}": b"-P FORWARD ACCEPT\n"})
    document, reason = only_gap(report("a.tar"))
    assert document == "a.tar"
    assert reason.startswith("1 of its members not read, whose names lead out of it or are too long: web1/xxx")
    assert len(reason) < 300


@pytest.mark.parametrize("end", ["tar", "zip"])
@pytest.mark.parametrize("output", ["text", "json", "sarif"])
def test_names_in_an_archive_steer_no_terminal(end: str, output: str) -> None:
    packed(f"a.{end}", {**GOOD_FILES, "web1/\x1b[2J\u202eiptables-save": b"nothing\n"})
    for command in (("check", f"a.{end}", "-o", output), ("show", f"a.{end}"), ("show", f"a.{end}", "--json")):
        assert not set(run(*command).output) & set("\x1b" if {"json", "--json"} & set(command) else "\x1b\u202e")


def test_names_that_are_no_text_are_told_apart() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in (b"web1/iptables-\xff-save", b"web1/iptables-\xfe-save"):
            member = tarfile.TarInfo(os.fsdecode(name))
            member.size = len(HEAD) + 7
            archive.addfile(member, io.BytesIO(f"{HEAD}COMMIT\n".encode()))
    Path("a.tar").write_bytes(out.getvalue())
    for output in ("json", "sarif", "text"):
        run("check", "a.tar", "-o", output).output.encode()
    names = {document["name"] for document in report("a.tar")["documents"]}
    assert names == {"a.tar/web1/iptables-\ufffd-save", "a.tar/web1/iptables-\ufffd-save (2)"}


def test_a_folder_whose_name_is_no_text_is_a_host(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.fsdecode(b"web\xff"))
    host(str(folder))
    monkeypatch.chdir(folder)
    for command in (("check", "."), ("show", "."), ("show", ".", "--json"), ("reach", ".")):
        process = subprocess.run(
            [sys.executable, "-m", "icclint", *command],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
    assert {document["host"] for document in report(".")["documents"]} == {"web\ufffd"}


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_member_that_is_packed_in_a_rare_way_is_told(method: int) -> None:
    out = io.BytesIO(zip_(GOOD_FILES))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("web1/iptables-save-more", "-P FORWARD DROP\n", compress_type=method)
    Path("a.zip").write_bytes(out.getvalue())
    document, reason = only_gap(report("a.zip"))
    assert (document, reason) == (
        "a.zip/web1/iptables-save-more",
        f"cannot be read: packed with method {method}, which icclint does not unpack",
    )


def test_a_member_that_needs_a_password_is_told() -> None:
    whole = bytearray(zip_({**GOOD_FILES, "web1/iptables-save-more": b"-P FORWARD DROP\n"}))
    last = whole.rfind(b"PK\x01\x02")
    whole[last + 8] |= 1
    local = whole.rfind(b"PK\x03\x04")
    whole[local + 6] |= 1
    Path("a.zip").write_bytes(whole)
    document, reason = only_gap(report("a.zip"))
    assert document == "a.zip/web1/iptables-save-more"
    assert "encrypted" in reason


def test_an_xz_that_asks_for_a_gigabyte_of_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    Path("a.tar.xz").write_bytes(lzma.compress(tar(GOOD_FILES), filters=filters))
    result = run("check", "a.tar.xz")
    assert result.exit_code == 3
    assert "a.tar.xz: cannot be read: " in result.stderr


def test_an_archive_of_nothing_is_told() -> None:
    folder = tarfile.TarInfo("web1")
    folder.type = tarfile.DIRTYPE
    Path("folder.tar").write_bytes(tar_of(folder))
    Path("empty.zip").write_bytes(zip_({}))
    for name in ("folder.tar", "empty.zip"):
        result = run("check", name)
        assert result.exit_code == 3
        assert f"{name}: there is no file in it" in result.stderr


def test_no_temporary_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    packed("inner.zip", GOOD_FILES)
    for end in PACKERS:
        packed(f"a.{end}", {"web1.zip": Path("inner.zip").read_bytes()})
        assert len(report(f"a.{end}")["documents"]) == len(GOOD_FILES)


def test_json_with_a_key_twice_is_told() -> None:
    network = '{"Name": "a", "Name": "b", "Driver": "bridge", "IPAM": {}}'
    host("web1", {"networks.json": f"[{network}]"})
    assert [name for name, _, _ in gaps(report("web1"))] == ["web1/networks.json"]


def test_documents_that_are_too_many_together_are_told() -> None:
    line = b"-A FORWARD -s 10.0.0.1/32 -j ACCEPT\n"
    packed("a.tar.gz", {f"web{number}/iptables-save": line * 200 for number in range(40)})
    found = report("a.tar.gz", "--max-bytes", "10000")
    assert sum(document["bytes"] for document in found["documents"]) <= 160_000
    assert {gap["reason"] for gap in found["gaps"]} == {
        "cannot be read: the documents before it have 160,000 bytes (--max-bytes)"
    }
