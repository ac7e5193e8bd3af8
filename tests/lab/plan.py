"""Which packets are sent on a host: everybody to everybody, by every address that leads there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.lab import world
from tests.lab.probes import ICMP, LAYER2, Port, Probe, Service, Way
from tests.lab.scenario import Coverage
from tests.lab.truth import Attachment, Participant, PathName

CONTAINER_SERVICES: tuple[Service, ...] = (("tcp", 80), ("tcp", 9999), ("udp", 5353))
HOST_SERVICES: tuple[Service, ...] = (("tcp", 22), ("udp", 5353))
LAN_SERVICES: tuple[Service, ...] = (("tcp", 80), ("udp", 5353))

EXPOSED, NOT_EXPOSED = 80, 9999
"""Ports of linked containers. Packets from the one to the other are the answering half of a link."""

Gateways = dict[str, tuple[str, ...]]
"""The host's own addresses on its bridges, by network."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The probes of one capture. ``containers`` are those that packets are sent from and to, by name."""

    containers: Mapping[str, Participant]
    gateways: Gateways
    coverage: Coverage

    def probes(self) -> Iterator[Probe]:
        """All of them, in the order in which they are sent."""
        yield from self._between_containers()
        yield from self._from_containers()
        yield from self._to_containers()
        yield from self._from_lan_to_host()
        yield from self._to_published_ports()

    # -- from container to container ---------------------------------------

    def _between_containers(self) -> Iterator[Probe]:
        for source, sender in self.containers.items():
            for target, receiver in self.containers.items():
                if source != target:
                    for network, end in receiver.networks.items():
                        own = sender.networks.get(network)
                        if own:
                            yield from self._shared(source, target, network, own, end)
                        else:
                            yield from self._routed(source, target, network, end)

    def _routed(self, source: str, target: str, network: str, end: Attachment) -> Iterator[Probe]:
        for address in _claimed(end):
            way = Way(source, target, "routed", address, network, shared=False)
            yield from _to(way, self._ports(CONTAINER_SERVICES))

    def _shared(self, source: str, target: str, network: str, own: Attachment, end: Attachment) -> Iterator[Probe]:
        """All that can be sent from one end of a network to another."""
        ports = self._ports(CONTAINER_SERVICES)
        for address in _claimed(end):
            yield from _to(Way(source, target, "bridge", address, network, shared=True), ports)
        for address in end.unclaimed:
            yield from _to(Way(source, target, "unclaimed-address", address, network, shared=True), ports)
        if self.coverage is Coverage.FULL:
            if end.ipv4:
                way = Way(source, target, "bridge", end.ipv4, network, shared=True)
                yield Probe(way, "tcp", NOT_EXPOSED, source_port=EXPOSED)
            yield from self._on_the_link(source, target, network, own, end)

    def _on_the_link(self, source: str, target: str, network: str, own: Attachment, end: Attachment) -> Iterator[Probe]:
        """What is good on one network only: link-local addresses, and frames without IP."""
        if end.mac is None:
            return
        if end.ipv6 and end.link_local:
            way = Way(source, target, "link-local", end.link_local, network, shared=True, interface=own.interface)
            yield from _to(way, self._ports(CONTAINER_SERVICES))
        way = Way(source, target, "layer2", None, network, shared=True, mac=end.mac, interface=own.interface)
        yield from _to(way, (LAYER2,))

    # -- between containers, host and LAN ----------------------------------

    def _from_containers(self) -> Iterator[Probe]:
        host_ports, lan_ports = self._ports(HOST_SERVICES), self._ports(LAN_SERVICES)
        for source, facts in self.containers.items():
            for network, address in self._reachable_gateways(facts):
                if ":" not in address or self._has_ipv6:
                    path: PathName = "own-gateway" if network in facts.networks else "other-gateway"
                    yield from _to(Way(source, "host", path, address, network), host_ports)
            yield from _to(Way(source, "host", "host-lan-ip", world.HOST), host_ports)
            yield from _to(Way(source, "lan", "lan", world.LAN), lan_ports)
            yield from _to(Way(source, "lan", "beyond-lan", world.BEYOND), lan_ports[:1])
            if any(end.ipv6 for end in facts.networks.values()):
                yield from _to(Way(source, "host", "host-lan-ip", world.HOST6), host_ports)
                yield from _to(Way(source, "lan", "lan", world.LAN6), lan_ports)

    def _to_containers(self) -> Iterator[Probe]:
        for target, facts in self.containers.items():
            for network, end in facts.networks.items():
                for address in _claimed(end):
                    for source in ("host", "lan"):
                        way = Way(source, target, "direct", address, network)
                        yield from _to(way, self._ports(CONTAINER_SERVICES))

    def _from_lan_to_host(self) -> Iterator[Probe]:
        for address in (world.HOST, world.HOST6) if self._has_ipv6 else (world.HOST,):
            yield from _to(Way("lan", "host", "host-lan-ip", address), self._ports(HOST_SERVICES))

    # -- to published ports ------------------------------------------------

    def _to_published_ports(self) -> Iterator[Probe]:
        for target, facts in self.containers.items():
            for published in facts.published:
                port: Port = ("udp" if published.proto == "udp" else "tcp", published.host_port)
                for way in self._ways_to_published(target, published.text, ":" in published.host_ip):
                    yield from _to(way, (port,))

    def _ways_to_published(self, target: str, published: str, ipv6: bool) -> Iterator[Way]:
        """All ways to a port that is published in one family."""
        address, loopback = (world.HOST6, "::1") if ipv6 else (world.HOST, "127.0.0.1")
        yield Way("lan", target, "published-lan-ip", address, published=published)
        yield Way("host", target, "published-lan-ip", address, published=published)
        yield Way("host", target, "published-loopback", loopback, published=published)
        for source, facts in self.containers.items():
            yield Way(source, target, "published-lan-ip", address, published=published)
            for network, gateway in self._reachable_gateways(facts):
                if (":" in gateway) == ipv6:
                    own = network in facts.networks
                    path: PathName = "published-own-gateway" if own else "published-other-gateway"
                    yield Way(source, target, path, gateway, network, published=published)

    # -- what there is -----------------------------------------------------

    def _ports(self, services: tuple[Service, ...]) -> tuple[Port, ...]:
        return (*services, ICMP) if self.coverage is Coverage.FULL else (services[0], ICMP)

    def _reachable_gateways(self, facts: Participant) -> Iterator[tuple[str, str]]:
        """Networks and their gateways: a container's own, and those of others unless few packets are sent."""
        for network, addresses in self.gateways.items():
            if self.coverage is Coverage.FULL or network in facts.networks:
                for address in addresses:
                    yield network, address

    @property
    def _has_ipv6(self) -> bool:
        return any(end.ipv6 for facts in self.containers.values() for end in facts.networks.values())


def _claimed(end: Attachment) -> Iterator[str]:
    """The addresses that the engine claims."""
    yield from (address for address in (end.ipv4, end.ipv6) if address)


def _to(way: Way, ports: Iterable[Port]) -> Iterator[Probe]:
    for protocol, port in ports:
        yield Probe(way, protocol, port)
