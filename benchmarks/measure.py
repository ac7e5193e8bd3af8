"""CPU time and peak memory of work done side by side, and what ratios of them say.

Only ratios of samples that were taken in turn count: on a machine that does other work too, the same command may take
half as long again an hour later. Time is CPU time, user and system, never that of a clock on the wall.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from resource import struct_rusage
from statistics import linear_regression, mean, median, quantiles
from typing import Any, Protocol, TypeVar


class NotMeasuredError(Exception):
    """Something cannot be measured here, and why: its program is missing or refuses the input, or it takes too long."""


class FailedError(Exception):
    """A result is not what it must be, so that it does not matter how long it takes, or it takes too long."""


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds, and the most memory that the process had, in bytes."""

    seconds: float
    memory: int


class Measured(Protocol):
    """Something to be measured, each time in a process of its own."""

    def verify(self, limit: int) -> None:
        """Does it once within some seconds, and holds the result against the truth.

        Raises `FailedError` and `NotMeasuredError`.
        """

    def sample(self, limit: int) -> Sample:
        """Does it once within some seconds. Raises `NotMeasuredError`."""


@dataclass(frozen=True)
class Call:
    """Work of Python: what ``setup`` made is given to ``work``, which alone is timed, and ``check`` gets both.

    ``check`` raises AssertionError where the result is wrong. ``parts`` is how many equal pieces of work are done.
    """

    setup: Callable[[], Any]
    work: Callable[[Any], Any]
    check: Callable[[Any, Any], None]
    parts: int = 1

    def verify(self, limit: int) -> None:
        def checked() -> None:
            given = self.setup()
            self.check(given, self.work(given))

        _in_child(checked, limit)

    def sample(self, limit: int) -> Sample:
        def timed() -> float:
            given = self.setup()
            gc.collect()
            start = time.process_time()
            self.work(given)
            return (time.process_time() - start) / self.parts

        seconds, usage = _in_child(timed, limit)
        return Sample(seconds, _peak(usage))


@dataclass(frozen=True)
class Program:
    """A whole process, which is right if it ends with one of some statuses."""

    command: list[str]
    statuses: Sequence[int] = (0,)

    def verify(self, limit: int) -> None:
        self.sample(limit)

    def sample(self, limit: int) -> Sample:
        with tempfile.NamedTemporaryFile() as complaints:
            opened = [
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, complaints.name, os.O_WRONLY, 0),
            ]
            # Until it becomes another program the child has the memory of this one, which therefore has to stay small.
            child = os.posix_spawn(self.command[0], self.command, os.environ, file_actions=opened)
            status, usage = _ended(child, limit)
            if status not in self.statuses:
                said = " ".join(complaints.read().decode(errors="replace").split())[-200:]
                raise NotMeasuredError(f"{Path(self.command[0]).name} ended with {status}: {said}")
        return Sample(usage.ru_utime + usage.ru_stime, _peak(usage))


Result = TypeVar("Result")


def apart(work: Callable[[], Result]) -> Result:
    """The result of something that is done in a process of its own, so that this one stays small."""
    return _in_child(work, limit=0)[0]


def _in_child(work: Callable[[], Result], limit: int) -> tuple[Result, struct_rusage]:
    """Forks. What the child raises is raised here: as it is if it is an error of this module, else as `FailedError`."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with open(writer, "wb") as telling:
            pickle.dump(_outcome(work), telling)
        os._exit(0)
    os.close(writer)
    # What it tells fits into the pipe.
    with open(reader, "rb") as told:
        status, usage = _ended(child, limit)
        if status:
            raise FailedError(f"the process ended with {status}")
        result, error = pickle.load(told)
    if error is not None:
        raise error
    return result, usage


def _outcome(work: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    try:
        return work(), None
    except (FailedError, NotMeasuredError) as error:
        return None, error
    # Nothing may get out of the child into the code of its parent.
    except BaseException as error:
        return None, FailedError(" ".join(f"{type(error).__name__}: {error}".split())[:200])


def _ended(child: int, limit: int) -> tuple[int, struct_rusage]:
    """How a child ended. Raises `NotMeasuredError` where it takes more than some seconds; there are no limits of 0."""
    late = False

    def kill(*_: object) -> None:
        nonlocal late
        late = True
        os.kill(child, signal.SIGKILL)

    # With a limit of its CPU time, the kernel would count that in ticks of some milliseconds.
    signal.signal(signal.SIGALRM, kill)
    signal.alarm(limit)
    _, status, usage = os.wait4(child, 0)
    signal.alarm(0)
    if late:
        raise NotMeasuredError(f"it takes more than {limit} s")
    return os.waitstatus_to_exitcode(status), usage


def _peak(usage: struct_rusage) -> int:
    return usage.ru_maxrss * 1024


# -- statistics ------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """One figure of each round, and beside it the ratio of two samples of the same thing, which should be 1."""

    values: tuple[float, ...]
    controls: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def control(self) -> float:
        return median(self.controls)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third."""
        first, _, third = quantiles(self.values, n=4, method="inclusive")
        return first, third

    def inverted(self) -> Series:
        """How much of the other ours takes, if the values are how many times ours the other takes."""
        return replace(self, values=tuple(1 / value for value in self.values))


Quantity = Callable[[Sample], float]


def compared(ours: Measured, other: Measured, rounds: int, limit: int, quantity: Quantity) -> Series:
    """How many times ours the other takes, in rounds of ours, the other and ours again."""
    _prove([ours], limit)
    other.verify(limit)
    values, controls = [], []
    for _ in range(rounds):
        first, theirs, second = (quantity(one.sample(limit)) for one in (ours, other, ours))
        values.append(theirs / mean((first, second)))
        controls.append(second / first)
    return Series(tuple(values), tuple(controls))


def growing(sizes: Sequence[tuple[int, Measured]], rounds: int, limit: int, quantity: Quantity) -> Series:
    """The power with which it grows, in rounds of all sizes and the first one again."""
    _prove([one for _, one in sizes], limit)
    values, controls = [], []
    for _ in range(rounds):
        taken = [quantity(one.sample(limit)) for _, one in (*sizes, sizes[0])]
        values.append(exponent([size for size, _ in sizes], taken[:-1]))
        controls.append(taken[-1] / taken[0])
    return Series(tuple(values), tuple(controls))


def _prove(ours: Sequence[Measured], limit: int) -> None:
    try:
        for one in ours:
            one.verify(limit)
    # What stops a rival is no fault of ours, but this is.
    except NotMeasuredError as error:
        raise FailedError(str(error)) from None


def exponent(sizes: Sequence[float], amounts: Sequence[float]) -> float:
    """The power of the size by which amounts grow: the slope of the line through their logarithms, by least squares."""
    return linear_regression([log(size) for size in sizes], [log(amount) for amount in amounts]).slope
