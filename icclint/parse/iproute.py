"""The outputs of ``ip addr``, ``ip link``, ``bridge link`` and ``ip route``, as text and as ``-j`` prints them.

Shapes: iproute2, ip/ipaddress.c (print_linkinfo, print_addrinfo), ip/iplink_bridge.c and iplink_bridge_slave.c,
bridge/link.c (print_linkinfo, print_protinfo), ip/iproute.c (print_route).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from icclint.parse.gaps import Gaps, shortened
from icclint.parse.json import JsonText
from icclint.source import Document, Gap, Span


@dataclass(frozen=True, slots=True)
class ShownInterface:
    """One interface as written: addresses with their prefix lengths, ``master`` for a port of a bridge.

    ``details`` are the settings of bridges and ports that ``-d`` shows: ``isolated`` and ``hairpin`` are ``on`` or
    ``off``, ``nf_call_iptables`` and ``nf_call_ip6tables`` are ``1`` or ``0``.
    """

    name: str
    master: str | None
    addresses: tuple[str, ...]
    span: Span
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShownRoute:
    """One route as written. ``destination`` is ``default`` or a prefix; ``words`` are its settings by their name."""

    kind: str
    destination: str
    words: Mapping[str, str]
    span: Span


# `bridge link` of iproute2 before 4.20 has the state in between: `3: veth1 state UP @eth0: <`.
_INTERFACE = re.compile(r"\s*\d+: (?P<name>[^\s:@]+)(?: state \S+ )?(?:@\S+)?: ?<")
_MASTER = re.compile(r"\bmaster (?P<master>\S+)")
_ADDRESS = re.compile(r"\s+inet6? (?P<address>\S+)(?: peer (?P<peer>\S+))?")
# What `ip addr` prints beneath an interface, and nothing here asks for.
_DETAIL = re.compile(r"\s+(?:link/|valid_lft|altname|vlan|bridge|veth|RX|TX|promiscuity|openvswitch|hairpin)")
_SETTING = re.compile(r"\b(?P<name>isolated|hairpin|nf_call_ip6?tables) (?P<value>on|off|[01])\b")
_ROUTE = re.compile(
    r"(?:(?P<kind>unicast|local|broadcast|multicast|anycast|throw|nat|blackhole|unreachable|prohibit)\s+)?"
    r"(?P<destination>default|[0-9A-Fa-f:.]+(?:/\d+)?)(?P<rest>(?:\s.*)?)$"
)


_DEVICE = re.compile(r"\s+(?:via|dev) \S")


def parse_interfaces(document: Document) -> tuple[tuple[ShownInterface, ...], tuple[Gap, ...]]:
    """The interfaces of ``ip addr``, ``ip link`` or ``bridge link``, and the lines that they do not print."""
    interfaces: list[ShownInterface] = []
    gaps = Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        head, address = _INTERFACE.match(line), _ADDRESS.match(line)
        if line.strip() and not (head or (address and interfaces) or _DETAIL.match(line)):
            gaps.foreign(number, "not a line that ip addr, ip link or bridge link prints")
            continue
        gaps.understood()
        if interfaces and not head and not address:
            last = interfaces[-1]
            found = {setting["name"]: setting["value"] for setting in _SETTING.finditer(line)}
            interfaces[-1] = replace(last, details={**last.details, **found}) if found else last
        if head:
            master = _MASTER.search(line)
            span = document.line_span(number)
            interfaces.append(ShownInterface(head["name"], master["master"] if master else None, (), span))
        elif address and interfaces:
            last = interfaces[-1]
            own = address["address"]
            # Of a point-to-point address the prefix belongs to the peer.
            addresses = (*last.addresses, f"{own}/{32 if '.' in own else 128}" if address["peer"] else own)
            interfaces[-1] = replace(last, addresses=addresses)
    return tuple(interfaces), gaps.all()


def parse_routes(document: Document) -> tuple[tuple[ShownRoute, ...], tuple[Gap, ...]]:
    """The routes of ``ip route`` and ``ip -6 route``, and the lines that they do not print."""
    routes: list[ShownRoute] = []
    gaps = Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        found = _ROUTE.match(line)
        span = document.line_span(number)
        if found:
            gaps.understood()
            words = found["rest"].split()
            # Flags such as `onlink` have no value; a name and its value are what is asked for.
            named = {
                name: value for name, value in pairwise(words) if name in ("via", "dev", "metric", "table", "pref")
            }
            routes.append(ShownRoute(found["kind"] or "unicast", found["destination"], named, span))
        elif line.strip() and not line.startswith((" ", "\t")):
            gaps.foreign(number, "not a line that ip route prints")
    return tuple(routes), gaps.all()


class _Address(BaseModel):
    local: str
    prefixlen: int


class _LinkInfo(BaseModel):
    info_data: dict[str, Any] = {}
    info_slave_data: dict[str, Any] = {}


_SWITCHES = frozenset(("nf_call_iptables", "nf_call_ip6tables"))


class _Interface(BaseModel):
    ifname: str
    master: str | None = None
    # A link without an address of its own is printed with empty objects.
    addr_info: list[_Address | dict[str, Any]] = []
    linkinfo: _LinkInfo = _LinkInfo()
    isolated: bool | None = None
    hairpin: bool | None = None

    @property
    def details(self) -> dict[str, str]:
        """The settings that `ShownInterface` has, which ``ip`` and ``bridge`` have in different places."""
        port = {"isolated": self.isolated, "hairpin": self.hairpin} | self.linkinfo.info_slave_data
        bridge = self.linkinfo.info_data
        found = {name: "on" if port[name] else "off" for name in ("isolated", "hairpin") if port[name] is not None}
        return found | {name: str(bridge[name]) for name in _SWITCHES & bridge.keys()}


class _Route(BaseModel):
    type: str = "unicast"
    dst: str
    gateway: str | None = None
    dev: str | None = None
    metric: int | None = None
    table: str | None = None
    pref: str | None = None


def read_interfaces(text: JsonText) -> tuple[tuple[ShownInterface, ...], tuple[Gap, ...]]:
    """The interfaces of ``ip -j addr``, ``ip -j link`` or ``bridge -j link``, and what they do not print."""
    found, gaps = _read(text, _Interface)
    shown = (
        ShownInterface(
            value.ifname,
            value.master,
            tuple(f"{a.local}/{a.prefixlen}" for a in value.addr_info if isinstance(a, _Address)),
            span,
            value.details,
        )
        for value, span in found
    )
    return tuple(shown), gaps


def read_routes(text: JsonText) -> tuple[tuple[ShownRoute, ...], tuple[Gap, ...]]:
    """The routes of ``ip -j route``, and what it does not print."""
    found, gaps = _read(text, _Route)
    names = {"via": "gateway", "dev": "dev", "metric": "metric", "table": "table", "pref": "pref"}
    shown = (
        ShownRoute(
            value.type,
            value.dst,
            {word: str(said) for word, name in names.items() if (said := getattr(value, name)) is not None},
            span,
        )
        for value, span in found
    )
    return tuple(shown), gaps


Model = TypeVar("Model", _Interface, _Route)


def _read(text: JsonText, model: type[Model]) -> tuple[list[tuple[Model, Span]], tuple[Gap, ...]]:
    found: list[tuple[Model, Span]] = []
    gaps = list(text.gaps)
    for index, value in enumerate(text.value) if isinstance(text.value, list) else ():
        span = text.spans[index,]
        try:
            found.append((model.model_validate(value), span))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(key) for key in problem["loc"])
            gaps.append(Gap(span, shortened(where), f"left out: {shortened(where)}: {problem['msg'].lower()}"))
    return found, tuple(gaps)


def looks_like_interfaces(line: str) -> bool:
    """Whether a line heads an interface."""
    return _INTERFACE.match(line) is not None


def looks_like_routes(line: str) -> bool:
    """Whether a line is a route with its device, its gateway, or a kind that sends nothing."""
    found = _ROUTE.match(line)
    return found is not None and (found["kind"] is not None or _DEVICE.match(found["rest"]) is not None)
