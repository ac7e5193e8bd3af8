"""What connection tracking says of the first packet of a flow, which is given to the engine and not its to find out."""

from __future__ import annotations

from icclint.packets.packet import ICMP, ICMPV6, TCP, Packet

_FIN, _SYN, _RST, _PSH, _ACK, _URG = (1 << bit for bit in range(6))

OPENING_FLAGS = frozenset((_SYN, _SYN | _URG, _ACK, _ACK | _URG))
"""TCP flags, PSH left aside, of segments that open a connection or are taken for the middle of one
(net/netfilter/nf_conntrack_proto_tcp.c: tcp_valid_flags, tcp_conntracks, and nf_conntrack_tcp_loose = 1)."""

OPENING_ICMP = {ICMP: frozenset((8, 13, 15, 17)), ICMPV6: frozenset((128, 139))}
"""ICMP types that ask for something (nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c, valid_new)."""

UNTRACKED_ICMPV6 = frozenset((130, 131, 132, 133, 134, 135, 136, 143))
"""Multicast listeners and neighbour discovery (nf_conntrack_proto_icmpv6.c, noct_valid_new)."""


def first_state(packet: Packet) -> str:
    """The state of a packet that belongs to no flow."""
    if packet.protocol == TCP:
        return "NEW" if (packet.tcp_flags or 0) & ~_PSH in OPENING_FLAGS else "INVALID"
    if packet.icmp is None:
        return "NEW"
    if packet.protocol == ICMPV6 and packet.icmp[0] in UNTRACKED_ICMPV6:
        return "UNTRACKED"
    return "NEW" if packet.icmp[0] in OPENING_ICMP[packet.protocol] else "INVALID"
