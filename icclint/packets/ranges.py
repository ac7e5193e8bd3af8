"""Sets of numbers as sorted ranges: addresses, ports, protocols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RangeSet:
    """An immutable set of integers. ``ranges`` are first and last, inclusive, sorted, and never touch."""

    ranges: tuple[Range, ...] = ()

    @staticmethod
    def of(*ranges: Range) -> RangeSet:
        """The union of ranges in any order."""
        merged: list[Range] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return RangeSet(tuple(merged))

    @staticmethod
    def single(*values: int) -> RangeSet:
        """The set of some values."""
        return RangeSet.of(*((value, value) for value in values))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, value: int) -> bool:
        return any(first <= value <= last for first, last in self.ranges)

    def __and__(self, other: RangeSet) -> RangeSet:
        if self.ranges == other.ranges:
            return self
        return RangeSet(tuple(_intersection(self.ranges, other.ranges)))

    def __or__(self, other: RangeSet) -> RangeSet:
        return RangeSet.of(*self.ranges, *other.ranges)

    def __sub__(self, other: RangeSet) -> RangeSet:
        return RangeSet(tuple(_difference(self.ranges, other.ranges)))

    @property
    def size(self) -> int:
        """How many values it has (more than ``len`` can say for IPv6)."""
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def least(self) -> int:
        """The smallest value. Raises IndexError for the empty set."""
        return self.ranges[0][0]

    def first(self, count: int) -> Iterator[int]:
        """Its smallest values, at most so many."""
        for low, high in self.ranges:
            for value in range(low, min(high, low + count - 1) + 1):
                if count == 0:
                    return
                yield value
                count -= 1


def _intersection(left: Iterable[Range], right: Iterable[Range]) -> Iterator[Range]:
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, None), next(rights, None)
    while a is not None and b is not None:
        first, last = max(a[0], b[0]), min(a[1], b[1])
        if first <= last:
            yield first, last
        if a[1] < b[1]:
            a = next(lefts, None)
        else:
            b = next(rights, None)


def _difference(left: Iterable[Range], right: tuple[Range, ...]) -> Iterator[Range]:
    for first, last in left:
        start = first
        for low, high in right:
            if high < start:
                continue
            if low > last:
                break
            if low > start:
                yield start, low - 1
            start = high + 1
        if start <= last:
            yield start, last
