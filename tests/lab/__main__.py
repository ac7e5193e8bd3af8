"""``python -m tests.lab``: captures scenarios on real engines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from tests.lab.capture import place
from tests.lab.lab import BACKENDS
from tests.lab.play import NOT_ON_THIS_ENGINE
from tests.lab.roots import ROOTS, SCRATCH, WORK, engines
from tests.lab.scenario import Scenario
from tests.lab.scenarios import ALL

CHECKOUT = Path(__file__).parents[2]
_CGROUPS = Path("/sys/fs/cgroup")
_SECONDS = 280
"""How long a scenario may take."""

# Everything that is started ends with the namespace of process ids. Its first process must be one that collects those
# that lose their parents, as a shell does.
_NAMESPACES = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
_FIRST_PROCESS = ("sh", "-c", '"$@"; exit $?', "sh")


@dataclass(frozen=True, slots=True)
class Job:
    """One capture to be made."""

    engine: str
    backend: str
    scenario: Scenario
    out: Path

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.out.absolute() / place(self.engine, self.backend, self.scenario.name)

    def run(self) -> bool:
        """Makes it, says so, and returns whether all is well."""
        cgroup = f"icclint-lab-{time.monotonic_ns()}"
        words = [self.engine, self.backend, self.scenario.name, str(self.folder), cgroup]
        started = time.monotonic()
        code, said = _run([*_NAMESPACES, *_FIRST_PROCESS, sys.executable, "-m", "tests.lab.play", *words])
        _remove_cgroups(cgroup)
        seconds = time.monotonic() - started
        click.echo(f"{self.engine} {self.backend} {self.scenario.name}: {said.strip()} ({seconds:.0f} s)")
        return code in (0, NOT_ON_THIS_ENGINE)


def _run(command: list[str]) -> tuple[int, str]:
    # It starts in another folder.
    environment = {**os.environ, SCRATCH: str(WORK)}
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, env=environment, text=True, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"not done after {_SECONDS} seconds"
    return done.returncode, done.stdout + done.stderr


def _remove_cgroups(name: str) -> None:
    """Removes what an engine left in the kernel's trees of cgroups, of either version."""
    for tree in (*_CGROUPS.glob(name), *_CGROUPS.glob(f"*/{name}")):
        inner = sorted(tree.rglob("*/"), key=lambda folder: len(folder.parts), reverse=True)
        for folder in (*inner, tree):
            with suppress(OSError):  # one whose processes are still ending is harmless
                folder.rmdir()


def _print_list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    click.echo(f"engines: {' '.join(engines()) or 'none'}")
    for scenario in ALL:
        click.echo(f"{scenario.name:42} {scenario.note}")
    context.exit()


def _engines(context: click.Context, _: click.Parameter, names: Sequence[str]) -> tuple[str, ...]:
    there = engines()
    unknown = [name for name in names if name not in (*there, "all")]
    if unknown or not there:
        known = ", ".join(there) or "none"
        raise click.BadParameter(f"in {ROOTS} there is no {', '.join(unknown) or 'engine'}; there are: {known}")
    return there if "all" in names else tuple(names)


def _scenarios(context: click.Context, _: click.Parameter, prefixes: Sequence[str]) -> tuple[Scenario, ...]:
    for prefix in prefixes:
        if not any(scenario.name.startswith(prefix) for scenario in ALL):
            raise click.BadParameter(f"no scenario begins with {prefix}")
    return tuple(scenario for scenario in ALL if scenario.name.startswith(tuple(prefixes)))


@click.command()
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_print_list, help="What there is.")
@click.option(
    "--engine",
    "names",
    multiple=True,
    required=True,
    callback=_engines,
    metavar="VERSION",
    help="An engine by its version, or `all`. May be repeated.",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    default=[""],
    callback=_scenarios,
    metavar="PREFIX",
    help="The scenarios whose names begin so. May be repeated.  [default: all]",
)
@click.option("--backend", type=click.Choice(BACKENDS), default="nft", help="What the engine writes its rules with.")
@click.option("--jobs", type=click.IntRange(1), default=1, help="How many scenarios are played at a time.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Captures go to OUT/VERSION/SCENARIO, or, unless the backend is nft, to OUT/VERSION-BACKEND/SCENARIO.",
)
def main(names: tuple[str, ...], scenarios: tuple[Scenario, ...], backend: str, jobs: int, out: Path) -> None:
    """Brings real Docker engines into known states, and captures what they claim, their rules, and what packets do."""
    wanted = [Job(engine, backend, scenario, out) for engine in names for scenario in scenarios]
    with ThreadPoolExecutor(jobs) as pool:
        well = list(pool.map(Job.run, wanted))
    if not all(well):
        failed = [f"{job.engine} {job.scenario.name}" for job, fine in zip(wanted, well, strict=True) if not fine]
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
