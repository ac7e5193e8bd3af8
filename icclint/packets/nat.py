"""What the targets of table nat make of a packet's ends (net/netfilter/xt_nat.c, xt_REDIRECT.c, xt_NETMAP.c)."""

from __future__ import annotations

from icclint.ir.match import Rewrite
from icclint.ir.ruleset import Rule
from icclint.packets.packet import Packet, address_text
from icclint.packets.routing import Routing
from icclint.packets.verdict import Assumption

MOST_CHOICES = 16
"""How many ends a range may offer before what the kernel picks is called unknown."""

End = tuple[int, int | None]
"""An address, and a port for protocols that have one."""

LOCALHOST = {4: 0x7F000001, 6: 1}


def new_ends(target: Rewrite, packet: Packet, routing: Routing, sent: bool) -> tuple[End, ...] | None:
    """What the kernel may give a packet in place of its source or destination; None where that cannot be told.

    ``sent`` tells that the host itself sends the packet: REDIRECT then means loopback (nf_nat_redirect.c).
    """
    old = packet.source if target.of == "source" else packet.destination
    old_port = packet.source_port if target.of == "source" else packet.destination_port
    addresses: tuple[int, ...] | None
    match target.how:
        case "interface":
            interface = packet.out_interface if target.of == "source" else packet.in_interface
            found = LOCALHOST[packet.family] if sent and target.of == "destination" else None
            found = found if found is not None else routing.address_of(interface or "")
            addresses = None if found is None else (found,)
        case "prefix":
            addresses = None if target.addresses is None else (netmap(old, target.addresses),)
        case "to":
            addresses = _some(target.addresses, old)
        case _:
            addresses = None
    # A source port is kept where it can be, whatever the range (nf_nat_core.c, get_unique_tuple).
    ports = (old_port,) if old_port is None or target.of == "source" else _some(target.ports, old_port)
    if addresses is None or ports is None or len(addresses) * len(ports) > MOST_CHOICES:
        return None
    return tuple((address, port) for address in addresses for port in ports)


def assume_end(rule: Rule, address: int, port: int | None, family: int, holds: bool) -> Assumption:
    """The supposition that of a range the kernel takes one end, or that it does not."""
    text = f"{rule.text} gives the packet {address_text(address, family)}{'' if port is None else f' port {port}'}"
    key = f"nat {rule.span} {address} {port}"
    return Assumption(key=key, holds=holds, text=text if holds else f"not so: {text}", span=rule.span)


def _some(wanted: tuple[int, int] | None, old: int) -> tuple[int, ...] | None:
    if wanted is None:
        return (old,)
    first, last = wanted
    return tuple(range(first, last + 1)) if last - first < MOST_CHOICES else None


def netmap(old: int, prefix: tuple[int, int]) -> int:
    """The address that NETMAP makes of another one: the prefix's network bits, and the rest as it was."""
    host_bits = prefix[0] ^ prefix[1]
    return prefix[0] | (old & host_bits)
