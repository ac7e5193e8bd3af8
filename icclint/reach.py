"""Who can open a connection to whom: claim beside effect, for all containers, the host and the outside.

A connection works when its first packet (NEW) and the answers (ESTABLISHED) pass. Containers that are treated alike
make one row, so that a host of thousands has a table that a person can read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from icclint.docker.chains import as_link_rule
from icclint.docker.options import PREFIX
from icclint.docker.publish import Proxy, proxies
from icclint.engine import location, reported_packet
from icclint.ir.host import Host
from icclint.ir.network import Network
from icclint.output.visible import visible
from icclint.packets.box import Box, merged
from icclint.packets.connection import Party, Service, first_packet, follow
from icclint.packets.effect import Effect, families
from icclint.packets.judgement import Judgement, Share
from icclint.packets.packet import PORT_PROTOCOLS, PROTOCOL_NAMES
from icclint.packets.ranges import RangeSet
from icclint.packets.routing import Routing
from icclint.packets.verdict import Verdict
from icclint.report import ReportedLocation, ReportedPacket

_ALL_PORTS = RangeSet.of((1, 65535))

Claim = Literal["open", "closed", "none"]
EffectWord = Literal["all", "some", "none", "unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Services(_Part):
    """What of one protocol passes: ``ports`` are numbers and ranges, empty where all pass or where it has none.

    ``source_ports`` are those that the sender must send from, empty where any will do.
    """

    proto: str
    ports: tuple[str, ...]
    source_ports: tuple[str, ...] = ()

    def words(self) -> str:
        """The services in a few words."""
        source = f"from {','.join(self.source_ports)}" if self.source_ports else ""
        return " ".join(word for word in (self.proto, ",".join(self.ports), source) if word)


class At(_Part):
    """What decides: a rule, a policy or a setting."""

    location: ReportedLocation | None
    text: str


class Row(_Part):
    """Some senders and receivers that are treated alike. ``network`` is the one that the claim is about.

    ``claim`` is Docker's word: ``open``, ``closed``, or ``none`` where it has none. ``effect`` is how much of what they
    could open does work. ``witness`` and ``at`` show it for one packet.
    """

    senders: tuple[str, ...] = Field(serialization_alias="from")
    receivers: tuple[str, ...] = Field(serialization_alias="to")
    network: str
    family: int
    claim: Claim
    effect: EffectWord
    services: tuple[Services, ...]
    witness: ReportedPacket | None
    at: At | None

    @property
    def disagrees(self) -> bool:
        """Whether the claim says one thing and the effect another."""
        return (self.claim, self.effect) in {
            ("open", "none"),
            ("open", "some"),
            ("closed", "all"),
            ("closed", "some"),
        }


class Table(_Part):
    """All rows of a host, and what the table leaves out."""

    rows: tuple[Row, ...]
    not_covered: tuple[str, ...]

    def text(self) -> Iterator[str]:
        """The table for people, line by line; ``!`` marks the rows where claim and effect disagree."""
        head = ("", "FROM", "TO", "NETWORK", "", "CLAIM", "EFFECT", "SERVICES")
        lines = [head] + [_cells(row) for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        for line in lines:
            yield "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        yield from (f"not covered: {visible(text)}" for text in self.not_covered)


def _cells(row: Row) -> tuple[str, ...]:
    services = "; ".join(service.words() for service in row.services)
    return (
        "!" if row.disagrees else "",
        visible(_names(row.senders)),
        visible(_names(row.receivers)),
        visible(row.network),
        f"IPv{row.family}",
        row.claim,
        row.effect,
        services,
    )


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


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


def reach(host: Host) -> Table:
    """The table of a host."""
    effect = Effect(host)
    rows = [row for row in _rows(host, effect) if row.senders and row.receivers]
    return Table(rows=tuple(rows), not_covered=tuple(_not_covered(host)))


def _not_covered(host: Host) -> Iterator[str]:
    if host.networks is None:
        yield "containers, since no output of `docker network inspect` was captured"
    for network in host.networks or ():
        if network.bridge is None and network.endpoints:
            yield f"network {network.name}, since its driver {network.driver} does not use the host's bridges"


def _rows(host: Host, effect: Effect) -> Iterator[Row]:
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


def _across(host: Host, effect: Effect, network: Network, family: int, inside: _Group) -> Iterator[Row]:
    """From the containers of other bridge networks, by the containers' own addresses."""
    mode = network.options.get(f"{PREFIX}bridge.gateway_mode_ipv{family}")
    claim: Claim = "none" if mode in ("routed", "nat-unprotected") else "closed"
    for other in host.bridges:
        if other.bridge != network.bridge and family in families(other):
            senders = _Group(_endpoints(other, family))
            yield from _blocks(effect, effect.between(other, network, family), senders, inside, network, claim)


def _outside(effect: Effect, network: Network, family: int, inside: _Group) -> Iterator[Row]:
    mode = network.options.get(f"{PREFIX}bridge.gateway_mode_ipv{family}")
    closed: Claim = "none" if mode in ("routed", "nat-unprotected") and not network.internal else "closed"
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
) -> Iterator[Row]:
    """One row for each class of senders and receivers that are treated alike."""
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
            yield _row(effect, senders, receivers, network, claim, judgement, box, works, doubt)


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


def _row(
    effect: Effect,
    senders: _Group,
    receivers: _Group,
    network: Network,
    claim: Claim,
    judgement: Judgement,
    box: Box,
    works: list[tuple[Share, Box]],
    doubt: bool,
) -> Row:
    boxes = [part for _, part in works]
    word: EffectWord = "unknown" if doubt else "none"
    if boxes:
        word = "some" if box.minus(boxes) else "all"
    linked = bool(works) and all(_is_link(effect.host, network, share) for share, _ in works)
    shares = [share for share, _ in works] or judgement.shares(Verdict.DROPPED) + judgement.shares(Verdict.REJECTED)
    shown = shares[0] if shares else None
    return Row(
        senders=senders.labels(box.source),
        receivers=receivers.labels(box.destination),
        network=network.name,
        family=judgement.packets.family,
        # What a link opens is what it is for; whether it is still wanted is another question.
        claim="none" if linked else claim,
        effect=word,
        services=tuple(_services(boxes)) if word == "some" else (),
        witness=reported_packet(shown.witness) if shown else None,
        at=At(location=location(shown.decision.span) if shown.decision.span else None, text=shown.decision.text)
        if shown
        else None,
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


def _services(boxes: list[Box]) -> Iterator[Services]:
    """What passes, by protocol and by the ports that it must be sent from."""
    found: dict[tuple[int, RangeSet], RangeSet] = {}
    for box in merged(boxes):
        for protocol in box.protocol.first(256):
            key = (protocol, box.source_port)
            found[key] = found.get(key, RangeSet()) | box.destination_port
    for (protocol, source_ports), ports in sorted(found.items(), key=lambda item: (item[0][0], item[0][1].ranges)):
        name = PROTOCOL_NAMES.get(protocol)
        if name is not None:
            numbered = protocol in PORT_PROTOCOLS
            yield Services(
                proto=name,
                ports=_ports(ports) if numbered else (),
                source_ports=_ports(source_ports) if numbered else (),
            )


def _ports(ports: RangeSet) -> tuple[str, ...]:
    """Ports as numbers and ranges; none where all are meant."""
    return () if ports == _ALL_PORTS else tuple(_range(*one) for one in ports.ranges)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _published(host: Host, effect: Effect) -> Iterator[Row]:
    """From outside to a published port of the host, and on to the container."""
    for proxy in proxies(host):
        routing = Routing(host, proxy.address.version)
        interface = effect.outside_interfaces[0] if effect.outside_interfaces else "eth0"
        own = routing.address_of(interface)
        if own is None or proxy.host_address not in (None, ip_address(own)):
            continue
        holder = next((n, e) for n in host.bridges for e in n.endpoints if proxy.address in e.addresses)
        yield _published_row(host, effect, proxy, interface, own, holder[0], holder[1].name)


def _published_row(
    host: Host, effect: Effect, proxy: Proxy, interface: str, own: int, network: Network, name: str
) -> Row:
    to = type(proxy.address)(own)
    packet = first_packet(host, Party("outside", interface=interface), to, Service(proxy.protocol, proxy.host_port))
    passage = follow(host, packet, effect.walk)
    last = passage.last
    word: EffectWord = "unknown" if last.verdict is Verdict.UNKNOWN else "none"
    if last.verdict is Verdict.DELIVERED:
        word = "all"
    port = Services(proto=PROTOCOL_NAMES.get(proxy.protocol, str(proxy.protocol)), ports=(str(proxy.host_port),))
    decided = last.decision
    return Row(
        senders=(f"outside ({interface})",),
        receivers=(f"{name} by {to}",),
        network=network.name,
        family=packet.family,
        claim="open",
        effect=word,
        services=(port,),
        witness=reported_packet(packet),
        at=At(location=location(decided.span) if decided.span else None, text=decided.text),
    )
