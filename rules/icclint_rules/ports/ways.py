"""The ways from outside to a container's port, and who publishes it: shared by the rules of this family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from icclint.api import (
    PROTOCOL_NAMES,
    TRUSTED_INTERFACES,
    Effect,
    Endpoint,
    Host,
    Judgement,
    Network,
    PortForward,
    PortOpening,
    Publication,
    Share,
    Verdict,
    as_port_opening,
    once,
    port_forwards,
    publications,
)
from icclint_rules.proof import arriving, opened_on_purpose, tool

Address = IPv4Address | IPv6Address
Binding = tuple[Address | None, int]
"""A port of the host: its address (None is every one) and its number."""


@dataclass(frozen=True, slots=True)
class Way:
    """Packets from beyond an interface that get to a container."""

    interface: str
    judgement: Judgement
    share: Share


def direct_ways(effect: Effect, network: Network, family: int) -> Iterator[Way]:
    """The packets from outside to its containers' own addresses that pass, but for those that an option asks for.

    What swarm's routing mesh opens asks for no network and is left out, and so is what is no service (ICMP).
    """
    trusted = network.options.get(TRUSTED_INTERFACES, "").split(":")
    for interface in effect.outside_interfaces:
        if interface in trusted:
            continue
        judgement = effect.inbound(interface, network, family)
        for share in arriving(judgement):
            rule = share.decision.rule
            mesh = rule is not None and rule.chain == "DOCKER-INGRESS"
            service = share.witness.destination_port is not None
            if service and not mesh and not opened_on_purpose(network, family, share):
                yield Way(interface, judgement, share)


@dataclass(frozen=True, slots=True)
class OpenedPort:
    """A published port that packets to the container's own address reach, by the rule that opens it."""

    way: Way
    opening: PortOpening
    bindings: tuple[Binding, ...]

    @property
    def only_on_loopback(self) -> bool:
        """Whether nobody but the host's own programs is meant to reach it."""
        return all(address is not None and address.is_loopback for address, _ in self.bindings)


def opened_ports(host: Host, effect: Effect, network: Network, family: int) -> list[OpenedPort]:
    """The published ports of a network that are reached from outside at the containers' own addresses.

    Each once, by the first interface.
    """
    found: dict[PortOpening, OpenedPort] = {}
    for way in direct_ways(effect, network, family):
        opening = opening_of(way.share)
        stated = supposed_bindings(host, opening) if opening is not None else []
        if opening is not None and stated:
            found.setdefault(opening, OpenedPort(way, opening, tuple(stated)))
    return list(found.values())


def direct_guard(network: Network, opening: PortOpening) -> str:
    """The command that puts in the rule with which engines since 28.2 guard a container's own address."""
    to = f"{opening.address}/{opening.address.max_prefixlen}"
    return f"{tool(opening.address.version)} -t raw -A PREROUTING -d {to} ! -i {network.bridge} -j DROP"


def questions(effect: Effect, publication: Publication) -> Iterator[tuple[str, Judgement]]:
    """What becomes of packets from outside to a published port of the host's, by each interface."""
    bound, family = publication.host_address, publication.address.version
    for interface in effect.outside_interfaces:
        address = effect.own_address(interface, family) if bound is None else int(bound)
        if address is not None and (bound is None or bound.version == family):
            yield (
                interface,
                effect.to_port(interface, address, publication.protocol, publication.host_port, family),
            )


def redirected_ways(effect: Effect, publication: Publication) -> Iterator[Way]:
    """The packets from outside to a published port of the host's that get to the container, by DNAT or docker-proxy."""
    for interface, judgement in questions(effect, publication):
        for share in judgement.shares(Verdict.DELIVERED):
            if leads_to(effect, share, publication):
                yield Way(interface, judgement, share)


def leads_to(effect: Effect, share: Share, publication: Publication) -> bool:
    """Whether packets for the host end at the container that publishes a port."""
    to = (int(publication.address), publication.port)
    if share.end is not None:
        return share.end.address == to[0] and share.end.port in (None, to[1])
    # Not redirected, so a docker-proxy may take them.
    last = effect.follow(share).last
    arrived = last.delivery if last.verdict is Verdict.DELIVERED else None
    return arrived is not None and (arrived.address, arrived.port) == to


