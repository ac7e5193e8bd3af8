"""Which documents there are at some paths, and which host each belongs to."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from icclint.capture import reader
from icclint.capture.limits import Limits
from icclint.capture.read import Capture, read_captures
from icclint.cli import main
from icclint.parse.kind import Kind

SAMPLES = Path(__file__).parent.parent / "samples" / "28.5.2"
SAVE = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
LIST = "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"


@pytest.fixture(autouse=True)
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def hosts(*paths: str, root: str = ".") -> dict[str, list[str]]:
    """The documents of each host, by the host's name."""
    captures, errors = read_captures(paths, Path(root))
    assert not errors
    return {capture.host: [document.name for document, _ in capture.documents] for capture in captures}


def only(*paths: str) -> Capture:
    (capture,), errors = read_captures(paths, Path())
    assert not errors
    return capture


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def test_a_folder_with_a_dump_is_one_host_with_all_that_lies_beneath() -> None:
    write({"web1/iptables-save": SAVE, "web1/docker/networks.json": "[]", "web1/docker/more/notes.txt": "hello"})
    names = ["web1/iptables-save", "web1/docker/networks.json", "web1/docker/more/notes.txt"]
    assert hosts("web1") == {"web1": names}


def test_a_folder_of_folders_is_several_hosts() -> None:
    write({"all/web1/iptables-save": SAVE, "all/web2/iptables-S": LIST, "all/db/x/iptables-save": SAVE})
    assert hosts("all") == {
        "all/db/x": ["all/db/x/iptables-save"],
        "all/web1": ["all/web1/iptables-save"],
        "all/web2": ["all/web2/iptables-S"],
    }


@pytest.mark.parametrize(("name", "text"), [("README.md", "hello"), (".gitkeep", ""), ("networks.json", "[]")])
def test_notes_and_empty_files_beside_hosts_do_not_make_them_one(name: str, text: str) -> None:
    write({"all/web1/iptables-save": SAVE, "all/web2/iptables-save": SAVE, f"all/{name}": text})
    assert hosts("all").keys() == {"all/web1", "all/web2"}


def test_an_empty_save_makes_its_folder_a_host() -> None:
    write({"web1/iptables-save.txt": "", "web1/ip6tables-save.txt": "", "web1/nft-ruleset.txt": "", "web1/x.txt": ""})
    kinds = {document.name: kind for document, kind in only("web1").documents}
    assert kinds == {
        "web1/ip6tables-save.txt": Kind.IPTABLES,
        "web1/iptables-save.txt": Kind.IPTABLES,
        "web1/nft-ruleset.txt": Kind.NFTABLES,
        "web1/x.txt": Kind.EMPTY,
    }


def test_loose_files_and_standard_input_are_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"fw.txt": SAVE, "there/networks.json": "[]"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SAVE.encode())))
    assert hosts("there/networks.json", "fw.txt", "-") == {"host": ["stdin", "fw.txt", "there/networks.json"]}


def test_no_standard_input_is_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert [kind for _, kind in only("-").documents] == [Kind.EMPTY]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("more", [(), ("--jobs", "2")])
def test_a_pipe_that_is_asked_for_is_read_once(more: tuple[str, ...]) -> None:
    os.mkfifo("pipe")
    with subprocess.Popen(["sh", "-c", f"printf '%s' '{SAVE}' > pipe"]) as writer:
        report = json.loads(run("check", "pipe", "-o", "json", *more).stdout)
    assert [(document["name"], document["bytes"]) for document in report["documents"]] == [("pipe", len(SAVE))]
    assert writer.returncode == 0


def test_loose_files_are_not_a_folder_that_is_called_like_their_host() -> None:
    write({"host/iptables-save": SAVE, "fw.txt": LIST})
    assert hosts("host", "fw.txt") == {"host": ["host/iptables-save"], "host (files)": ["fw.txt"]}


def test_folders_of_one_name_in_different_places_are_two_hosts() -> None:
    write({"berlin/web1/iptables-save": SAVE, "paris/web1/iptables-save": LIST})
    assert hosts("berlin/web1", "paris/web1").keys() == {"berlin/web1", "paris/web1"}
    # The same, from elsewhere: no name tells where all of it lies.
    assert hosts("berlin/web1", "paris/web1", root="berlin").keys() == {"berlin/web1", "paris/web1"}


def test_a_path_twice_and_a_path_in_another_are_read_once() -> None:
    write({"all/web1/iptables-save": SAVE})
    once = hosts("all")
    assert hosts("all", "all", "all/web1", "./all/../all/web1/") == once


def test_the_order_of_paths_says_nothing() -> None:
    write({"web1/iptables-save": SAVE, "web2/iptables-save": LIST, "fw.txt": SAVE, "other.txt": LIST})
    paths = ("web1", "web2", "fw.txt", "other.txt")
    found = [read_captures(order, Path()) for order in itertools.permutations(paths)]
    assert all(captures == found[0] for captures in found)


def test_names_are_relative_and_use_slashes(at: Path) -> None:
    write({"a/web1/iptables-save": SAVE})
    assert hosts(str(at / "a"), root=str(at)) == {"a/web1": ["a/web1/iptables-save"]}
    assert hosts(str(at / "a" / "web1"), root=str(at / "a" / "web1")) == {"web1": ["iptables-save"]}
    report = run("check", str(at / "a"), "-o", "json").output
    assert str(at) not in report
    assert [d["name"] for d in json.loads(report)["documents"]] == ["a/web1/iptables-save"]


def test_a_name_that_is_no_text_can_be_printed() -> None:
    os.mkdir("web1")
    Path(os.fsdecode(b"web1/iptables-\xff-save")).write_text(SAVE)
    assert hosts("web1") == {"web1": ["web1/iptables-\ufffd-save"]}
    for output in ("text", "json", "sarif"):
        assert not isinstance(run("check", "web1", "-o", output).exception, UnicodeError)


