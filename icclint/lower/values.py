"""Words of rulesets to numbers: what iptables and nftables print alike.

Each function raises ValueError for a word that is not what it should be.
"""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_pton

from icclint.ir.match import Range

NUMBER = re.compile(r"[0-9]{1,10}")
"""A number that is small enough for any field."""

PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipv4": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9, "pup": 12,
    "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38,
    "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "skip": 57,
    "ipv6-icmp": 58, "icmpv6": 58, "icmp6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88,
    "ospf": 89, "ospfigp": 89, "ax.25": 93, "ipip": 94, "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108,
    "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133, "mobility-header": 135, "mh": 135, "ipv6-mh": 135,
    "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142,
    "ethernet": 143,
}  # fmt: skip
"""Names that iptables prints for protocol numbers (/etc/protocols; libxtables/xtables.c, xtables_chain_protos)."""


def address_number(text: str, family: int) -> int:
    """An address of a family, as a number."""
    try:
        return int.from_bytes(inet_pton(AF_INET if family == 4 else AF_INET6, text))
    except OSError:
        raise ValueError(text) from None


def range_of_subnet(text: str, family: int) -> Range:
    """An address with or without a prefix length or a mask."""
    address, slash, mask = text.partition("/")
    bits = 32 if family == 4 else 128
    start = address_number(address, family)
    if not slash:
        return start, start
    if NUMBER.fullmatch(mask):
        if int(mask) > bits:
            raise ValueError(text)
        host = (1 << (bits - int(mask))) - 1
    else:
        host = ~address_number(mask, family) & ((1 << bits) - 1)
        if host & (host + 1):
            raise ValueError(f"a mask with holes: {text}")
    return start & ~host, start | host


def ordered(first: int, last: int) -> Range:
    """A range by its ends."""
    if first > last:
        raise ValueError("a range that ends before it starts")
    return first, last


def range_of_ports(text: str) -> Range:
    """`80`, `80:90`, `:90`, `80:`."""
    first, colon, last = text.partition(":")
    low = int(first) if first else 0
    high = (int(last) if last else 65535) if colon else low
    if not (first or colon) or high > 65535:
        raise ValueError(text)
    return ordered(low, high)


def protocol_number(text: str) -> int:
    """A protocol by its number or its name; not 0, which stands for all of them."""
    number = int(text) if NUMBER.fullmatch(text) else PROTOCOLS.get(text.lower(), -1)
    if not 0 < number < 256:
        raise ValueError(text)
    return number
