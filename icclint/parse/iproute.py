"""The outputs of ``ip addr`` and ``ip route``, as text and as ``ip -j`` prints them.

Shapes: iproute2, ip/ipaddress.c (print_addrinfo) and ip/iproute.c (print_route).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from icclint.parse.json import JsonText
from icclint.source import Document, Gap, Span


@dataclass(frozen=True, slots=True)
class ShownInterface:
    """One interface as written: addresses with their prefix lengths, ``master`` for a port of a bridge."""

    name: str
    master: str | None
    addresses: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ShownRoute:
    """One route as written. ``destination`` is ``default`` or a prefix; ``words`` are its settings by their name."""

    kind: str
    destination: str
    words: Mapping[str, str]
    span: Span


_INTERFACE = re.compile(r"\d+: (?P<name>[^\s:@]+)(?:@\S+)?: <")
_MASTER = re.compile(r"\bmaster (?P<master>\S+)")
_ADDRESS = re.compile(r"\s+inet6? (?P<address>\S+)(?: peer (?P<peer>\S+))?")
# What `ip addr` prints beneath an interface, and nothing here asks for.
_DETAIL = re.compile(r"\s+(?:link/|valid_lft|altname|vlan|bridge|veth|RX|TX|promiscuity|openvswitch)")
_ROUTE = re.compile(
    r"(?:(?P<kind>unicast|local|broadcast|multicast|anycast|throw|nat|blackhole|unreachable|prohibit)\s+)?"
    r"(?P<destination>default|[0-9A-Fa-f:.]+(?:/\d+)?)(?P<rest>(?:\s.*)?)$"
)


_DEVICE = re.compile(r"\s+(?:via|dev) \S")


def parse_interfaces(document: Document) -> tuple[tuple[ShownInterface, ...], tuple[Gap, ...]]:
    """The interfaces of ``ip addr``, and the lines that it does not print."""
    interfaces: list[ShownInterface] = []
    gaps: list[Gap] = []
    for number, line in enumerate(document.lines, start=1):
        head, address = _INTERFACE.match(line), _ADDRESS.match(line)
        if head:
            master = _MASTER.search(line)
            span = document.line_span(number)
            interfaces.append(ShownInterface(head["name"], master["master"] if master else None, (), span))
        elif address and interfaces:
            last = interfaces[-1]
            own = address["address"]
            # Of a point-to-point address the prefix belongs to the peer.
            addresses = (*last.addresses, f"{own}/{32 if '.' in own else 128}" if address["peer"] else own)
            interfaces[-1] = ShownInterface(last.name, last.master, addresses, last.span)
        elif line.strip() and not _DETAIL.match(line):
            gaps.append(Gap(document.line_span(number), line.strip(), "not a line that ip addr prints"))
    return tuple(interfaces), tuple(gaps)


def parse_routes(document: Document) -> tuple[tuple[ShownRoute, ...], tuple[Gap, ...]]:
    """The routes of ``ip route`` and ``ip -6 route``, and the lines that they do not print."""
    routes: list[ShownRoute] = []
    gaps: list[Gap] = []
    for number, line in enumerate(document.lines, start=1):
        found = _ROUTE.match(line)
        span = document.line_span(number)
        if found:
            words = found["rest"].split()
            # Flags such as `onlink` have no value; a name and its value are what is asked for.
            named = {
                name: value for name, value in pairwise(words) if name in ("via", "dev", "metric", "table", "pref")
            }
            routes.append(ShownRoute(found["kind"] or "unicast", found["destination"], named, span))
        elif line.strip() and not line.startswith((" ", "\t")):
            gaps.append(Gap(span, line.strip(), "not a line that ip route prints"))
    return tuple(routes), tuple(gaps)


def read_interfaces(text: JsonText) -> tuple[ShownInterface, ...]:
    """The interfaces of ``ip -j addr``."""
    return tuple(
        ShownInterface(
            str(value["ifname"]),
            value.get("master"),
            tuple(f"{a['local']}/{a['prefixlen']}" for a in value.get("addr_info", ()) if "local" in a),
            text.spans[path],
        )
        for path, value in _objects(text)
        if "ifname" in value
    )


def read_routes(text: JsonText) -> tuple[ShownRoute, ...]:
    """The routes of ``ip -j route``."""
    names = {"via": "gateway", "dev": "dev", "metric": "metric", "table": "table", "pref": "pref"}
    return tuple(
        ShownRoute(
            str(value.get("type", "unicast")),
            str(value["dst"]),
            {word: str(value[name]) for word, name in names.items() if name in value},
            text.spans[path],
        )
        for path, value in _objects(text)
        if "dst" in value
    )


def _objects(text: JsonText) -> Iterator[tuple[tuple[int], dict[str, Any]]]:
    if isinstance(text.value, list):
        for index, value in enumerate(text.value):
            if isinstance(value, dict):
                yield (index,), value


def looks_like_interfaces(line: str) -> bool:
    """Whether a line heads an interface."""
    return _INTERFACE.match(line) is not None


def looks_like_routes(line: str) -> bool:
    """Whether a line is a route with its device, its gateway, or a kind that sends nothing."""
    found = _ROUTE.match(line)
    return found is not None and (found["kind"] is not None or _DEVICE.match(found["rest"]) is not None)
