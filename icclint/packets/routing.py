"""Where the host sends a packet: to itself, out by an interface, or nowhere.

Table local is asked before table main, and the longest prefix wins (ip-rule(8); net/ipv4/fib_rules.c). Policy routing
beyond that is not captured and not supposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network

from icclint.ir.host import Host
from icclint.packets.box import any_address
from icclint.packets.knowledge import subnet_range
from icclint.packets.packet import address_text
from icclint.packets.ranges import Range, RangeSet
from icclint.packets.verdict import Assumption, Decision
from icclint.source import Span

LOOPBACK = "lo"
_LOOPBACK_RANGE: dict[int, Range] = {4: (0x7F000000, 0x7FFFFFFF), 6: (1, 1)}

_NUMBER = re.compile(r"\s*[0-9]{1,10}\s*")
_MULTICAST = {4: RangeSet.of((0xE0000000, 0xEFFFFFFF)), 6: RangeSet.of((0xFF << 120, (1 << 128) - 1))}

OUTSIDE = "eth0"
"""The interface to addresses of no network where no route was captured; it stands for any that no rule names."""


@dataclass(frozen=True, slots=True)
class Way:
    """What routing decides: ``local``, ``forward`` by an interface, or ``none``; and what that supposes."""

    kind: str
    interface: str | None = None
    text: str = ""
    span: Span | None = None
    assumption: Assumption | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    subnet: IPv4Network | IPv6Network
    kind: str
    interface: str | None
    metric: int
    span: Span | None


@dataclass(frozen=True)
class Routing:
    """The routing of a host for one family, from captured addresses and routes, else from Docker's networks."""

    host: Host
    family: int

    @cached_property
    def local(self) -> RangeSet:
        """The addresses that are known to be the host's own."""
        own = [int(a.ip) for i in self.host.interfaces or () for a in i.addresses if a.version == self.family]
        gateways = [int(g) for network in self.host.bridges for g in network.gateways if g.version == self.family]
        # A gateway that is stated and is on no captured interface is not there (its bridge is down or gone).
        known = own if self.host.interfaces is not None else gateways
        return RangeSet.of(_LOOPBACK_RANGE[self.family]) | RangeSet.single(*known)

    def addresses_of_type(self, types: frozenset[str]) -> RangeSet | None:
        """The addresses that ``-m addrtype`` finds to be of some types; None where it asks for types that hang on more.

        The kernel asks table local, and what that does not hold is UNICAST (net/ipv4/fib_frontend.c,
        __inet_dev_addr_type; net/netfilter/xt_addrtype.c, match_lookup_rt6).
        """
        if not types <= {"LOCAL", "BROADCAST", "MULTICAST", "UNICAST"}:
            return None
        special = {"LOCAL": self.local, "BROADCAST": self._broadcast - self.local, "MULTICAST": _MULTICAST[self.family]}
        everything = any_address(self.family)
        of_type = special | {"UNICAST": everything - special["LOCAL"] - special["BROADCAST"] - special["MULTICAST"]}
        found = RangeSet()
        for name in types:
            found = found | of_type[name]
        return found

    @cached_property
    def _broadcast(self) -> RangeSet:
        if self.family == 6:
            return RangeSet()
        subnets: list[IPv4Network | IPv6Network]
        subnets = [a.network for i in self.host.interfaces or () for a in i.addresses if a.version == 4]
        subnets = subnets or [subnet for network in self.host.bridges for subnet in network.subnets_of(4)]
        ends = [int(subnet.broadcast_address) for subnet in subnets if subnet.prefixlen < 31]
        return RangeSet.of((0, 0x00FFFFFF)) | RangeSet.single(0xFFFFFFFF, *ends)

    def address_of(self, interface: str) -> int | None:
        """The primary address of an interface, which MASQUERADE and REDIRECT use; None where it is not known."""
        for shown in self.host.interfaces or ():
            if shown.name == interface:
                return next((int(a.ip) for a in shown.addresses if a.version == self.family), None)
        network = self.host.network_of_bridge(interface)
        gateways = network.gateways if network is not None else ()
        return next((int(gateway) for gateway in gateways if gateway.version == self.family), None)

    def decide(self, address: int) -> Way:
        """What becomes of a packet to an address."""
        if address in self.local:
            return Way("local")
        fitting = [entry for entry in self._entries if _holds(entry.subnet, address)]
        if fitting:
            best = max(fitting, key=lambda entry: (entry.subnet.prefixlen, -entry.metric))
            if best.kind != "unicast" or best.interface is None:
                return Way("none", text=f"route {best.kind} {best.subnet}", span=best.span)
            return Way("forward", best.interface, span=best.span)
        text = address_text(address, self.family)
        if self.host.routes is not None:
            return Way("none", text=f"no route leads to {text}")
        return Way(
            "forward",
            OUTSIDE,
            assumption=Assumption(
                key=f"route {text}",
                holds=True,
                text=f"{text} is beyond the host, by an interface that no rule names",
                capture_with="ip addr; ip route",
            ),
        )

    def refuses(self, source: int, destination: int, interface: str) -> Decision | None:
        """Why the kernel drops a packet that came in by an interface before it is routed; None where it does not.

        Nobody else may send from the host's own addresses, nothing from outside may go to loopback unless
        ``route_localnet`` is set, and with ``rp_filter`` at 1 the way back must be the way in (net/ipv4/fib_frontend.c,
        fib_validate_source; net/ipv4/route.c, ip_route_input_slow).
        """
        if interface == LOOPBACK:
            return None
        if source in self.local:
            text = f"{address_text(source, self.family)} is the host's own address, so nobody else may send from it"
            return Decision(by="setting", text=text, span=None)
        if destination in self.barred(interface):
            return self.not_led_to(destination, interface)
        back = self.decide(source)
        if self.family == 4 and self._setting("rp_filter", interface) == 1 and back.interface != interface:
            text = f"rp_filter of {interface} is 1, and the way back to {address_text(source, 4)} is another"
            return Decision(by="setting", text=text, span=None)
        return None

    def unheard(self, interface: str) -> RangeSet:
        """The addresses from or to which nothing that comes in by an interface meets any table: in IPv6, loopback's
        (net/ipv6/ip6_input.c, ip6_rcv_core).
        """
        return RangeSet.of(_LOOPBACK_RANGE[6]) if self.family == 6 and interface != LOOPBACK else RangeSet()

    def barred(self, interface: str) -> RangeSet:
        """The addresses that nobody beyond an interface may send to: loopback's, unless ``route_localnet`` is set."""
        if interface == LOOPBACK or self._setting("route_localnet", interface) == 1:
            return RangeSet()
        return RangeSet.of(_LOOPBACK_RANGE[self.family])

    def not_led_to(self, destination: int, interface: str) -> Decision:
        """That a packet is dropped for such a destination."""
        text = f"{address_text(destination, self.family)} is loopback's, which {interface} does not lead to"
        return Decision(by="setting", text=text, span=None)

    def _setting(self, name: str, interface: str) -> int:
        """The greater of a setting of all interfaces and of one (Documentation/networking/ip-sysctl.rst)."""
        settings = self.host.sysctls or {}
        words = [settings.get(f"net.ipv4.conf.{where}.{name}") for where in ("all", interface)]
        return max((int(w.value) for w in words if w is not None and _NUMBER.fullmatch(w.value)), default=0)

    @cached_property
    def _entries(self) -> tuple[_Entry, ...]:
        routes = [route for route in self.host.routes or () if route.destination.version == self.family]
        if self.host.routes is not None:
            return tuple(_Entry(r.destination, r.kind, r.interface, r.metric, r.span) for r in routes)
        return tuple(self._connected())

    def _connected(self) -> Iterator[_Entry]:
        """The routes that follow from addresses: each interface reaches its own prefix."""
        for interface in self.host.interfaces or ():
            for address in interface.addresses:
                if address.version == self.family:
                    yield _Entry(address.network, "unicast", interface.name, 0, interface.span)
        for network in self.host.bridges:
            for subnet in network.subnets_of(self.family):
                yield _Entry(subnet, "unicast", network.bridge, 0, network.span_of("IPAM"))


def _holds(subnet: IPv4Network | IPv6Network, address: int) -> bool:
    first, last = subnet_range(subnet)
    return first <= address <= last
