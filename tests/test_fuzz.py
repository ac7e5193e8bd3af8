"""Each front end against inputs that nobody wrote: those that failed once, and a short run of the fuzzer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from fuzz.seeds import ROOT
from fuzz.targets import FUZZED, TARGETS

RUNS = 200


@pytest.mark.parametrize("path", sorted(FUZZED.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_failed_once_does_not_fail_again(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("NOT FUZZED: needs pip install '.[fuzz]'")
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--runs", str(RUNS), "--corpus", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr[-1000:]}\n{done.stdout[-5000:]}"
    runs = [int(number) for number in re.findall(r"^Done (\d+) runs", done.stderr, re.MULTILINE)]
    assert len(runs) == len(TARGETS)
    assert min(runs) >= RUNS
