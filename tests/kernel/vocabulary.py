"""What rules of either family call things, so that one text serves both."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from icclint.packets.packet import ICMP, ICMPV6
from tests.kernel.lab import FAMILIES, GATEWAYS, HOST, A, B, C

DCCP, SCTP, UDPLITE, GRE, OSPF = 33, 132, 136, 47, 89
ICMPS = {4: ICMP, 6: ICMPV6}
ECHO = {4: 8, 6: 128}
_ICMP_WORDS: dict[int, dict[str, object]] = {
    4: {"icmp": "icmp", "icmp_type": "--icmp-type", "reply": 0, "unreachable": 3},
    6: {"icmp": "icmpv6", "icmp_type": "--icmpv6-type", "reply": 129, "unreachable": 1},
}
_PROHIBITED = {4: "icmp-admin-prohibited", 6: "icmp6-adm-prohibited"}


def gateway(family: int) -> int:
    """The host's address on the first bridge."""
    return int(ip_interface(GATEWAYS["br0"][FAMILIES.index(family)]).ip)


def words(family: int) -> dict[str, object]:
    """The words for ``str.format_map``: addresses, and names that differ between the families."""
    outside = ip_address(HOST.addresses[family][2])
    a, b, c = (ip_address(station.addresses[family][0]) for station in (A, B, C))
    return {
        "a": a,
        "b": b,
        "c": c,
        "net": ip_interface(GATEWAYS["br0"][FAMILIES.index(family)]).network,
        "gateway": ip_address(gateway(family)),
        "b2": ip_address(B.addresses[family][1]),
        # As DNAT and SNAT want an address that a port follows.
        **{f"{name}_at": at if family == 4 else f"[{at}]" for name, at in (("b", b), ("c", c), ("outside", outside))},
        "nowhere": "203.0.113.9" if family == 4 else "2001:db8:9::9",
        "echo": ECHO[family],
        "idle": '-m comment --comment "idle"',
        "prohibited": _PROHIBITED[family],
        **_ICMP_WORDS[family],
    }