def test_what_was_read_is_what_is_there() -> None:
    content = b"\xef\xbb\xbf-P FORWARD DROP\r\n\xff\x00"
    Path("x").write_bytes(content)
    ((document, _),) = only("x").documents
    assert document.content == content


def test_a_folder_tree_of_any_depth_is_read(at: Path) -> None:
    here = at
    for _ in range(600):
        here = here / "d"
    here.mkdir(parents=True)
    (here / "iptables-save").write_text(SAVE)
    (host,) = hosts("d")
    assert host == "/".join("d" * 600)
    # pytest's own clean-up goes down by recursion.
    shutil.rmtree(at / "d" / "d" / "d", ignore_errors=True)


# What cannot be read, through the command line: 3, a word on each, and the rest is analysed.


@pytest.mark.parametrize("paths", [["no-such"], ["no-such", "web1"], ["web1", "no-such.txt"]])
def test_a_missing_path_is_told(paths: list[str]) -> None:
    write({"web1/iptables-save": SAVE})
    result = run("check", *paths)
    assert result.exit_code == 3
    assert "no-such" in result.output
    assert "No such file or directory" in result.output


def test_an_empty_folder_is_told() -> None:
    os.makedirs("empty/deep/er")
    result = run("check", "empty")
    assert result.exit_code == 3
    assert "empty: there is no file in it" in result.output


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_in_a_folder_does_not_stop_anything() -> None:
    write({"web1/iptables-save": SAVE})
    os.mkfifo("web1/pipe")
    (gap,) = only("web1").gaps
    assert (gap.text, gap.reason) == ("web1/pipe", "not a regular file")
    assert run("check", "web1").exit_code == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_file_that_becomes_a_pipe_does_not_stop_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"web1/iptables-save": SAVE})
    before = Path.lstat

    def swapped(path: Path) -> os.stat_result:
        found = before(path)
        path.unlink()
        os.mkfifo(path)
        return found

    monkeypatch.setattr(Path, "lstat", swapped)
    assert [document.content for document, _ in only("web1").documents] == [b""]


@pytest.mark.parametrize("target", ["../secret", "iptables-save", "nowhere", ".."])
def test_a_link_in_a_folder_is_not_followed(target: str) -> None:
    write({"web1/iptables-save": SAVE, "secret": LIST})
    os.symlink(target, "web1/link")
    capture = only("web1")
    assert [document.name for document, _ in capture.documents] == ["web1/iptables-save"]
    assert [(gap.text, gap.reason) for gap in capture.gaps] == [("web1/link", "a symbolic link, which is not followed")]
    assert run("check", "web1").exit_code == 3


def test_a_link_that_is_asked_for_is_followed() -> None:
    write({"there/web1/iptables-save": SAVE})
    os.symlink("there/web1", "web1")
    os.symlink("there/web1/iptables-save", "fw.txt")
    assert hosts("web1", "fw.txt") == {"host": ["fw.txt"], "web1": ["web1/iptables-save"]}


def refuse(*_: object, **__: object) -> int:
    raise PermissionError(13, "Permission denied")


def test_a_file_in_a_folder_that_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"web1/iptables-save": SAVE, "web1/networks.json": "[]"})
    really = os.open

    def some(path: str, *rest: int) -> int:
        return refuse() if str(path).endswith("networks.json") else really(path, *rest)

    # Root may read what nobody may.
    monkeypatch.setattr(os, "open", some)
    capture = only("web1")
    assert [document.name for document, _ in capture.documents] == ["web1/iptables-save"]
    assert [gap.reason for gap in capture.gaps] == ["cannot be read: Permission denied"]
    assert run("check", "web1").exit_code == 3


def test_a_file_that_is_asked_for_and_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"fw.txt": SAVE})
    monkeypatch.setattr(reader, "open", refuse, raising=False)
    result = run("check", "fw.txt")
    assert result.exit_code == 3
    assert "fw.txt: Permission denied" in result.output


def test_a_folder_that_may_not_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"all/web1/iptables-save": SAVE, "all/secret/iptables-save": SAVE})
    really = os.scandir

    def some(path: str) -> object:
        return refuse() if str(path).endswith("secret") else really(path)

    monkeypatch.setattr(os, "scandir", some)
    captures, _ = read_captures(["all"], Path())
    assert [(c.host, [gap.reason for gap in c.gaps]) for c in captures] == [
        ("all/secret", ["cannot be read: Permission denied"]),
        ("all/web1", []),
    ]
    assert run("check", "all").exit_code == 3


def test_a_note_beside_hosts_that_may_not_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"all/web1/iptables-save": SAVE, "all/iptables-save": SAVE})
    really = os.open

    def some(path: str, *rest: int) -> int:
        return refuse() if Path(path) == Path("all/iptables-save") else really(path, *rest)

    monkeypatch.setattr(os, "open", some)
    result = run("check", "all")
    assert result.exit_code == 3
    assert "all/iptables-save: cannot be read: Permission denied" in result.output


def test_a_file_that_is_too_large_is_told() -> None:
    write({"web1/iptables-save": SAVE, "web1/disk.img": "x" * 5000})
    (capture,), _ = read_captures(["web1"], Path(), Limits(bytes=4096))
    reason = "cannot be read: it is larger than 4,096 bytes (--max-bytes)"
    assert [(gap.text, gap.reason) for gap in capture.gaps] == [("web1/disk.img", reason)]
    assert len(capture.documents) == 1


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no such file here")
def test_a_file_whose_reading_fails_is_told() -> None:
    result = run("check", "/proc/self/mem")
    assert result.exit_code == 3
    assert "Input/output error" in result.output
