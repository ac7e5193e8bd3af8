"""What a scenario is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.lab.lab import Lab

Build = Callable[[Lab], None]


class Coverage(Enum):
    """How many packets are sent: all, or, where there are many containers, one port and an echo request a pair."""

    FULL = "full"
    SPARSE = "sparse"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A state that a host is brought into, to be captured then.

    ``name`` is the folder of its captures: a family's number, a letter where the family has several, and words.
    ``note`` says what was done, for readers of a capture. ``build`` starts the engine and does it, and may raise
    `NotOnThisEngineError`.
    """

    name: str
    note: str
    build: Build
    coverage: Coverage = Coverage.FULL


def scenario(name: str, note: str, coverage: Coverage = Coverage.FULL) -> Callable[[Build], Scenario]:
    """Makes the scenario that a function builds."""
    return lambda build: Scenario(name, note, build, coverage)
