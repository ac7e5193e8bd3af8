"""What captured sets of ipset say of packets (man iptables-extensions, set; net/netfilter/xt_set.c).

`Sets.holds` asks for one packet and goes through the members; `Sets.parts` gives the packets of a set as sets of
field values. `walk` and `sets` use one each, so that they stay each other's test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import groupby
from typing import Any

from icclint.ir.ipset import DIMENSIONS, IpSet, SetMember
from icclint.ir.match import SetQuestion
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, TCP, UDP, Packet
from icclint.packets.ranges import Range, RangeSet

MOST_PARTS = 4096
"""How many services the members of a set may name, before classes of packets take its answer as unknown."""
_BITMAP_PROTOCOLS = (TCP, UDP)
_PORTED = PORT_PROTOCOLS - {33}
"""The protocols whose ports ipset reads; of DCCP it reads none (net/netfilter/ipset/ip_set_getport.c, get_port)."""


class Sets:
    """The sets of a host whose members are all known, by name."""

    def __init__(self, sets: Iterable[IpSet]) -> None:
        found = {one.name: one for one in sets}
        plain = {name: one for name, one in found.items() if one.members is not None}
        # A list is known where all that it holds is; it holds no other list (net/netfilter/ipset/ip_set_list_set.c).
        lists = {name: one for name, one in found.items() if one.sets and plain.keys() >= set(one.sets)}
        self._plain = plain
        self._known: dict[str, tuple[IpSet, ...]] = {name: (one,) for name, one in plain.items()}
        self._known |= {name: tuple(plain[member] for member in one.sets) for name, one in lists.items()}
        self.parts = cache(self._parts)

    def __contains__(self, question: SetQuestion | None) -> bool:
        return question is not None and question.name in self._known

    def holds(self, question: SetQuestion, packet: Packet) -> bool:
        """Whether a packet is in a set that is known."""
        return any(_holds(one, question.sides, packet) for one in self._known[question.name])

    def _parts(self, question: SetQuestion, family: int) -> tuple[Mapping[str, RangeSet], ...] | None:
        """The packets of a family that are in a set, as values of fields; None where they are too many to tell.

        The parts may overlap.
        """
        parts = [part for one in self._known[question.name] for part in _parts(one, question.sides, family)]
        return tuple(parts) if len(parts) <= MOST_PARTS else None


def _is_asked(one: IpSet, sides: tuple[str, ...], family: int) -> bool:
    """Whether it can hold a packet: with a side for each dimension, and of its family (ip_set_core.c, ip_set_test)."""
    return len(sides) >= len(DIMENSIONS[one.type]) and one.family in (None, family)


def _holds(one: IpSet, sides: tuple[str, ...], packet: Packet) -> bool:
    if not _is_asked(one, sides, packet.family):
        return False
    found = [member for member in one.members or () if _fits(one, member, sides, packet)]
    # The longest prefix decides (ip_set_hash_gen.h, mtype_test_cidrs).
    nearest = min(found, key=lambda member: sum(last - first for first, last in member.addresses), default=None)
    return nearest is not None and not nearest.excluded


def _fits(one: IpSet, member: SetMember, sides: tuple[str, ...], packet: Packet) -> bool:
    addresses = iter(member.addresses)
    for dimension, side in zip(DIMENSIONS[one.type], sides, strict=False):
        if dimension == "address":
            first, last = next(addresses)
            if not first <= getattr(packet, side) <= last:
                return False
        elif one.type == "bitmap:port":
            if packet.protocol not in _BITMAP_PROTOCOLS or getattr(packet, f"{side}_port") != member.port:
                return False
        elif packet.protocol != member.protocol or _port(packet, side) != member.port:
            return False
    return True


def _port(packet: Packet, side: str) -> int:
    if packet.icmp is not None:
        return packet.icmp[0] * 256 + packet.icmp[1]
    found: Any = getattr(packet, f"{side}_port") if packet.protocol in _PORTED else 0
    return found or 0


def _parts(one: IpSet, sides: tuple[str, ...], family: int) -> Iterator[dict[str, RangeSet]]:
    if not _is_asked(one, sides, family):
        return
    if one.type == "bitmap:port":
        ports = RangeSet.single(*(member.port for member in one.members or () if member.port is not None))
        yield {"protocol": RangeSet.single(*_BITMAP_PROTOCOLS), f"{sides[0]}_port": ports}
        return
    for (protocol, port, first), members in groupby(sorted(one.members or (), key=_service), key=_service):
        fields: dict[str, RangeSet] = {}
        address_sides = [side for side, what in zip(sides, DIMENSIONS[one.type], strict=False) if what == "address"]
        if first is not None:
            fields[address_sides[0]] = RangeSet.of(first)
        nets = _longest_prefixes(members)
        side = address_sides[-1]
        fields[side] = fields[side] & nets if side in fields else nets
        if protocol is not None and port is not None:
            service = _service_fields(protocol, port, sides[1])
            if service is None:
                continue
            fields |= service
        if all(fields.values()):
            yield fields


def _service(member: SetMember) -> tuple[Any, ...]:
    """What members have in common that differ in their last address only; a first address is a single one."""
    return member.protocol, member.port, member.addresses[0] if len(member.addresses) > 1 else None


def _service_fields(protocol: int, port: int, side: str) -> dict[str, RangeSet] | None:
    """The packets of a service; None where there can be none."""
    fields = {"protocol": RangeSet.single(protocol)}
    if protocol in (ICMP, ICMPV6):
        return fields | {"icmp": RangeSet.single(port)}
    if protocol in _PORTED:
        return fields | {f"{side}_port": RangeSet.single(port)}
    return fields if port == 0 else None


def _longest_prefixes(members: Iterable[SetMember]) -> RangeSet:
    """The addresses whose narrowest network is none that was excluded."""
    found = RangeSet()
    ranges: list[tuple[Range, bool]] = [(member.addresses[-1], member.excluded) for member in members]
    for _, level in groupby(sorted(ranges, key=_width), key=_width):
        alike = list(level)
        inside = RangeSet.of(*(ends for ends, excluded in alike if not excluded))
        found = (found | inside) - RangeSet.of(*(ends for ends, excluded in alike if excluded))
    return found


def _width(entry: tuple[Range, bool]) -> int:
    """Wide ones first."""
    return entry[0][0] - entry[0][1]
