"""Who can open a connection to whom: for each class of containers, the host and the outside, claim and effect.

A connection works when its first packet (NEW) and the answers (ESTABLISHED) pass. Containers that are treated alike
make one relation, so that a host of thousands has few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import islice
from typing import Literal

from icclint.docker.chains import as_link_rule
from icclint.docker.options import gateway_mode
from icclint.docker.publish import Publication, proxies
from icclint.ir.host import Host
from icclint.ir.network import Network
from icclint.packets.box import Box
from icclint.packets.connection import Party, Service, first_packet, follow
from icclint.packets.effect import Effect, families
from icclint.packets.judgement import Judgement, PacketClass, Share
from icclint.packets.packet import Packet
from icclint.packets.ranges import RangeSet
from icclint.packets.routing import Routing
from icclint.packets.verdict import Decision, Verdict

Claim = Literal["open", "closed", "none"]
Extent = Literal["all", "some", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Passing:
    """Connections that work: the services, one of their first packets, and what lets it pass."""

    services: Box
    witness: Packet
    decision: Decision


@dataclass(frozen=True, slots=True)
class Relation:
    """Some senders and receivers that are treated alike, by name.

    ``sender_network`` is the network that the senders send by, and ``receiver_network`` that of the receivers; None for
    the host and the outside. ``network`` is the one that the claim is about: ``open``, ``closed``, or ``none`` where
    Docker has no word on it. ``packets`` are those that could open a connection between them, ``passing`` those that
    do; ``doubtful`` tells that more may. ``shown`` is one packet and what decides on it, where there is one to show.
    """

    senders: tuple[str, ...]
    sender_network: str | None
    receivers: tuple[str, ...]
    receiver_network: str | None
    network: str
    claim: Claim
    packets: PacketClass
    passing: tuple[Passing, ...]
    doubtful: bool
    shown: tuple[Packet, Decision] | None

    @property
    def is_published(self) -> bool:
        """Whether a published port of the host is the only service that is asked for."""
        return self.packets.box.destination_port.size == 1

    @property
    def extent(self) -> Extent:
        """How much of what they could open does work."""
        if not self.passing:
            return "unknown" if self.doubtful else "none"
        return "some" if self.packets.box.minus(one.services for one in self.passing) else "all"


@dataclass(frozen=True)
class _Group:
    """One end of a judged class: the names of its addresses, or one name for all of them."""

    names: dict[int, str] | None
    name: str = ""

    def addresses(self, whole: RangeSet) -> RangeSet:
        """The addresses that the table speaks of."""
        return whole if self.names is None else RangeSet.single(*self.names) & whole

    def labels(self, addresses: RangeSet) -> tuple[str, ...]:
        """The names of some of its addresses."""
        if self.names is None:
            return (self.name,)
        return tuple(sorted(name for address, name in self.names.items() if address in addresses))


def relations(host: Host) -> Iterator[Relation]:
    """All relations of a host."""
    effect = Effect(host)
    return (found for found in _relations(host, effect) if found.senders and found.receivers)


def _relations(host: Host, effect: Effect) -> Iterator[Relation]:
    for network in host.bridges:
        for family in families(network):
            inside = _Group(_endpoints(network, family))
            claim: Claim = "open" if network.icc else "closed"
            yield from _blocks(effect, effect.within(network, family), inside, inside, network, claim)
            yield from _across(host, effect, network, family, inside)
            yield from _outside(effect, network, family, inside)
            if any(gateway.version == family for gateway in network.gateways):
                own = _Group(None, "host")
                yield from _blocks(effect, effect.to_host(network, family), inside, own, network, "none")
                yield from _blocks(effect, effect.from_host(network, family), own, inside, network, "none")
    yield from _published(host, effect)


def _across(host: Host, effect: Effect, network: Network, family: int, inside: _Group) -> Iterator[Relation]:
    """From the containers of other bridge networks, by the containers' own addresses."""
    claim: Claim = "none" if gateway_mode(network, family) in ("routed", "nat-unprotected") else "closed"
    for other in host.bridges:
        if other.bridge != network.bridge and family in families(other):
            senders = _Group(_endpoints(other, family))
            yield from _blocks(effect, effect.between(other, network, family), senders, inside, network, claim)


def _outside(effect: Effect, network: Network, family: int, inside: _Group) -> Iterator[Relation]:
    opened = gateway_mode(network, family) in ("routed", "nat-unprotected") and not network.internal
    closed: Claim = "none" if opened else "closed"
    for interface in effect.outside_interfaces:
        beyond = _Group(None, f"outside ({interface})")
        out: Claim = "closed" if network.internal else "open"
        yield from _blocks(effect, effect.outbound(network, interface, family), inside, beyond, network, out)
        yield from _blocks(effect, effect.inbound(interface, network, family), beyond, inside, network, closed)


def _endpoints(network: Network, family: int) -> dict[int, str]:
    return {
        int(address): endpoint.name
        for endpoint in network.endpoints
        if (address := endpoint.address(family)) is not None
    }


def _blocks(
    effect: Effect, judgement: Judgement, senders: _Group, receivers: _Group, network: Network, claim: Claim
) -> Iterator[Relation]:
    """One relation for each class of senders and receivers that are treated alike."""
    there = [share for share in judgement.shares(Verdict.DELIVERED) if share.end is None]
    standing = {assumption.key for assumption in judgement.standing}
    sure = [share for share in there if standing.issuperset(a.key for a in share.assumptions)]
    maybe = [share for share in (*there, *judgement.shares(Verdict.UNKNOWN)) if share not in sure]
    whole = judgement.packets.box
    cut = [box for share in (*sure, *maybe) for box in share.boxes]
    for sources in _alike(senders.addresses(whole.source), [box.source for box in cut]):
        for targets in _alike(receivers.addresses(whole.destination), [box.destination for box in cut]):
            if senders is receivers and sources == targets and sources.size == 1:
                continue
            pair = {"source": sources, "destination": targets}
            box = whole & pair
            if box is None:
                continue
            # A reply must pass too, or nothing is open.
            works = [(s, b) for s in sure for one in s.boxes for b in _answered(effect, judgement, s, one & pair)]
            doubt = any((one & pair) is not None for share in maybe for one in share.boxes)
            yield _relation(effect, senders, receivers, network, claim, judgement, box, works, doubt)


def _answered(effect: Effect, judgement: Judgement, share: Share, box: Box | None) -> Iterator[Box]:
    """The part of a box whose answers pass as well."""
    if box is None:
        return
    for answers in effect.replies(judgement, share).shares(Verdict.DELIVERED):
        for answer in answers.boxes:
            both = box & {
                "source": answer.destination,
                "destination": answer.source,
                "protocol": answer.protocol,
                "source_port": answer.destination_port,
                "destination_port": answer.source_port,
            }
            if both is not None:
                yield both


def _alike(addresses: RangeSet, cuts: Iterable[RangeSet]) -> Iterator[RangeSet]:
    """The addresses in classes that no cut tells apart."""
    classes = [addresses] if addresses else []
    for cut in dict.fromkeys(cuts):
        classes = [part for one in classes for part in (one & cut, one - cut) if part]
    yield from sorted(classes, key=lambda one: one.least)


def _relation(
    effect: Effect,
    senders: _Group,
    receivers: _Group,
    network: Network,
    claim: Claim,
    judgement: Judgement,
    box: Box,
    works: list[tuple[Share, Box]],
    doubt: bool,
) -> Relation:
    linked = bool(works) and all(_is_link(effect.host, network, share) for share, _ in works)
    sender_network = effect.host.network_of_bridge(judgement.packets.in_interface or "")
    shares = [share for share, _ in works] or judgement.shares(Verdict.DROPPED) + judgement.shares(Verdict.REJECTED)
    return Relation(
        senders=senders.labels(box.source),
        sender_network=sender_network.name if sender_network else None,
        receivers=receivers.labels(box.destination),
        receiver_network=None if receivers.names is None else network.name,
        network=network.name,
        # What a link opens is what it is for; whether it is still wanted is another question.
        claim="none" if linked else claim,
        packets=replace(judgement.packets, box=box),
        passing=tuple(Passing(part, share.witness, share.decision) for share, part in works),
        doubtful=doubt,
        shown=(shares[0].witness, shares[0].decision) if shares else None,
    )


def _is_link(host: Host, network: Network, share: Share) -> bool:
    """Whether a rule lets packets pass for a link that exists, as far as the containers' own inspection tells."""
    link = as_link_rule(share.decision.rule) if share.decision.rule is not None else None
    if link is None:
        return False
    holders = {address: endpoint for endpoint in network.endpoints for address in endpoint.addresses}
    client, server = holders.get(link.client), holders.get(link.server)
    if client is None or server is None:
        return False
    links = [container.links for container in host.containers or () if container.id == client.container]
    return host.containers is None or any(server.name in names for names in links)


def _published(host: Host, effect: Effect) -> Iterator[Relation]:
    """From outside to a published port of the host, and on to the container."""
    for proxy in proxies(host):
        routing = Routing(host, proxy.address.version)
        interface = effect.outside_interfaces[0] if effect.outside_interfaces else "eth0"
        own = routing.address_of(interface)
        if own is None or not proxy.listens_on(ip_address(own)):
            continue
        # A rule that was left behind may lead to an address that nobody has.
        holders = ((n, e.name) for n in host.bridges for e in n.endpoints if proxy.address in e.addresses)
        for network, name in islice(holders, 1):
            yield _published_relation(host, effect, proxy, interface, own, network, name)


def _published_relation(
    host: Host, effect: Effect, proxy: Publication, interface: str, own: int, network: Network, name: str
) -> Relation:
    to = type(proxy.address)(own)
    packet = first_packet(host, Party("outside", interface=interface), to, Service(proxy.protocol, proxy.host_port))
    last = follow(host, packet, effect.walk).last
    asked = Box(
        source=RangeSet.single(packet.source),
        destination=RangeSet.single(packet.destination),
        protocol=RangeSet.single(proxy.protocol),
        source_port=RangeSet.of((1, 65535)),
        destination_port=RangeSet.single(proxy.host_port),
    )
    delivered = last.verdict is Verdict.DELIVERED
    return Relation(
        senders=(f"outside ({interface})",),
        sender_network=None,
        receivers=(f"{name} by {to}",),
        receiver_network=network.name,
        network=network.name,
        claim="open",
        packets=PacketClass(packet.family, interface, None, False, asked),
        passing=(Passing(asked, packet, last.decision),) if delivered else (),
        doubtful=last.verdict is Verdict.UNKNOWN,
        shown=(packet, last.decision),
    )
