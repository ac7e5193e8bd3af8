"""Sets of numbers as sorted ranges: addresses, ports, protocols."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RangeSet:
    """An immutable set of integers. ``ranges`` are first and last, inclusive, sorted, and never touch."""

    ranges: tuple[Range, ...] = ()

    @staticmethod
    def of(*ranges: Range) -> RangeSet:
        """The union of ranges in any order."""
        if len(ranges) == 1:
            return RangeSet(ranges)
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
        if len(self.ranges) == 1:
            return self.ranges[0][0] <= value <= self.ranges[0][1]
        place = bisect_right(self.ranges, (value, _BEYOND)) - 1
        return place >= 0 and value <= self.ranges[place][1]

    def __and__(self, other: RangeSet) -> RangeSet:
        if self.ranges == other.ranges:
            return self
        if len(self.ranges) == 1 == len(other.ranges):
            # Nearly all sets are one address, one port or all of them.
            (low, high), (other_low, other_high) = self.ranges[0], other.ranges[0]
            if other_low <= low and high <= other_high:
                return self
            if low <= other_low and other_high <= high:
                return other
        few, many = sorted((self.ranges, other.ranges), key=len)
        return RangeSet(tuple(part for one in few for part in _within(many, one)))

    def meets(self, other: RangeSet) -> bool:
        """Whether the two have a value in common."""
        if len(self.ranges) == 1 == len(other.ranges):
            return self.ranges[0][0] <= other.ranges[0][1] and other.ranges[0][0] <= self.ranges[0][1]
        return bool(self & other)

    def __or__(self, other: RangeSet) -> RangeSet:
        return RangeSet.of(*self.ranges, *other.ranges)

    def __sub__(self, other: RangeSet) -> RangeSet:
        left = self.ranges
        for first, last in other.ranges:
            left = _without(left, first, last)
        return RangeSet(left)

    @property
    def size(self) -> int:
        """How many values it has (more than ``len`` can say for IPv6)."""
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def only(self) -> int | None:
        """Its value, where it has one only."""
        if len(self.ranges) != 1:
            return None
        first, last = self.ranges[0]
        return first if first == last else None

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


_BEYOND = 1 << 129
"""More than any address."""


def _touched(ranges: tuple[Range, ...], first: int, last: int) -> tuple[int, int]:
    """Which ranges share a value with FIRST to LAST: from one place up to, not including, another."""
    start = bisect_right(ranges, (first, _BEYOND)) - 1
    if start < 0 or ranges[start][1] < first:
        start += 1
    return start, bisect_right(ranges, (last, _BEYOND))


def _within(ranges: tuple[Range, ...], bounds: Range) -> Iterator[Range]:
    start, end = _touched(ranges, *bounds)
    for first, last in ranges[start:end]:
        yield max(first, bounds[0]), min(last, bounds[1])


def _without(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    start, end = _touched(ranges, first, last)
    if start >= end:
        return ranges
    # Only the ranges that are touched are looked at; the others are copied as they are, at memory speed.
    before = ((ranges[start][0], first - 1),) if ranges[start][0] < first else ()
    after = ((last + 1, ranges[end - 1][1]),) if ranges[end - 1][1] > last else ()
    return ranges[:start] + before + after + ranges[end:]
