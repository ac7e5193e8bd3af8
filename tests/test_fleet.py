"""Many captures: the same bytes whoever checks them, and a capture that does harm costs only itself."""

from __future__ import annotations

import json
import multiprocessing
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from icclint_rules import RULES

from benchmarks.fleet import cluster
from icclint import fleet
from icclint.capture.limits import Limits
from icclint.capture.places import Place
from icclint.checked import Checked
from icclint.cli import main
from icclint.inquiry import Inquiry
from icclint.output.formats import FORMATS
from icclint.spool import Again, Spool

ROOT = Path(__file__).parent.parent
SAMPLES = sorted((ROOT / "samples").glob("*/*/"))
SEVERAL = 12

HARM = '''
import os, signal, sys, time
from pathlib import Path
from icclint.api import Evidence, Severity, rule

@rule(id="harm", severity=Severity.LOW, needs=(), since="0.1")
def check(host, effect):
    """Does what the host's name says."""
    once = Path(os.environ.get("ONCE", "/nowhere"))
    if host.name.endswith("hangs"):
        time.sleep(3600)
    if host.name.endswith("ends"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if host.name.endswith("ends-once") and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if host.name.endswith("raises"):
        raise MemoryError
    return iter(())

RULES = (check,)
'''


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a fleet in it, and with a package whose rule does harm."""
    for number, sample in enumerate(SAMPLES[:SEVERAL]):
        shutil.copytree(sample, tmp_path / "fleet" / f"host{number:02}")
    package = tmp_path / "packages"
    (package / "harm-1.dist-info").mkdir(parents=True)
    (package / "harm.py").write_text(HARM)
    (package / "harm-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: harm\nVersion: 1\n")
    (package / "harm-1.dist-info" / "entry_points.txt").write_text("[icclint.rules]\nharm = harm:RULES\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(package))
    return tmp_path


def icclint(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "icclint", "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def spoiled(name: str) -> None:
    """One more host of that name, among the others."""
    shutil.copytree(SAMPLES[0], f"fleet/host05-{name}")


def without(report: dict[str, object], host: str) -> dict[str, object]:
    return {
        name: [one for one in value if host not in (one.get("host"), one.get("name"))] if name in LISTS else value
        for name, value in report.items()
        if isinstance(value, list) or name == "complete"
    }


LISTS = ("hosts", "documents", "findings", "not_assessed", "gaps", "crashes")


@pytest.mark.parametrize("form", FORMATS)
def test_the_bytes_do_not_hang_on_who_checks(form: str, at: Path) -> None:
    hosts = [f"fleet/host{number:02}" for number in range(7)]
    ways = {"here": (), "one": ("--jobs", "1"), "three": ("--jobs", "3")}
    for name, options in ways.items():
        done = icclint(*hosts, *options, "-o", f"{form}={name}", "-o", f"csv={name}.csv")
        assert (done.returncode, done.stderr) == (1, "")
    assert Path("here").read_bytes() == Path("one").read_bytes() == Path("three").read_bytes()
    assert Path("here.csv").read_bytes() == Path("three.csv").read_bytes()


ACCEPTED = """
[[accept]]
rule = "link-*"
subject = "*"
host = "fleet/host05"
reason = "OPS-412"

