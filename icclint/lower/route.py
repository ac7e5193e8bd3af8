"""Interfaces and routes as shown to those of the typed representation."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface, ip_network

from icclint.ir.bridge import BridgePort, BridgeSwitch
from icclint.ir.route import Interface, Route
from icclint.parse.iproute import ShownInterface, ShownRoute
from icclint.source import Gap

_CALLS = {"nf_call_iptables": 4, "nf_call_ip6tables": 6}
_EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


def lower_interface(shown: ShownInterface) -> tuple[Interface, list[Gap]]:
    """An interface. An address that cannot be read is a gap; the interface stays."""
    addresses = []
    gaps = []
    for text in shown.addresses:
        try:
            addresses.append(ip_interface(text))
        except ValueError:
            gaps.append(Gap(shown.span, text, "not an address"))
    return Interface(name=shown.name, master=shown.master, addresses=tuple(addresses), span=shown.span), gaps


def lower_port(shown: ShownInterface) -> BridgePort | None:
    """The port that an interface is; None for one that is no port of a bridge."""
    if shown.master is None:
        return None
    isolated, hairpin = (_is_on(shown.details.get(name)) for name in ("isolated", "hairpin"))
    return BridgePort(name=shown.name, bridge=shown.master, isolated=isolated, hairpin=hairpin, span=shown.span)


def joined_ports(ports: Iterable[BridgePort]) -> tuple[BridgePort, ...]:
    """Each port once, in the order of their names; what one command leaves out another one may show."""
    known: dict[str, BridgePort] = {}
    for port in ports:
        first = known.setdefault(port.name, port)
        shown = {"isolated": port.isolated, "hairpin": port.hairpin}
        told = {name: said for name, said in shown.items() if getattr(first, name) is None and said is not None}
        if told:
            known[port.name] = first.model_copy(update={**told, "span": port.span})
    return tuple(known[name] for name in sorted(known))


def _is_on(word: str | None) -> bool | None:
    return None if word is None else word == "on"


def lower_switch(shown: ShownInterface) -> BridgeSwitch | None:
    """The switches of a bridge, where they were shown."""
    if shown.details.keys().isdisjoint(_CALLS):
        return None
    families = frozenset(family for name, family in _CALLS.items() if shown.details.get(name) == "1")
    return BridgeSwitch(bridge=shown.name, families=families, span=shown.span)


def lower_route(shown: ShownRoute) -> Route | Gap | None:
    """A route of table main, or a gap where it cannot be read; None for a route of another table.

    ``ip route`` prints table main unless it is asked for more; what table local holds follows from the addresses.
    """
    if shown.words.get("table", "main") not in ("main", "254") or shown.kind in ("local", "broadcast", "multicast"):
        return None
    try:
        gateway = ip_address(shown.words["via"]) if "via" in shown.words else None
        metric = int(shown.words.get("metric", "0"))
        everywhere = shown.destination == "default"
        return Route(
            destination=_EVERYWHERE[_family(shown)] if everywhere else ip_network(shown.destination),
            kind=shown.kind,
            interface=shown.words.get("dev"),
            gateway=gateway,
            metric=metric,
            span=shown.span,
        )
    except ValueError:
        return Gap(shown.span, shown.destination, "not a route that can be read")


def _family(shown: ShownRoute) -> int:
    """The family of a default route: its gateway's, else IPv6 where it has the preference that only IPv6 prints."""
    if "via" in shown.words:
        return ip_address(shown.words["via"]).version
    return 6 if "pref" in shown.words else 4
