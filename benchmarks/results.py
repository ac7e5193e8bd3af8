"""The results of a run: as a table, as JSON, and as the page of the documentation."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.inputs import ROOT
from benchmarks.run import Effort, Row
from benchmarks.variants.programs import find

MARK = "<!-- What follows is written by `python -m benchmarks --write FILE`. -->\n"
PACKAGES = ("icclint", "lark", "pydantic", "click", "sarif-om", "oxidd", "yamllint")
PROGRAMS = ("iptables-legacy-restore", "iptables-nft-restore", "nft")
HEAD = ("goal", "what", "input", "floor", "ambitious", "median", "quartiles", "pairs", "A/A", "verdict")


def surroundings(effort: Effort) -> dict[str, str]:
    """The machine, the versions of all that takes part, and how it was measured."""
    processors = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) >> 20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    commit = _printed("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} x {processors[0] if processors else platform.machine()}, {memory} GB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}",
        "commit": commit or "not told",
        "packages": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "programs": ", ".join(_printed(find(name) or name, "--version") or f"no {name}" for name in PROGRAMS),
        "effort": f"{effort.rounds} pairs, at most {effort.limit} s a sample",
    }


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _printed(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def as_json(rows: Sequence[Row], around: dict[str, str]) -> dict[str, Any]:
    """Everything, the figures of each round included."""
    return {"format": "icclint-benchmarks/1", **around, "rows": [_entry(row) for row in rows]}


def _entry(row: Row) -> dict[str, Any]:
    goal, series = row.goal, row.series
    told = {} if series is None else {"median": series.median, "quartiles": series.quartiles, **vars(series)}
    return {"goal": goal.id, "inputs": goal.inputs, "verdict": row.verdict, **told}


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as a table of Markdown, which people can read as it is."""
    lines = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        yield "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) + " |"


def _cells(row: Row) -> tuple[str, ...]:
    goal, series = row.goal, row.series
    asked = tuple("" if one is None else f"{one:g}" for one in (goal.floor, goal.ambitious))
    found = ("", "", "", "")
    if series is not None:
        quartiles = " to ".join(map(_short, series.quartiles))
        found = (_short(series.median), quartiles, str(len(series.values)), f"{series.control:.2f}")
    return (goal.id, goal.what, ", ".join(goal.inputs), *asked, *found, row.verdict)


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def page(head: str, rows: Sequence[Row], around: dict[str, str]) -> str:
    """The page of the documentation: its head stays, and all behind the mark is new."""
    told = [f"- {name}: {value}" for name, value in around.items()]
    return "\n".join([head.partition(MARK)[0] + MARK, *told, "", *table(rows)]) + "\n"
