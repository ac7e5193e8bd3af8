"""Sets of packets, one set of values for each field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from icclint.packets.ranges import Range, RangeSet

ANY_PROTOCOL = RangeSet.of((0, 255))
ANY_PORT = RangeSet.of((0, 65535))
ANY_ICMP = RangeSet.of((0, 65535))
ANY_FLAGS = RangeSet.of((0, 63))


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
        left = [self]
        for other in others:
            if not left:
                break
            fields = other.fields
            # To take out what is not in it would cut a box in pieces for nothing.
            left = [rest for box in left for rest in ([box] if box & fields is None else box.without(fields))]
        return left

    @property
    def fields(self) -> dict[str, RangeSet]:
        """The set of each field, by its name."""
        return {name: getattr(self, name) for name in FIELDS}


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