[[accept]]
rule = "link-orphaned"
subject = "no such link"
reason = "OPS-413"
"""


def test_acceptances_and_the_baseline_do_not_hang_on_who_checks(at: Path) -> None:
    hosts = [f"fleet/host{number:02}" for number in range(7)]
    Path("icclint.toml").write_text(ACCEPTED)
    write = [sys.executable, "-m", "icclint", "baseline", "write", *hosts[:3], "-o", "known.json"]
    subprocess.run(write, check=True)
    outputs = ("json", "sarif", "text")
    for name, options in {"here": (), "three": ("--jobs", "3")}.items():
        written = [word for form in outputs for word in ("-o", f"{form}={name}.{form}")]
        more = ("--baseline", "known.json", "--show-all", "--evidence", f"{name}.evidence")
        assert icclint(*hosts, *options, *written, *more).returncode == 1
    for end in (*outputs, "evidence"):
        assert Path(f"here.{end}").read_bytes() == Path(f"three.{end}").read_bytes()
    report = json.loads(Path("three.json").read_text())
    assert {finding["host"] for finding in report["accepted"]} == {"fleet/host05"}
    assert [one["line"] for one in report["idle_acceptances"]] == [8]
    assert {finding["state"] for finding in report["findings"]} == {"new", "known"}


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("hangs", "not checked to the end: it took longer than 8 seconds (--time-limit)"),
        ("ends", "not checked to the end: the process that checked it died (SIGSEGV)"),
    ],
)
def test_a_capture_that_does_harm_costs_only_itself(harm: str, reason: str, at: Path) -> None:
    sound = json.loads(icclint("fleet", "-o", "json").stdout)
    spoiled(harm)
    done = icclint("fleet", "-o", "json", "--jobs", "2", "--time-limit", "8")
    report = json.loads(done.stdout)
    host = f"fleet/host05-{harm}"
    assert [(gap["host"], gap["reason"], gap["whole"]) for gap in report["gaps"]] == [(host, reason, True)]
    assert [one["name"] for one in report["hosts"]] == sorted([host, *(one["name"] for one in sound["hosts"])])
    assert without(report, host) == without(sound, host)
    assert done.returncode == 3
    assert sound["findings"]


def test_a_rule_that_runs_out_of_memory_is_a_crash_of_the_rule(at: Path) -> None:
    spoiled("raises")
    done = icclint("fleet", "-o", "json")
    (crash,) = json.loads(done.stdout)["crashes"]
    assert (crash["rule"], crash["host"], done.returncode) == ("harm", "fleet/host05-raises", 4)


def test_missing_paths_and_standard_input_are_told_of_as_ever(at: Path) -> None:
    command = [sys.executable, "-m", "icclint", "check", "fleet", "no-such", "-", "-o", "json"]
    done = subprocess.run(command, input=b"-P FORWARD DROP\n", capture_output=True, check=False)
    report = json.loads(done.stdout)
    assert "host" in [host["name"] for host in report["hosts"]]
    assert len(report["hosts"]) == SEVERAL + 1
    assert b"icclint: no-such: No such file or directory" in done.stderr
    assert (report["complete"], done.returncode) == (False, 3)


def test_a_run_whose_report_cannot_be_written_leaves_nothing_behind(at: Path) -> None:
    before = threading.enumerate()
    done = CliRunner().invoke(main, ["check", "fleet", "-o", "json=no-such-folder/report"])
    assert done.exit_code == 2
    assert "no-such-folder/report cannot be written" in done.stderr
    assert (threading.enumerate(), multiprocessing.active_children()) == (before, [])


def test_a_cluster_of_which_a_worker_is_killed_loses_nothing(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled("ends-once")
    monkeypatch.setenv("ONCE", str(at / "once"))
    with cluster(Path(), workers=2) as address:
        done = icclint("fleet", "-o", "json", "--cluster", address)
    assert Path("once").exists(), "no worker was killed"
    here = icclint("fleet", "-o", "json")
    assert (done.stdout, done.returncode) == (here.stdout, here.returncode)
    assert len(json.loads(here.stdout)["hosts"]) == SEVERAL + 1


def test_a_capture_that_hangs_on_a_cluster_costs_only_itself(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = json.loads(icclint("fleet", "-o", "json").stdout)
    spoiled("hangs")
    # So what waits behind it at its worker is given up with it, and has to be asked again.
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    with cluster(Path(), workers=2) as address:
        report = json.loads(icclint("fleet", "-o", "json", "--cluster", address, "--time-limit", "8").stdout)
    reason = "not checked to the end: the workers that checked it died, as they do after 8 seconds (--time-limit)"
    assert [(gap["host"], gap["reason"]) for gap in report["gaps"]] == [("fleet/host05-hangs", reason)]
    assert without(report, "fleet/host05-hangs") == without(sound, "fleet/host05-hangs")


def test_a_cluster_that_is_not_there_is_told(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    done = icclint("fleet", "--cluster", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "icclint: the cluster at tcp://127.0.0.1:9 does not answer" in done.stderr


def test_only_so_many_places_are_under_way() -> None:
    started: list[Place] = []

    def start(place: Place) -> Future[Checked]:
        started.append(place)
        done: Future[Checked] = Future()
        done.set_result(Checked(inquiry.silence(complete=True), {}))
        return done

    inquiry = Inquiry(RULES, Limits())
    places = [Place(f"host{number}", ()) for number in range(1000)]
    ahead = [len(started) - taken for taken, _ in enumerate(fleet._in_order(places, inquiry, start, 2, 1.0))]
    assert started == places
    assert max(ahead) <= 33


def test_what_is_put_aside_is_not_in_memory_and_comes_again_in_order() -> None:
    spool: Spool[bytes] = Spool()
    stream = Again((bytes([number]) * 100_000 for number in range(50)), spool)
    some = [next(value for value in stream), *(value for value in stream)]
    assert [value[0] for value in some] == [0, *range(50)]
    assert [value[0] for value in stream] == list(range(50))
    assert len(spool) == 50
    assert spool._file.name is not None, "it is still in memory"


def on_terminal(*arguments: str, stdout: Path) -> str:
    """What icclint writes to standard error where that is a terminal."""
    ours, theirs = pty.openpty()
    with stdout.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "icclint", "check", *arguments],
            stdout=out,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    process.wait()
    os.close(ours)
    return shown.decode()


def test_progress_is_shown_on_a_terminal_only(at: Path) -> None:
    shown = on_terminal("fleet", stdout=at / "out")
    assert re.search(r"captures .* \d+/12", shown)
    assert on_terminal("fleet/host00", stdout=at / "one") == ""
    done = icclint("fleet")
    assert done.stderr == ""
    assert done.stdout == (at / "out").read_text()


def test_the_questions_of_the_page_are_answered_as_it_says(at: Path) -> None:
    page = (ROOT / "docs" / "fleet.md").read_text()
    asked = re.findall(r"^```sql\n([^`]*)```\n\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert len(asked) == 3
    Path("samples").symlink_to(ROOT / "samples")
    assert icclint("samples", "-o", "parquet=findings.parquet").returncode == 1
    for question, shown in asked:
        assert shown == table(question)
    columns = [(name, kind) for name, kind, *_ in duckdb.sql("DESCRIBE FROM 'findings.parquet'").fetchall()]
    assert re.findall(r"^\| `(\w+)` \| (\S+) \|$", page, re.MULTILINE) == columns


def table(question: str) -> str:
    """The answer in Markdown."""
    answer = duckdb.sql(question)
    rows = [answer.columns, ["---"] * len(answer.columns), *answer.fetchall()]
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)


def test_rows_say_what_the_report_says(at: Path) -> None:
    assert icclint("fleet", "-o", "json=r.json", "-o", "parquet=r.parquet").returncode == 1
    report = json.loads(Path("r.json").read_text())
    rows = duckdb.sql("SELECT host, rule, subject, line, packet, packet_destination_port, fingerprint FROM 'r.parquet'")
    assert rows.fetchall() == [
        (
            *(finding[name] for name in ("host", "rule", "subject")),
            finding["location"]["line"],
            *((packet["text"], packet["destination_port"]) if (packet := finding["packet"]) else (None, None)),
            finding["fingerprint"],
        )
        for finding in report["findings"]
    ]


def test_parquet_is_for_files(at: Path) -> None:
    done = icclint("fleet", "-o", "parquet")
    assert done.returncode == 2
    assert "parquet is no text for standard output; name a file: -o parquet=FILE" in done.stderr


@pytest.mark.parametrize(
    ("package", "options"), [("pyarrow", ("-o", "parquet=r")), ("distributed", ("--cluster", "tcp://127.0.0.1:9"))]
)
def test_what_an_extra_is_for_is_told_where_it_is_missing(package: str, options: Sequence[str], at: Path) -> None:
    # What a package of this name gives up is what is missing.
    code = f"import sys; sys.modules[{package!r}] = None; from icclint.cli import main; main()"
    command = [sys.executable, "-c", code, "check", "fleet", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "needs `pip install icclint[cluster]`" in done.stderr
