"""Sets of packets, one set of values for each field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Generic, TypeVar

from icclint.packets.ranges import Range, RangeSet

_About = TypeVar("_About")

ANY_PROTOCOL = RangeSet.of((0, 255))
ANY_PORT = RangeSet.of((0, 65535))
ANY_ICMP = RangeSet.of((0, 65535))
ANY_FLAGS = RangeSet.of((0, 63))


def any_address(family: int) -> RangeSet:
    """All addresses of a family."""
    return RangeSet.of((0, (1 << (32 if family == 4 else 128)) - 1))


@dataclass(frozen=True, slots=True)
class Box:
    """Sets of packets, field by field.

    Addresses are integers. Ports count only for protocols that have them, ``icmp`` (type * 256 + code) only for ICMP
    and ICMPv6, ``tcp_flags`` (bits of RFC 9293, FIN first) only for TCP.
    """

    source: RangeSet
    destination: RangeSet
    protocol: RangeSet = ANY_PROTOCOL
    source_port: RangeSet = ANY_PORT
    destination_port: RangeSet = ANY_PORT
    icmp: RangeSet = ANY_ICMP
    tcp_flags: RangeSet = ANY_FLAGS

    def __and__(self, conditions: Mapping[str, RangeSet]) -> Box | None:
        """The part of the box in which each named field has one of the given values; None if there is none."""
        narrowed = {}
        for name, values in conditions.items():
            both = getattr(self, name) & values
            if not both:
                return None
            narrowed[name] = both
        return replace(self, **narrowed) if narrowed else self

    def meets(self, conditions: Mapping[str, RangeSet]) -> bool:
        """Whether any packet of the box has, in each named field, one of the given values."""
        return all(getattr(self, name).meets(values) for name, values in conditions.items())

    def without(self, conditions: Mapping[str, RangeSet]) -> Iterator[Box]:
        """The rest of the box, as disjoint boxes."""
        inside = self
        for name, values in conditions.items():
            outside = getattr(inside, name) - values
            if outside:
                yield replace(inside, **{name: outside})
            both = getattr(inside, name) & values
            if not both:
                return
            inside = replace(inside, **{name: both})

    def minus(self, others: Iterable[Box]) -> list[Box]:
        """What is left of the box when others are taken out, as disjoint boxes."""
        left = ByAddress(attrgetter("ends"), (self,))
        for other in others:
            fields = other.fields
            for box in left.take(fields):
                # To take out what is not in it would cut a box in pieces for nothing.
                left.add(box.without(fields) if box.meets(fields) else (box,))
            if not left:
                break
        return left.all()

    @property
    def ends(self) -> tuple[RangeSet, RangeSet]:
        """The sources and the destinations."""
        return self.source, self.destination

    @property
    def fields(self) -> dict[str, RangeSet]:
        """The set of each field, by its name."""
        return {name: getattr(self, name) for name in FIELDS}


class ByAddress(Generic[_About]):
    """Values that are each about a box of packets, found by the one address that the box has for an end.

    Docker's rules for links and published ports name one address each. What they are asked about is kept apart by it,
    so that a chain of many such rules takes time in proportion to their number. ``ends`` tells the sources and the
    destinations of the packets that a value is about.
    """

    def __init__(self, ends: Callable[[_About], tuple[RangeSet, RangeSet]], values: Iterable[_About]) -> None:
        self.ends = ends
        self.wide: list[_About] = []
        self.about: dict[tuple[str, int], list[_About]] = {}
        self.add(values)

    def add(self, values: Iterable[_About]) -> None:
        """Puts values among the others."""
        for value in values:
            self._place(value).append(value)

    def _place(self, value: _About) -> list[_About]:
        for side, addresses in zip(_SIDES, self.ends(value), strict=True):
            if addresses.only is not None:
                return self.about.setdefault((side, addresses.only), [])
        return self.wide

    def all(self) -> list[_About]:
        """All of them, taken out."""
        return self.take({})

    def find(self, asked: Mapping[str, RangeSet]) -> list[_About]:
        """Those that may be about packets with such addresses; all where none are given."""
        return [*self.wide, *(value for key in self._keys(asked) for value in self.about[key])]

    def take(self, asked: Mapping[str, RangeSet]) -> list[_About]:
        """The same, taken out."""
        taken, self.wide = self.wide, []
        for key in self._keys(asked):
            taken += self.about.pop(key)
        return taken

    def _keys(self, asked: Mapping[str, RangeSet]) -> list[tuple[str, int]]:
        keys = []
        for side in _SIDES:
            wanted = asked.get(side)
            only = wanted.only if wanted is not None else None
            if only is not None:
                keys += [key for key in ((side, only),) if key in self.about]
            else:
                keys += [key for key in self.about if key[0] == side and (wanted is None or key[1] in wanted)]
        return keys

    def __bool__(self) -> bool:
        return bool(self.wide or self.about)


_SIDES = ("source", "destination")


def merged(boxes: Iterable[Box]) -> list[Box]:
    """The same packets in fewer boxes: those that differ in one field only become one."""
    found = list(boxes)
    while True:
        before = len(found)
        for name in FIELDS:
            alike: dict[Box, list[Range]] = {}
            for box in found:
                rest = replace(box, **{name: RangeSet()})
                alike.setdefault(rest, []).extend(getattr(box, name).ranges)
            found = [replace(rest, **{name: RangeSet.of(*ranges)}) for rest, ranges in alike.items()]
        if len(found) == before:
            return found


FIELDS = ("source", "destination", "protocol", "source_port", "destination_port", "icmp", "tcp_flags")
