"""What a host's rules do with the packets that a claim of Docker is about.

A claim names networks; here stand the classes of packets that it means, and what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, cached_property
from ipaddress import ip_network

from icclint.docker.publish import Publication
from icclint.ir.host import Host
from icclint.ir.match import InterfaceMatch
from icclint.ir.network import Address, Endpoint, Network
from icclint.packets.box import Box, any_address
from icclint.packets.connection import SOMEBODY, NoWayError, Party, Passage, Service, first_packet, follow
from icclint.packets.firewall import Firewall, firewall
from icclint.packets.judgement import Judgement, PacketClass, Share
from icclint.packets.knowledge import routed_addresses, subnet_range
from icclint.packets.packet import ICMP, ICMPV6, SYN, Packet
from icclint.packets.ranges import Range, RangeSet
from icclint.packets.sets import judge
from icclint.packets.verdict import Assumption, Trace
from icclint.packets.walk import walk

_OPENING_ICMP = {4: (8, 13, 15, 17), 6: (128, 139)}
"""The ICMP types that conntrack lets open a flow: others are INVALID or RELATED, and neighbour discovery is UNTRACKED
(net/netfilter/nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c)."""
_ICMP_OF = {4: ICMP, 6: ICMPV6}
_ICMP_OF_THE_OTHER = {4: ICMPV6, 6: ICMP}
_LINK_LOCAL = ip_network("fe80::/10")
_NOT_UNICAST: dict[int, tuple[Range, ...]] = {
    4: ((0, 0x00FFFFFF), (0x7F000000, 0x7FFFFFFF), (0xE0000000, 0xFFFFFFFF)),
    6: ((0, 1), (0xFE80 << 112, (0xFEC0 << 112) - 1), (0xFF << 120, (1 << 128) - 1)),
}


class Effect:
    """The effect of a host's rules on the packets of Docker's claims; each answer is worked out once."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.firewall = cache(self._firewall)
        self.judge = cache(self._judge)
        self.judge_untranslated = cache(self._judge_untranslated)

    def within(self, network: Network, family: int) -> Judgement:
        """New connections between two containers of a bridge network."""
        addresses = container_addresses(network, family) - self.firewall(family).routing.local
        return self.judge(
            PacketClass(
                family=family,
                in_interface=network.bridge or "",
                out_interface=network.bridge or "",
                bridged=True,
                box=opening(family, addresses, addresses),
                favourites=_endpoints(network, family),
            )
        )

    def linked(self, network: Network, client: Address, server: Address) -> Judgement:
        """New connections from one address of a bridge network to another one, as between the ends of a link."""
        ends = (int(client), int(server))
        box = opening(client.version, RangeSet.single(ends[0]), RangeSet.single(ends[1]))
        bridge = network.bridge or ""
        return self.judge(PacketClass(client.version, bridge, bridge, bridged=True, box=box, favourites=ends))

    def by_published_port(self, network: Network, sender: Endpoint, proxy: Publication) -> Passage | None:
        """A connection from a container to a port that another one publishes; None where no address leads there.

        It goes to the host's own address on the sender's network, or else to the one that the port is published on.
        """
        for source in sender.addresses:
            own = self.firewall(source.version).routing.address_of(network.bridge or "")
            here = type(source)(own) if own is not None else None
            target = here if here is not None and proxy.listens_on(here) else proxy.host_address
            if target is None or target.is_unspecified or target.is_loopback or target.version != source.version:
                continue
            party = Party("container", sender.name, network, source)
            try:
                packet = first_packet(self.host, party, target, Service(proxy.protocol, proxy.host_port))
            except NoWayError:
                continue
            return follow(self.host, packet, self.walk)
        return None

    def between(self, source: Network, destination: Network, family: int) -> Judgement:
        """New connections from a container of one bridge network to a container of another, by its own address."""
        return self.judge(
            PacketClass(
                family=family,
                in_interface=source.bridge or "",
                out_interface=destination.bridge or "",
                bridged=False,
                box=opening(family, routed_addresses(source, family), _targets(destination, family)),
                # Networks may overlap.
                favourites=tuple(dict.fromkeys(_endpoints(source, family) + _endpoints(destination, family))),
            )
        )

    def outbound(self, network: Network, interface: str, family: int) -> Judgement:
        """New connections from a container of a bridge network to addresses beyond an interface of the host."""
        box = opening(family, routed_addresses(network, family), self._outside_addresses(family))
        return self.judge(
            PacketClass(family, network.bridge or "", interface, False, box, favourites=_endpoints(network, family))
        )

    def inbound(self, interface: str, network: Network, family: int) -> Judgement:
        """New connections from addresses beyond an interface of the host to a container of a bridge network."""
        box = opening(family, self._outside_addresses(family), _targets(network, family))
        likely = (int(SOMEBODY[family]), *_endpoints(network, family))
        return self.judge(PacketClass(family, interface, network.bridge or "", False, box, favourites=likely))

    def to_host(self, network: Network, family: int) -> Judgement:
        """New connections from a container of a bridge network to the host by its address on that network."""
        own = RangeSet.single(*(int(g) for g in network.gateways if g.version == family))
        box = opening(family, routed_addresses(network, family), own)
        return self.judge(
            PacketClass(family, network.bridge or "", None, False, box, favourites=_endpoints(network, family))
        )

    def from_host(self, network: Network, family: int) -> Judgement:
        """New connections from the host to a container of a bridge network."""
        own = RangeSet.single(*(int(g) for g in network.gateways if g.version == family))
        box = opening(family, own, _targets(network, family))
        return self.judge(
            PacketClass(family, None, network.bridge or "", False, box, favourites=_endpoints(network, family))
        )

    def to_port(self, interface: str, address: int, protocol: int, port: int, family: int) -> Judgement:
        """New connections from addresses beyond an interface to a port of one of the host's own addresses."""
        return _to_service(self.judge(self._inward(interface, None, address, family)), protocol, port)

    def to_port_untranslated(self, interface: str, address: int, protocol: int, port: int, family: int) -> Judgement:
        """What would become of the packets of `to_port` if table nat left them alone, so that they met INPUT."""
        return _to_service(self.judge_untranslated(self._inward(interface, None, address, family)), protocol, port)

    def to_container_port(
        self, interface: str, network: Network, address: int, protocol: int, port: int, family: int
    ) -> Judgement:
        """New connections from beyond an interface to a port of an address on a network, whoever has it."""
        return _to_service(self.judge(self._inward(interface, network.bridge, address, family)), protocol, port)

    def _inward(self, interface: str, out_interface: str | None, address: int, family: int) -> PacketClass:
        box = opening(family, self._outside_addresses(family), RangeSet.single(address))
        return PacketClass(family, interface, out_interface, False, box, favourites=(int(SOMEBODY[family]),))

    def own_address(self, interface: str, family: int) -> int | None:
        """An address of the host's by which somebody beyond an interface can ask it; None where none is known."""
        routing = self.firewall(family).routing
        gateways = (int(g) for network in self.host.bridges for g in network.gateways if g.version == family)
        own = routing.address_of(interface)
        return own if own is not None else next((g for g in gateways if g in routing.local), None)

    def follow(self, share: Share) -> Passage:
        """The way of a share's witness, and on by a docker-proxy where one takes it."""
        return follow(self.host, share.witness, lambda packet: self.walk(packet, share.assumptions))

    def replies(self, judgement: Judgement, share: Share) -> Judgement:
        """The answers to some packets of a class, which conntrack calls ESTABLISHED."""
        packets = judgement.packets
        there = packets.box
        return self.judge(
            replace(
                packets,
                in_interface=packets.out_interface,
                out_interface=packets.in_interface,
                box=Box(
                    source=there.destination,
                    destination=there.source,
                    protocol=there.protocol,
                    source_port=there.destination_port,
                    destination_port=there.source_port,
                ),
                state="ESTABLISHED",
                translated_back=share.masked,
            )
        )

    @cached_property
    def outside_interfaces(self) -> tuple[str, ...]:
        """Interfaces that lead out of the host: those that it has, or else those that rules name, and ``eth0``."""
        if self.host.interfaces is not None:
            inside = {network.bridge for network in self.host.bridges}
            shown = [interface for interface in self.host.interfaces if interface.master is None]
            return tuple(sorted(i.name for i in shown if i.name not in inside and not i.name.startswith(_INSIDE)))
        return self._named_interfaces()

    def _named_interfaces(self) -> tuple[str, ...]:
        named = {
            match.pattern
            for ruleset in self.host.rulesets
            for table in ruleset.tables.values()
            for chain in table.chains.values()
            for rule in chain.rules
            for match in rule.matches
            if isinstance(match, InterfaceMatch) and not match.pattern.endswith("+")
        }
        inside = {network.bridge for network in self.host.bridges}
        return tuple(sorted({name for name in named - inside if not name.startswith(_INSIDE)} | {"eth0"}))

    def trace(self, share: Share) -> Trace:
        """The way of a share's witness, on which it gets the share's verdict."""
        return self.walk(share.witness, share.assumptions)

    def walk(self, packet: Packet, assumptions: tuple[Assumption, ...] = ()) -> Trace:
        """The way of one packet; a bridged frame meets the tables unless the capture says otherwise."""
        rules = self.firewall(packet.family)
        switch = rules.bridge_netfilter(packet.in_interface)
        given = tuple(a for a in assumptions if a not in rules.standing)
        known = {assumption.key for assumption in given}
        seen = (switch,) if isinstance(switch, Assumption) and packet.bridged and switch.key not in known else ()
        return walk(rules, packet, seen + given)

    def _firewall(self, family: int) -> Firewall:
        return firewall(self.host, family)

    def _judge(self, packets: PacketClass) -> Judgement:
        return judge(self.firewall(packets.family), packets)

    def _judge_untranslated(self, packets: PacketClass) -> Judgement:
        return judge(self.firewall(packets.family).without("nat"), packets)

    def _outside_addresses(self, family: int) -> RangeSet:
        subnets = [subnet_range(subnet) for network in self.host.bridges for subnet in network.subnets_of(family)]
        return any_address(family) - RangeSet.of(*subnets, *_NOT_UNICAST[family]) - self.firewall(family).routing.local


