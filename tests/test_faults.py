"""What the machine may do to a run: errors while it reads and writes, signals, and another run beside it."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from icclint.capture import folder
from icclint.cli import main

ROOT = Path(__file__).parent.parent
BROKEN = str(ROOT / "samples" / "28.5.2" / "icc-off-but-accept")
SOUND = str(ROOT / "samples" / "28.5.2" / "icc-off")
COMMANDS = (
    ("check", BROKEN), ("rules",), ("explain", "link-orphaned"), ("collect",), ("show", SOUND), ("show", SOUND, "--json"),
    ("reach", SOUND), ("diff", SOUND, BROKEN), ("trace", SOUND, "--from", "host", "--to", "web1"),
)  # fmt: skip
"""Commands that print something."""


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def started(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "icclint", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, **options)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=120)
    return process.returncode, said


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    """A folder of two hosts: ``bad`` and ``good``."""
    for name, sample in (("bad", BROKEN), ("good", SOUND)):
        (tmp_path / "captures" / name).mkdir(parents=True)
        for path in Path(sample).iterdir():
            (tmp_path / "captures" / name / path.name).write_bytes(path.read_bytes())
    return tmp_path / "captures"


# Reading.


class Failing(io.FileIO):
    """A file on a disk that fails behind its first bytes."""

    def readinto(self, buffer: Any) -> int:
        if self.tell() > 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().readinto(memoryview(buffer)[:100]) or 0


def failing(name: str) -> Callable[..., io.BufferedReader]:
    """What opens files, of which those of a name fail while they are read."""

    def opening(path: Path, mode: str, opener: Any = None) -> io.BufferedReader:
        return io.BufferedReader((Failing if path.name == name else io.FileIO)(path, mode, opener=opener))

    return opening


@pytest.mark.parametrize("name", ["networks.json", "iptables-save.txt"])
def test_a_read_error_costs_one_document(captured: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(folder, "open", failing(name), raising=False)
    result = run("check", str(captured), "-o", "json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert [(gap["location"]["document"], gap["reason"]) for gap in report["gaps"] if gap["whole"]] == [
        (f"captures/{host}/{name}", "cannot be read: Input/output error") for host in ("bad", "good")
    ]
    assert len(report["documents"]) == sum(len(list(host.iterdir())) for host in captured.iterdir()) - 2


def test_a_path_that_cannot_be_read_leaves_the_others() -> None:
    result = run("check", BROKEN, "/proc/self/mem", "-o", "json")
    assert result.exit_code == 3
    assert "icclint: /proc/self/mem: Input/output error" in result.stderr
    assert json.loads(result.stdout)["findings"]


def test_a_folder_that_vanishes_is_told(captured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def vanishing(path: str | Path) -> Any:
        if Path(path).name == "bad":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    result = run("check", str(captured))
    assert result.exit_code == 3
    assert "cannot be read: No such file or directory" in result.output


def test_a_file_that_vanishes_is_told(captured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanishing(path: Path, mode: str, **_: object) -> Any:
        path.unlink()
        return path.open(mode)

    monkeypatch.setattr(folder, "open", vanishing, raising=False)
    result = run("check", str(captured / "bad"))
    assert result.exit_code == 3
    assert "cannot be read: No such file or directory" in result.output


# Writing.


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_behind_standard_output_is_told(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        code, said = ended(started(*arguments, stdout=full))
    assert (code, said) == (2, "icclint: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("arguments", COMMANDS[:3], ids=" ".join)
def test_a_standard_output_that_is_closed_is_told(arguments: tuple[str, ...]) -> None:
    code, said = ended(started(*arguments, preexec_fn=lambda: os.close(1)))
    assert (code, said) == (2, "icclint: standard output cannot be written: Bad file descriptor\n")


@pytest.mark.parametrize("arguments", COMMANDS[:3], ids=" ".join)
def test_a_reader_that_is_gone_is_no_error(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = started(*arguments, stdout=writer)
    os.close(writer)
    code, said = ended(process)
    assert (code in (0, 1), said) == (True, "")


def test_a_device_that_is_full_is_told() -> None:
    result = run("check", BROKEN, "-o", "json=/dev/full")
    assert (result.exit_code, result.stderr) == (2, "icclint: /dev/full cannot be written: No space left on device\n")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 KiB, with a report on it."""
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        (pytest.fail if os.environ.get("CI") and os.geteuid() == 0 else pytest.skip)("needs to mount a tmpfs")
    (disk / "report.json").write_text("the one before")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_leaves_the_report_before_it(small: Path) -> None:
    result = run("check", BROKEN, "--profile", "audit", "-o", f"json={small}/report.json")
    assert result.exit_code == 2
    assert f"{small}/report.json cannot be written: No space left on device" in result.stderr
    assert {path.name: path.read_text() for path in small.iterdir()} == {"report.json": "the one before"}


def test_an_output_that_fails_midway_leaves_the_report_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[str]:
        yield "half of it"
        raise KeyboardInterrupt

    monkeypatch.setattr("icclint.output.json.render_json", interrupted)
    (tmp_path / "report.json").write_text("the one before")
    result = run("check", BROKEN, "-o", f"json={tmp_path}/report.json")
    assert (result.exit_code, result.stderr) == (130, "icclint: interrupted\n")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"report.json": "the one before"}


def test_a_link_leads_to_the_report(tmp_path: Path) -> None:
    (tmp_path / "latest.json").symlink_to("report.json")
    for _ in range(2):
        run("check", BROKEN, "-o", f"json={tmp_path}/latest.json")
        assert json.loads((tmp_path / "report.json").read_text())["findings"]
        assert (tmp_path / "latest.json").is_symlink()


def test_a_report_may_have_as_long_a_name_as_any_file(tmp_path: Path) -> None:
    name = "r" * 255
    assert run("check", SOUND, "-o", f"json={tmp_path}/{name}").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_of_two_runs_into_one_file_each_leaves_a_whole_report(tmp_path: Path) -> None:
    whole = {path: run("check", path, "-o", "json").stdout for path in (BROKEN, SOUND)}
    target = tmp_path / "report.json"
    target.write_text(whole[SOUND])
    running = [started("check", path, "-o", f"json={target}", "--fail-on", "never") for path in (BROKEN, SOUND) * 2]
    while any(process.poll() is None for process in running):
        assert target.read_text() in whole.values()
    assert [ended(process) for process in running] == [(0, "")] * 4
    assert target.read_text() in whole.values()
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


# Signals.


def test_an_interrupt_is_no_finding_and_no_traceback(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Shells start what runs in the background with SIGINT ignored, and so would be all that these tests start there.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    report = f"json={tmp_path}/report.json"
    process = started("check", SOUND, str(pipe), "-o", report, stdout=subprocess.PIPE, preexec_fn=heeding)
    with pipe.open("wb"):
        # It waits for what nobody writes.
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "icclint: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
