"""What is shipped, and what it needs: the wheel, its dependencies, and nothing of a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from icclint import __version__
from icclint.output.formats import FORMATS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = [
    Requirement(text)
    for texts in (PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values())
    for text in texts
    # What the tests take of our own extras is bound there.
    if not text.startswith("icclint[")
]
from_registry = pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="takes packages from their registry, as CI does"
)


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done


# Dependencies.


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_a_dependency_has_a_bound_on_either_side(requirement: Requirement) -> None:
    assert {specifier.operator for specifier in requirement.specifier} in ({">=", "<"}, {"=="})


@from_registry
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the oldest versions have wheels for the oldest Python alone")
def test_the_lowest_versions_report_the_same(tmp_path: Path) -> None:
    needed = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    lowest = [
        f"{requirement.name}=={specifier.version}"
        for requirement in needed
        for specifier in requirement.specifier
        if specifier.operator != "<"
    ]
    run(sys.executable, "-m", "pip", "install", "-q", "--target", tmp_path / "lowest", *lowest)
    paths = [str(tmp_path / "lowest"), *(str(ROOT / folder) for folder in ("", "grammars", "rules"))]
    of_today = reports(tmp_path / "today")
    assert reports(tmp_path / "then", PYTHONPATH=os.pathsep.join(paths)) == of_today
    shown = run(sys.executable, "-c", "import click; print(click.__file__)", PYTHONPATH=os.pathsep.join(paths)).stdout
    assert shown.startswith(str(tmp_path / "lowest"))


def reports(folder: Path, **environment: str) -> Mapping[str, bytes]:
    """The report on all samples in each format."""
    folder.mkdir()
    outputs = [option for form in FORMATS for option in ("-o", f"{form}={folder / form}")]
    run(sys.executable, "-m", "icclint", "check", "samples", *outputs, "--profile", "audit", **environment)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# The wheel.


def test_the_wheel_is_the_same_wherever_it_is_built(tmp_path: Path) -> None:
    wheels = []
    for name, mask in (("here", 0o022), ("in another place", 0o077)):
        folder = tmp_path / name
        for part in ("icclint", "grammars", "rules", "pyproject.toml", "README.md", "LICENSE", ".gitignore"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
            folder.mkdir(exist_ok=True)
            copy(ROOT / part, folder / part)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
        subprocess.run(command, cwd=folder, umask=mask, capture_output=True, check=True)
        (wheel,) = (folder / "dist").iterdir()
        wheels.append(wheel.read_bytes())
    assert wheels[0] == wheels[1]


@from_registry
def test_the_bill_of_materials_has_what_the_action_installs(tmp_path: Path) -> None:
    run(ROOT / ".ci" / "release.sh", tmp_path, PYTHON=sys.executable)
    bill = json.loads((tmp_path / "icclint.cdx.json").read_text())
    subject = bill["metadata"]["component"]
    assert (bill["bomFormat"], subject["name"], subject["version"]) == ("CycloneDX", "icclint", __version__)
    listed = {f"{re.sub('[-_.]+', '-', part['name']).lower()}=={part['version']}" for part in bill["components"]}
    pinned = re.findall(r"^[a-z0-9-]+==[^ ]+", (ROOT / "action" / "requirements.txt").read_text(), re.MULTILINE)
    assert listed == set(pinned)


# A run.

GUARD = """
import _socket, os, sys

def refuse(event, arguments):
    # A socket that is being made has its family behind it, any other one in it.
    local = _socket.AF_UNIX in (getattr(next(iter(arguments), None), "family", None), *arguments[1:2])
    if event.startswith(("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.startfile")) or (
        event.startswith("socket.") and not local
    ):
        os.write(2, f"refused: {event} {arguments}".encode())
        os._exit(99)

sys.addaudithook(refuse)
"""
"""Ends a run that asks a network or starts a program; processes of its own may talk to each other."""


@pytest.fixture
def guarded(tmp_path: Path) -> Mapping[str, str]:
    """The environment in which Python is guarded so."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path / "guard"), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import socket; socket.getaddrinfo('localhost', 80)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
    ],
)
def test_the_guard_refuses(code: str, guarded: Mapping[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | guarded, capture_output=True, check=False)
    assert (done.returncode, done.stderr[:8]) == (99, b"refused:")


def test_a_run_asks_no_network_and_starts_no_program(tmp_path: Path, guarded: Mapping[str, str]) -> None:
    assert reports(tmp_path / "reports", **guarded).keys() == FORMATS.keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules",), ("explain", "link-orphaned"), ("show", "samples"), ("reach", "samples/28.5.2/icc-off"),
        ("trace", "samples/28.5.2/icc-off", "--from", "web2", "--to", "web1:80"), ("collect",),
        ("diff", "samples/28.5.2/icc-off", "samples/28.5.2/icc-on"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_command_asks_a_network_or_starts_a_program(arguments: tuple[str, ...], guarded: Mapping[str, str]) -> None:
    assert run(sys.executable, "-m", "icclint", *arguments, **guarded).stdout
