"""Measures goals, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.goals import Goal
from benchmarks.inputs import Inputs
from benchmarks.measure import FailedError, NotMeasuredError, Series, apart, compared, growing
from benchmarks.variants import variant

TRIES = 2


@dataclass(frozen=True)
class Effort:
    """How a run measures: rounds beside the first one, which does not count, and seconds that a sample may take.

    ``tolerance`` is how far below its floor a goal that is met may be, ``control`` how far from 1 the median ratio of
    two samples of the same thing: beyond it, nothing that was measured beside them counts.
    """

    rounds: int = 9
    limit: int = 300
    tolerance: float = 0.1
    control: float = 0.07


@dataclass(frozen=True)
class Row:
    """What came of a goal on one of its inputs. Where there is no ``series``, ``verdict`` says why."""

    goal: Goal
    series: Series | None
    verdict: str

    def __str__(self) -> str:
        median = f" {self.series.median:.3g}" if self.series is not None else ""
        return f"{self.goal.id} {', '.join(self.goal.inputs)}:{median} {self.verdict}"


def measured(goals: Iterable[Goal], inputs: Inputs, effort: Effort) -> Iterator[Row]:
    """A row for each goal and input."""
    return (_row(one, inputs, effort) for goal in goals for one in goal.each())


def _row(goal: Goal, inputs: Inputs, effort: Effort) -> Row:
    try:
        for name in _inputs(goal):
            inputs.make(name)
        for _ in range(TRIES):
            # In a process of its own, so that what it imports is not in the memory that others are measured by.
            series = apart(lambda: _series(goal, inputs, effort))
            if abs(series.control - 1) <= effort.control:
                return Row(goal, series, goal.verdict(series.median, effort.tolerance))
    except NotMeasuredError as error:
        return Row(goal, None, f"not measured: {error}")
    except FailedError as error:
        return Row(goal, None, f"failed: {error}")
    return Row(goal, series, f"refused: A/A was {series.control:.2f}, twice")


def _inputs(goal: Goal) -> Iterator[str]:
    yield from goal.inputs
    if goal.rival is not None:
        yield from goal.rival.split()[1:]


def _series(goal: Goal, inputs: Inputs, effort: Effort) -> Series:
    ours = [variant(goal.ours, inputs.path(name)) for name in goal.inputs]
    if goal.rival is None:
        sizes = [int(name.rpartition("-")[2]) for name in goal.inputs]
        return growing(list(zip(sizes, ours, strict=True)), effort.rounds, effort.limit, goal.quantity())
    name, _, other = goal.rival.partition(" ")
    rival = variant(name, inputs.path(other or goal.inputs[0]))
    times = compared(ours[0], rival, effort.rounds, effort.limit, goal.quantity())
    return times if goal.is_speed else times.inverted()
