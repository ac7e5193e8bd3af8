"""Packets as bytes, and which packet some bytes are.

Each packet of a volley has a number, and its length alone tells it: `LEAST` bytes more than a power of two. A rule's
counters hold packets and bytes, and there is one way only to write a sum of different powers of two, so the
counters name every packet that ticked them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import pack, unpack_from

from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, TCP, UDP, Packet

MOST = 16
"""How many packets a volley can have: the longest one still fits into one frame, and an IPv4 packet."""
LEAST = 128

_ETHERTYPES = {4: 0x0800, 6: 0x86DD}
_UDPLITE = 136
_RST = 4


class StrayError(Exception):
    """Bytes were counted that no packet of the volley accounts for."""


def length(number: int) -> int:
    """The length of a packet by its number, IP header included, as the counters count it."""
    return LEAST + (1 << number)


def numbers(packets: int, octets: int) -> frozenset[int]:
    """The packets that a pair of counters has counted."""
    powers = octets - packets * LEAST
    if powers < 0 or powers.bit_count() != packets or powers >= 1 << MOST:
        raise StrayError(f"{packets} packets of {octets} bytes")
    return frozenset(number for number in range(MOST) if powers >> number & 1)


def frame(packet: Packet, number: int, source: bytes, destination: bytes, embedded: bytes = b"") -> bytes:
    """A packet in an Ethernet frame. ``embedded`` is what an ICMP error quotes."""
    return destination + source + pack("!H", _ETHERTYPES[packet.family]) + datagram(packet, number, embedded)


def datagram(packet: Packet, number: int, embedded: bytes = b"") -> bytes:
    """A packet from its IP header on."""
    width = 4 if packet.family == 4 else 16
    addresses = packet.source.to_bytes(width, "big") + packet.destination.to_bytes(width, "big")
    total = length(number)
    room = total - (20 if packet.family == 4 else 40)
    payload = _transport(packet, number, embedded).ljust(room, b"\0")
    payload = _with_checksum(packet.protocol, payload, addresses + pack("!II", room, packet.protocol))
    if packet.family == 6:
        return pack("!IHBB", 6 << 28, room, packet.protocol, 64) + addresses + payload
    header = pack("!BBHHHBBH", 0x45, 0, total, number + 1, 0, 64, packet.protocol, 0) + addresses
    return header[:10] + pack("!H", _checksum(header)) + header[12:] + payload


def fragments(frame: bytes) -> Iterator[bytes]:
    """An IPv4 packet in two fragments."""
    link, header, payload = frame[:14], frame[14:34], frame[34:]
    for first, part, more in ((0, payload[:64], 1 << 13), (64, payload[64:], 0)):
        start = header[:2] + pack("!H", 20 + len(part)) + header[4:6] + pack("!H", more | first >> 3)
        whole = start + header[8:10] + b"\0\0" + header[12:]
        yield link + whole[:10] + pack("!H", _checksum(whole)) + whole[12:] + part


def arrived(frame: bytes, sent: Sequence[bytes]) -> int | None:
    """The number of the packet that a frame holds, by what was sent; None for any other traffic.

    The host's own errors may have the length of a packet, but start with another one's header.
    """
    number = _numbered(frame[14:])
    known = number is not None and number < len(sent) and _body(frame) == _body(sent[number])
    return number if known else None


def ends(frame: bytes, protocol: int) -> tuple[int, int, int | None]:
    """Source, destination and destination port of a packet that arrived."""
    v4 = frame[12:14] == b"\x08\x00"
    start, width = (14 + 12, 4) if v4 else (14 + 8, 16)
    source, destination = (int.from_bytes(frame[at : at + width], "big") for at in (start, start + width))
    port = unpack_from("!H", frame, start + 2 * width + 2)[0] if protocol in PORT_PROTOCOLS else None
    return source, destination, port


def _body(frame: bytes) -> bytes:
    """What follows addresses, ports and checksums of every protocol, which translation changes."""
    start = 14 + (20 if frame[12:14] == b"\x08\x00" else 40) + 12
    return frame[start : start + 4]


def answered(frame: bytes) -> int | None:
    """The number of the packet that a frame answers, as REJECT does: by an ICMP error that quotes it, or by a RST."""
    family, packet = (4, frame[14:]) if frame[12:14] == b"\x08\x00" else (6, frame[14:])
    if len(packet) < 40:
        return None
    protocol, payload = (packet[9], packet[20:]) if family == 4 else (packet[6], packet[40:])
    if protocol == TCP:
        sequence, acknowledged, _, flags = unpack_from("!IIBB", payload, 4)
        # Our segments have their number in the high bits of both fields, and a RST repeats one of them.
        return (max(sequence, acknowledged) >> 24) - 1 if flags & _RST else None
    error = payload[0] == 3 if family == 4 else payload[0] == 1
    return _numbered(payload[8:]) if protocol in (ICMP, ICMPV6) and error else None


def _numbered(packet: bytes) -> int | None:
    version = packet[0] >> 4
    total = {4: unpack_from("!H", packet, 2)[0], 6: unpack_from("!H", packet, 4)[0] + 40}.get(version, 0)
    power = total - LEAST
    return power.bit_length() - 1 if power > 0 and power.bit_count() == 1 else None


def _transport(packet: Packet, number: int, embedded: bytes) -> bytes:
    """The header above IP, its checksum left out."""
    ports = packet.source_port or 0, packet.destination_port or 0
    room = length(number) - (20 if packet.family == 4 else 40)
    if packet.icmp is not None:
        return pack("!BBHHH", *packet.icmp, 0, 1, number) + embedded
    match packet.protocol:
        case 6:
            sequence = (number + 1) << 24
            return pack("!HHIIBBHHH", *ports, sequence, sequence, 5 << 4, packet.tcp_flags or 0, 1024, 0, 0)
        case 17 | 136:
            return pack("!HHHH", *ports, room, 0)
        case 132:
            # An INIT with a tag of zero opens an association, if it is the only chunk.
            return pack("!HHII", *ports, 0, 0) + pack("!BBHIIHHI", 1, 0, room - 12, 1, 1024, 1, 1, 1)
        case 33:
            # A Request opens a connection.
            return pack("!HHBBHBBHII", *ports, 5, 0, 0, 1, 0, 0, 1, 0)
        case _:
            return b""


_CHECKSUM_AT = {TCP: 16, UDP: 6, _UDPLITE: 6, ICMP: 2, ICMPV6: 2}


def _with_checksum(protocol: int, payload: bytes, pseudo_header: bytes) -> bytes:
    at = _CHECKSUM_AT.get(protocol)
    if at is None:
        return payload
    covered = payload if protocol == ICMP else pseudo_header + payload
    return payload[:at] + pack("!H", _checksum(covered)) + payload[at + 2 :]


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(unpack_from(f"!{len(data) // 2}H", data + b"\0"))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF
