"""Plays one scenario in the namespaces that this process is in, which must be its own; `tests.lab` starts it there."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.lab.capture import capture
from tests.lab.engine import EngineError
from tests.lab.host import CommandError, NotOnThisEngineError
from tests.lab.lab import build
from tests.lab.scenarios import ALL

NOT_ON_THIS_ENGINE = 3
"""The exit code where an engine cannot do what the scenario asks for."""


def main(engine: str, backend: str, name: str, folder: str, cgroup: str) -> str | int | None:
    """Plays it; returns an exit code, or why it failed."""
    scenario = next(scenario for scenario in ALL if scenario.name == name)
    lab = build(engine, backend, cgroup)
    try:
        scenario.build(lab)
        measured = capture(lab, scenario, Path(folder))
    except NotOnThisEngineError as why:
        print(f"not on this engine: {why}")
        return NOT_ON_THIS_ENGINE
    except (CommandError, EngineError) as why:
        return f"failed: {why}"
    print(f"{sum(len(path.probes) for path in measured.paths)} probes")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