# Bridges of networks that are gone, docker's own and the containers' ends lead nowhere outside.
_INSIDE = ("br-", "docker", "veth", "lo")


def opening(family: int, sources: RangeSet, destinations: RangeSet) -> Box:
    """The packets that open a connection, or a flow, between some addresses."""
    types = _OPENING_ICMP[family]
    return Box(
        source=sources,
        destination=destinations,
        protocol=RangeSet.of((1, 255)) - RangeSet.single(_ICMP_OF_THE_OTHER[family]),
        source_port=RangeSet.of((1, 65535)),
        destination_port=RangeSet.of((1, 65535)),
        icmp=RangeSet.of(*((kind * 256, kind * 256 + 255) for kind in types)),
        tcp_flags=RangeSet.single(SYN),
    )


def _to_service(judgement: Judgement, protocol: int, port: int) -> Judgement:
    """The packets of a class that are for one port."""
    found = judgement.narrowed({"protocol": RangeSet.single(protocol), "destination_port": RangeSet.single(port)})
    assert found is not None
    return found


def container_addresses(network: Network, family: int) -> RangeSet:
    """The addresses that containers of a network can have towards each other, link-local ones included."""
    found = routed_addresses(network, family)
    return found | RangeSet.of(subnet_range(_LINK_LOCAL)) if family == 6 else found


def _targets(network: Network, family: int) -> RangeSet:
    """The addresses that somebody elsewhere could want to reach: those in use, and all of them while none is.

    Engines since 28.0 guard each container by rules of its own, written when it starts, so an address that nobody has
    is less guarded than any container will be.
    """
    return RangeSet.single(*_endpoints(network, family)) or routed_addresses(network, family)


def families(network: Network) -> Iterator[int]:
    """The address families in which a network connects its containers."""
    if network.subnets_of(4) or not network.ipv6:
        yield 4
    if network.ipv6:
        yield 6


def _endpoints(network: Network, family: int) -> tuple[int, ...]:
    return tuple(int(address) for e in network.endpoints if (address := e.address(family)) is not None)
