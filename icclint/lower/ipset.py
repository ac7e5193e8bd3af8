"""Sets as shown to those of the typed representation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from icclint.ir.ipset import DIMENSIONS, IpSet, SetMember
from icclint.lower.values import protocol_number
from icclint.parse.gaps import shortened
from icclint.parse.ipset import ShownMember, ShownSet
from icclint.source import Gap

# What a set may be made with that changes nothing of what is in it (man ipset, GENERIC CREATE AND ADD OPTIONS).
_WITH_A_VALUE = frozenset((
    "family", "range", "netmask", "hashsize", "maxelem", "bucketsize", "initval", "timeout", "size", "probes", "resize",
))  # fmt: skip
_ALONE = frozenset(("counters", "comment", "skbinfo", "forceadd"))


_ICMP_NAMES = {
    1: {
        "echo-reply": (0, 0), "network-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2),
        "port-unreachable": (3, 3), "fragmentation-needed": (3, 4), "source-route-failed": (3, 5),
        "network-unknown": (3, 6), "host-unknown": (3, 7), "network-prohibited": (3, 9), "host-prohibited": (3, 10),
        "TOS-network-unreachable": (3, 11), "TOS-host-unreachable": (3, 12), "communication-prohibited": (3, 13),
        "host-precedence-violation": (3, 14), "precedence-cutoff": (3, 15), "source-quench": (4, 0),
        "network-redirect": (5, 0), "host-redirect": (5, 1), "TOS-network-redirect": (5, 2),
        "TOS-host-redirect": (5, 3), "echo-request": (8, 0), "router-advertisement": (9, 0),
        "router-solicitation": (10, 0), "ttl-zero-during-transit": (11, 0), "ttl-zero-during-reassembly": (11, 1),
        "ip-header-bad": (12, 0), "required-option-missing": (12, 1), "timestamp-request": (13, 0),
        "timestamp-reply": (14, 0), "address-mask-request": (17, 0), "address-mask-reply": (18, 0),
    },
    58: {
        "no-route": (1, 0), "communication-prohibited": (1, 1), "address-unreachable": (1, 3),
        "port-unreachable": (1, 4), "packet-too-big": (2, 0), "ttl-zero-during-transit": (3, 0),
        "ttl-zero-during-reassembly": (3, 1), "bad-header": (4, 0), "unknown-header-type": (4, 1),
        "unknown-option": (4, 2), "echo-request": (128, 0), "echo-reply": (129, 0), "router-solicitation": (133, 0),
        "router-advertisement": (134, 0), "neighbour-solicitation": (135, 0), "neighbour-advertisement": (136, 0),
        "redirect": (137, 0),
    },
}  # fmt: skip
"""What ipset prints for types with their codes, by protocol (ipset, lib/icmp.c and lib/icmpv6.c)."""


def lower_set(shown: ShownSet) -> tuple[IpSet, list[Gap]]:
    """A set. A member that cannot be read is a gap, and makes that the members are not known."""
    options = _options(shown.options)
    gaps: list[Gap] = []
    understood = shown.complete and options is not None
    family = {"inet": 4, "inet6": 6}.get((options or {}).get("family", "inet"))
    members: list[SetMember] | None = None
    if understood and shown.type in DIMENSIONS and family is not None:
        members = []
        for member in shown.members:
            try:
                members.append(_member(shown.type, member, family, (options or {}).get("netmask")))
            except ValueError:
                gaps.append(Gap(member.span, shortened(member.text), f"not a member of a set of type {shown.type}"))
    found = IpSet(
        name=shown.name,
        type=shown.type,
        family=None if shown.type in ("bitmap:port", "list:set") else family,
        members=None if members is None or gaps else tuple(members),
        sets=tuple(member.text for member in shown.members) if shown.type == "list:set" and understood else (),
        span=shown.span,
    )
    return found, gaps


def joined_sets(sets: Iterable[IpSet], gaps: list[Gap]) -> tuple[IpSet, ...]:
    """Each set once, in the order of their names; of two that differ the first one stands, and the other is a gap."""
    known: dict[str, IpSet] = {}
    for found in sets:
        first = known.setdefault(found.name, found)
        if first is not found and _content(first) != _content(found):
            reason = f"set {found.name} differs from {first.span}, which is analysed instead"
            gaps.append(Gap(found.span, found.name, reason))
    return tuple(known[name] for name in sorted(known))


def _content(found: IpSet) -> object:
    """What is in a set; the order in which the kernel shows its members says nothing."""
    return found.type, found.family, None if found.members is None else set(found.members), found.sets


def _options(words: tuple[str, ...]) -> dict[str, str] | None:
    """The options of a set by their names; None where there is one that is not known."""
    found: dict[str, str] = {}
    left = iter(words)
    for word in left:
        if word in _WITH_A_VALUE:
            found[word] = next(left, "")
        elif word not in _ALONE:
            return None
    return found


def _member(kind: str, shown: ShownMember, family: int, netmask: str | None) -> SetMember:
    """Raises ValueError for what cannot be read."""
    parts = shown.text.split(",")
    dimensions = DIMENSIONS[kind]
    if len(parts) != len(dimensions):
        raise ValueError(shown.text)
    addresses: list[tuple[int, int]] = []
    protocol, port = None, None
    for dimension, part in zip(dimensions, parts, strict=True):
        if dimension == "address":
            addresses.append(_addresses(part, family, netmask))
        elif kind == "bitmap:port":
            port = _number(part, 65535)
        else:
            protocol, port = _service(part)
    return SetMember(tuple(addresses), protocol, port, shown.excluded)


def _addresses(text: str, family: int, netmask: str | None) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if last:
        ends = ip_address(first), ip_address(last)
        if {end.version for end in ends} != {family} or int(ends[0]) > int(ends[1]):
            raise ValueError(text)
        return int(ends[0]), int(ends[1])
    network = ip_network(text if netmask is None or "/" in text else f"{text}/{netmask}", strict=False)
    if network.version != family:
        raise ValueError(text)
    return int(network[0]), int(network[-1])


_ICMP = re.compile(r"(?P<type>\d+)/(?P<code>\d+)")


def _service(text: str) -> tuple[int, int]:
    """A protocol with its port; for ICMP and ICMPv6 type and code as one number, or their name."""
    name, separator, port = text.partition(":")
    if not separator:
        return 6, _number(text, 65535)
    protocol = protocol_number(name)
    if protocol not in (1, 58):
        return protocol, _number(port, 65535)
    if numbers := _ICMP.fullmatch(port):
        return protocol, _number(numbers["type"], 255) * 256 + _number(numbers["code"], 255)
    if port not in _ICMP_NAMES[protocol]:
        raise ValueError(text)
    kind, code = _ICMP_NAMES[protocol][port]
    return protocol, kind * 256 + code


def _number(text: str, most: int) -> int:
    number = int(text)
    if not 0 <= number <= most:
        raise ValueError(text)
    return number
