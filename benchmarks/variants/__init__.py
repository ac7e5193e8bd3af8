"""What is measured, each by its name: the product by its own entry points, and its rivals.

A variant is a function of the path of its input. What it gives is held against something that shares nothing with it:
lark's trees, the rules that were planted, single packets, ``json``. ``python -m benchmarks.variants NAME PATH`` does
the work of one and nothing else.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.measure import Measured, NotMeasuredError, Program

MODULES = {
    "parsing": ("parse", "commands", "lark"),
    "packets": ("dead", "reach", "further", "matrix"),
    "diagrams": ("diagrams",),
    "reports": ("inspect", "loads", "findings", "sarif", "dumps"),
    "programs": ("check", "legacy", "nft", "nftables", "python", "yamllint"),
}


def variant(name: str, path: Path) -> Measured:
    """The variant of a name. ``process:NAME`` is the work of ``NAME`` in a whole process that does nothing else.

    Raises `NotMeasuredError` where it needs what is not installed.
    """
    if name.startswith("process:"):
        return Program([sys.executable, "-m", __name__, name.partition(":")[2], str(path)])
    module = next(module for module, names in MODULES.items() if name in names)
    try:
        made: Measured = getattr(import_module(f"{__name__}.{module}"), name)(path)
    except ModuleNotFoundError as error:
        raise NotMeasuredError(f"{error.name} is not installed") from None
    return made
