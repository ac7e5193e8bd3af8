"""The first packet of a connection from one party to another, all the way.

Netfilter's tables are a part of that way. Before them stands the sender's own routing, which picks the network that a
container sends by; behind them may stand a docker-proxy, which takes the connection and makes another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from icclint.docker.publish import proxies
from icclint.ir.container import Container
from icclint.ir.host import Host
from icclint.ir.network import Network
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, SYN, TCP, Packet, address_text
from icclint.packets.routing import OUTSIDE, Routing
from icclint.packets.verdict import Decision, Trace, Verdict

Address = IPv4Address | IPv6Address

SOMEBODY = {4: ip_address("203.0.113.1"), 6: ip_address("2001:db8:ffff::1")}
"""Who sends from outside where nobody in particular is asked about: documentation's own prefixes (RFC 5737, 3849)."""
_LINK_LOCAL = ip_network("fe80::/10")


_PAST_THE_HOST = ("macvlan", "ipvlan")
"""Drivers whose containers are on the wire themselves (drivers/net/macvlan.c, drivers/net/ipvlan)."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who sends or is sent to: a container (on one of its networks), the host, or somebody beyond an interface.

    ``kind`` is ``container``, ``host`` or ``outside``. ``interface`` is the one that an outsider is beyond.
    """

    kind: str
    container: str = ""
    network: Network | None = None
    address: Address | None = None
    interface: str = OUTSIDE


@dataclass(frozen=True, slots=True)
class Service:
    """What is asked for: a protocol, ports where it has them, ICMP type and code where it is ICMP."""

    protocol: int
    port: int | None = None
    source_port: int | None = None
    icmp: tuple[int, int] | None = None
    state: str = "NEW"
    mark: int = 0


class NoWayError(Exception):
    """The sender's own routing leads nowhere, so that no host sees a packet."""


class NotSeenError(Exception):
    """The packet does not pass the host's tables in a way that the capture tells of."""


def first_packet(host: Host, sender: Party, address: Address, service: Service) -> Packet:
    """The packet that a party sends to an address.

    Raises `NoWayError` where its own routing leads nowhere, and `NotSeenError` where its network is no bridge.
    """
    family = address.version
    past = next((n for n in host.networks or () if n.driver in _PAST_THE_HOST and _on(n, address)), None)
    if past is not None:
        raise NotSeenError(
            f"{address} is on network {past.name}, whose driver {past.driver} meets no bridge of the host's"
        )
    ports = service.protocol in PORT_PROTOCOLS
    source, in_interface, out_interface = _leave(host, sender, address)
    return Packet(
        family=family,
        in_interface=in_interface,
        out_interface=out_interface,
        bridged=in_interface is not None and in_interface == out_interface,
        source=int(source),
        destination=int(address),
        protocol=service.protocol,
        source_port=(40000 if service.source_port is None else service.source_port) if ports else None,
        destination_port=(80 if service.port is None else service.port) if ports else None,
        icmp=(service.icmp or {ICMP: (8, 0), ICMPV6: (128, 0)}[service.protocol])
        if service.protocol in (ICMP, ICMPV6)
        else None,
        tcp_flags=SYN if service.protocol == TCP else None,
        state=service.state,
        mark=service.mark,
    )


def _leave(host: Host, sender: Party, address: Address) -> tuple[Address, str | None, str | None]:
    """Source, in and out interface of a party's packet, as the host sees it come."""
    routing = Routing(host, address.version)
    if sender.kind == "host":
        way = routing.decide(int(address))
        own = int(address) if way.kind == "local" else routing.address_of(way.interface or "")
        return sender.address or (address if own is None else type(address)(own)), None, None
    if sender.kind == "outside":
        return sender.address or SOMEBODY[address.version], sender.interface, None
    network = sender.network
    if network is None or sender.address is None:
        raise NoWayError(f"container {sender.container} has no IPv{address.version} address to send from")
    if network.bridge is None:
        raise NotSeenError(f"what containers send by driver {network.driver} meets no bridge of the host's")
    on_link = address in _LINK_LOCAL if address.version == 6 else False
    if on_link or any(address in subnet for subnet in network.subnets):
        own = int(address) in routing.local or address in network.gateways
        return sender.address, network.bridge, None if own else network.bridge
    if not _leads_out(host, sender, network, address.version):
        raise NoWayError(f"container {sender.container} has no default route by network {network.name}")
    return sender.address, network.bridge, None


def _leads_out(host: Host, sender: Party, network: Network, family: int) -> bool:
    """Whether a container has a default route by a network; engines since 25.0 give internal networks none."""
    container = next((c for c in host.containers or () if c.name == sender.container), None)
    places = [place for place in container.attachments if place.network == network.name] if container else []
    return all(family in place.default_routes for place in places)


def _on(network: Network, address: Address) -> bool:
    return any(address in endpoint.addresses for endpoint in network.endpoints)


@dataclass(frozen=True, slots=True)
class Passage:
    """The way of a connection's first packet: one trace, and another one for what a docker-proxy makes of it."""

    legs: tuple[Trace, ...]
    packets: tuple[Packet, ...]

    @property
    def last(self) -> Trace:
        """The trace in which the way ends."""
        return self.legs[-1]


def follow(host: Host, packet: Packet, walk: Callable[[Packet], Trace]) -> Passage:
    """The way of a packet through the tables, and on by a docker-proxy where one listens at its end."""
    first = walk(packet)
    onward = _handed_on(host, packet, first)
    if onward is None:
        return Passage((first,), (packet,))
    second = walk(onward)
    standing = tuple(a for a in first.assumptions if a not in second.assumptions)
    return Passage((first, second.model_copy(update={"assumptions": standing + second.assumptions})), (packet, onward))


def _handed_on(host: Host, packet: Packet, trace: Trace) -> Packet | None:
    """The packet that a docker-proxy sends for one that was delivered to the host; None where none listens."""
    delivery = trace.delivery
    if trace.verdict is not Verdict.DELIVERED or delivery is None or delivery.interface is not None:
        return None
    here = address_text(delivery.address, packet.family)
    for proxy in proxies(host):
        if (proxy.protocol, proxy.host_port) != (packet.protocol, delivery.port):
            continue
        if not proxy.listens_on(ip_address(here)):
            continue
        return first_packet(host, Party("host"), proxy.address, Service(proxy.protocol, proxy.port))
    return None


def container_of(host: Host, name: str) -> Container | None:
    """The container whose network another one shares, by ``--network container:``, or the container itself."""
    found = next((c for c in host.containers or () if c.name == name), None)
    if found is None or not found.network_mode.startswith("container:"):
        return found
    owner = found.network_mode.removeprefix("container:")
    return next((c for c in host.containers or () if owner in (c.id, c.name)), None)


def nowhere(text: str) -> Trace:
    """The end of a packet that its sender's own routing has no way for."""
    return Trace(verdict=Verdict.DROPPED, decision=Decision(by="setting", text=text, span=None), steps=())


def unseen(text: str) -> Trace:
    """The end of a packet of which the capture cannot tell."""
    return Trace(verdict=Verdict.UNKNOWN, decision=Decision(by="absent", text=text, span=None), steps=())
