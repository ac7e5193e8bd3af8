"""The goals of goals.toml, and whether they are met."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks.measure import Quantity


@dataclass(frozen=True)
class Goal:
    """A goal as goals.toml says it; the head of that file tells what its members mean."""

    id: str
    what: str
    ours: str
    inputs: tuple[str, ...]
    quick: tuple[str, ...] = ()
    rival: str | None = None
    of: Literal["seconds", "memory"] = "seconds"
    floor: float | None = None
    ambitious: float | None = None

    @property
    def is_speed(self) -> bool:
        """Whether more is better."""
        return self.rival is not None and (self.floor or 0) <= (self.ambitious or 0)

    def quantity(self) -> Quantity:
        """What of a sample counts."""
        return (lambda sample: sample.seconds) if self.of == "seconds" else (lambda sample: sample.memory)

    def each(self) -> Iterator[Goal]:
        """The goal for each input; that of growth has all of them together."""
        if self.rival is None:
            yield self
        else:
            yield from (replace(self, inputs=(one,)) for one in self.inputs)

    def verdict(self, median: float, tolerance: float) -> str:
        """What a median means; ``-`` where there is no floor."""
        if self.floor is None or self.ambitious is None:
            return "-"
        if self.is_speed:
            reached, enough = median >= self.ambitious, median >= self.floor * (1 - tolerance)
        else:
            reached, enough = median <= self.ambitious, median <= self.floor * (1 + tolerance)
        return "ambitious" if reached else "met" if enough else "missed"


def read_goals() -> list[Goal]:
    """All goals, in the order of the file."""
    entries = tomllib.loads(Path(__file__).with_name("goals.toml").read_text())
    return [
        Goal(**{"id": name, **entry, "inputs": tuple(entry["inputs"]), "quick": tuple(entry.get("quick", ()))})
        for name, entry in entries.items()
    ]