def stated_publications(host: Host) -> list[Publication]:
    """The published ports that rules of table nat carry out, and those that only a container states."""
    carried_out = [forward.publication for forward in port_forwards(host)]
    known = {(found.protocol, found.host_address, found.host_port) for found in carried_out}
    others = (f for f in publications(host) if (f.protocol, f.host_address, f.host_port) not in known)
    return list(dict.fromkeys((*carried_out, *others)))


def forward_of(host: Host, publication: Publication) -> PortForward | None:
    """The DNAT of a published port."""
    return _forwards(host).get(publication)


@once
def _forwards(host: Host) -> Mapping[Publication, PortForward]:
    # Of two that are the same, the first is asked.
    return {forward.publication: forward for forward in reversed(port_forwards(host))}


def opening_of(share: Share) -> PortOpening | None:
    """The published port whose ACCEPT lets packets pass; None where something else does."""
    rule = share.decision.rule
    return as_port_opening(share.witness.family, rule) if rule is not None else None


def bindings(host: Host, address: Address, protocol: int, port: int) -> list[Binding] | None:
    """The ports of the host by which the container at an address says that it publishes one of its own.

    None where the capture does not hold the container's own word.
    """
    containers = host.containers or ()
    endpoint = holder(host, address)
    found = [container for container in containers if endpoint is not None and container.id == endpoint.container]
    if not found:
        # Where a network does not list its containers, one may itself say that it has the address.
        found = [c for c in containers if any(address in place.addresses for place in c.attachments)]
    if not found:
        return None
    name = PROTOCOL_NAMES.get(protocol, "")
    return [(p.host_address, p.host_port) for p in found[0].published if (p.protocol, p.port) == (name, port)]


def supposed_bindings(host: Host, opening: PortOpening) -> list[Binding]:
    """The same for the port that a rule opens, by the rules of table nat where the container's word is missing."""
    stated = bindings(host, opening.address, opening.protocol, opening.port)
    if stated is not None:
        return stated
    return _carried_out(host).get((opening.address, opening.protocol, opening.port), [])


@once
def _carried_out(host: Host) -> Mapping[tuple[Address, int, int], list[Binding]]:
    """The ports of the host that rules of table nat redirect, by where to."""
    found: dict[tuple[Address, int, int], list[Binding]] = {}
    for forward in port_forwards(host):
        to = forward.publication
        found.setdefault((to.address, to.protocol, to.port), []).append((to.host_address, to.host_port))
    return found


def network_of(host: Host, address: Address) -> Network | None:
    """The bridge network that an address is on."""
    return next((network for network in host.bridges if any(address in subnet for subnet in network.subnets)), None)


def holder(host: Host, address: Address) -> Endpoint | None:
    """Who has an address on a bridge network."""
    return _holders(host).get(address)


@once
def _holders(host: Host) -> Mapping[Address, Endpoint]:
    found: dict[Address, Endpoint] = {}
    for network in host.bridges:
        for endpoint in network.endpoints:
            for address in endpoint.addresses:
                found.setdefault(address, endpoint)
    return found


def named(host: Host, address: Address) -> str:
    """A container's name in quotes, or its address where nobody has it."""
    endpoint = holder(host, address)
    return f"'{endpoint.name}'" if endpoint else str(address)


def service(protocol: int, port: int) -> str:
    """A port as people write it: ``8080/tcp``."""
    return f"{port}/{PROTOCOL_NAMES.get(protocol, str(protocol))}"


def host_port(publication: Publication) -> str:
    """A published port of the host as people write it: ``127.0.0.1:8080/tcp``."""
    text = service(publication.protocol, publication.host_port)
    bound = publication.host_address
    if bound is None:
        return text
    return f"[{bound}]:{text}" if bound.version == 6 else f"{bound}:{text}"
