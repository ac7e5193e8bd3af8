"""Which engines there are: a root file system each, made by ``python -m tests.lab.bootstrap``."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

SCRATCH = "ICCLINT_LAB"
"""The environment variable that names the lab's scratch folder."""
WORK = Path(os.environ.get(SCRATCH) or Path(tempfile.gettempdir(), "icclint-lab")).absolute()
"""The scratch folder."""
ROOTS = WORK / "engines"
"""Root file systems, each in a folder named after its engine's version."""

_VERSION = re.compile(r"\d+(\.\d+)+")


def engines() -> tuple[str, ...]:
    """The engines that can be started here, oldest first."""
    # What is still being made has a name that is no version.
    found = [folder.name for folder in ROOTS.glob("*/") if _VERSION.fullmatch(folder.name)]
    return tuple(sorted(found, key=version))


def version(engine: str) -> tuple[int, ...]:
    """An engine's version in numbers, to be compared."""
    return tuple(map(int, engine.split(".")))


def version_in(text: str) -> str | None:
    """The first version that a text names, without what a distribution appends to it."""
    found = _VERSION.search(text)
    return found[0] if found else None
