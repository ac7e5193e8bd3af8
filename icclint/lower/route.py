"""Interfaces and routes as shown to those of the typed representation."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from icclint.ir.route import Interface, Route
from icclint.parse.iproute import ShownInterface, ShownRoute
from icclint.source import Gap

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
