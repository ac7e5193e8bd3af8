"""Sets of packets in words."""

from __future__ import annotations

from collections.abc import Iterable

from icclint.packets.box import Box
from icclint.packets.judgement import PacketClass
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, PROTOCOL_NAMES, address_text
from icclint.packets.ranges import RangeSet

MOST_SERVICES = 6


def describe(boxes: Iterable[Box], packets: PacketClass) -> str:
    """What tells some packets of a class from the others, such as ``tcp port 80 to 172.17.0.2``.

    Empty where nothing does, so that all packets are meant. Long lists are cut, and say how much is left out.
    """
    whole = packets.box
    if not whole.minus(boxes := list(boxes)):
        return ""
    found = sorted({_one(box, whole, packets.family) for box in boxes})
    left = len(found) - MOST_SERVICES
    return "; ".join(found[:MOST_SERVICES]) + (f"; and {left} more" if left > 0 else "")


def _one(box: Box, whole: Box, family: int) -> str:
    words = [_protocols(box, whole)]
    if box.protocol.size and set(_few(box.protocol)) <= PORT_PROTOCOLS:
        words += [_set("from port", box.source_port, whole.source_port, str)]
        words += [_set("port", box.destination_port, whole.destination_port, str)]
    if set(_few(box.protocol)) <= {ICMP, ICMPV6}:
        words += [_set("type", _types(box.icmp), _types(whole.icmp), str)]
    words += [_set("from", box.source, whole.source, lambda a: address_text(a, family))]
    words += [_set("to", box.destination, whole.destination, lambda a: address_text(a, family))]
    return " ".join(word for word in words if word) or "part of the packets"


def _few(values: RangeSet) -> list[int]:
    """The values of a small set; one impossible value for a large one."""
    return list(values.first(8)) if values.size <= 8 else [-1]


def _types(icmp: RangeSet) -> RangeSet:
    return RangeSet.of(*((low // 256, high // 256) for low, high in icmp.ranges))


def _protocols(box: Box, whole: Box) -> str:
    if box.protocol == whole.protocol:
        return ""
    if box.protocol.size > 8:
        others = [PROTOCOL_NAMES.get(p, str(p)) for p in _few(whole.protocol - box.protocol) if p >= 0]
        return f"any protocol but {', '.join(others)}" if others else "some protocols"
    return "/".join(PROTOCOL_NAMES.get(p, f"protocol {p}") for p in _few(box.protocol))


def _set(label: str, values: RangeSet, whole: RangeSet, text: object) -> str:
    assert callable(text)
    if values == whole:
        return ""
    shown, but = (values, "") if len(values.ranges) <= 3 else (whole - values, " any but")
    if len(shown.ranges) > 3:
        return f"{label} {len(values.ranges)} ranges"
    parts = [text(low) if low == high else f"{text(low)}-{text(high)}" for low, high in shown.ranges]
    return f"{label}{but} {','.join(parts)}"
