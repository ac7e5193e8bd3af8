"""One packet, as the tables see it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from icclint.ir.base import Frozen

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
PORT_PROTOCOLS = frozenset((6, 17, 33, 132, 136))
"""tcp, udp, dccp, sctp and udplite: those whose header starts with two ports."""
PROTOCOL_NAMES = {
    1: "icmp",
    6: "tcp",
    17: "udp",
    33: "dccp",
    47: "gre",
    50: "esp",
    58: "icmpv6",
    132: "sctp",
    136: "udplite",
}
SYN = 2


class Packet(Frozen):
    """A packet on its way through a host.

    ``in_interface`` is None for what the host itself sends, ``out_interface`` is None where routing has to decide.
    ``source`` and ``destination`` are addresses of one family as integers. Ports are None for protocols
    without them, ``icmp`` is type and code for ICMP and ICMPv6 and None for others. ``tcp_flags`` has the bits of
    RFC 9293, FIN first. ``state`` is conntrack's. ``bridged`` tells that in and out interface are one bridge that
    passes the frame from port to port; ``in_port`` and ``out_port`` are those ports where they are known.
    """

    family: int
    in_interface: str | None
    out_interface: str | None
    bridged: bool
    source: int
    destination: int
    protocol: int
    source_port: int | None = None
    destination_port: int | None = None
    icmp: tuple[int, int] | None = None
    tcp_flags: int | None = None
    state: str = "NEW"
    mark: int = 0
    in_port: str | None = None
    out_port: str | None = None

    def describe(self) -> str:
        """The packet in one line: protocol, addresses with ports, interfaces, state."""
        name = PROTOCOL_NAMES.get(self.protocol, f"protocol {self.protocol}")
        if self.icmp is not None:
            name += f" type {self.icmp[0]} code {self.icmp[1]}"
        source, destination = (
            address_text(self.source, self.family),
            address_text(self.destination, self.family),
        )
        if self.source_port is not None and self.destination_port is not None:
            source, destination = (
                f"{_hosted(source)}:{self.source_port}",
                f"{_hosted(destination)}:{self.destination_port}",
            )
        ways = f"in {self.in_interface}" if self.in_interface else "from the host"
        out = f", out {self.out_interface}" if self.out_interface else ""
        return f"{self.state} {name} {source} -> {destination}, {ways}{out}"


def address_text(address: int, family: int) -> str:
    """An address as people write it."""
    return str(IPv4Address(address) if family == 4 else IPv6Address(address))


def _hosted(address: str) -> str:
    return f"[{address}]" if ":" in address else address
