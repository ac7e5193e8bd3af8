"""Who and what a question of ``icclint trace`` names, and the packet that it asks about."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from icclint.ir.host import Host
from icclint.ir.network import Network
from icclint.lower.values import NUMBER, PROTOCOLS
from icclint.packets.connection import Address, Party, Service, container_of, first_packet
from icclint.packets.packet import ICMPV6, Packet
from icclint.packets.routing import OUTSIDE, Routing

_BEYOND = {4: ip_address("198.51.100.1"), 6: ip_address("2001:db8:ffff::2")}
"""An address that nobody has, for a question about the outside as such (RFC 5737, 3849)."""
_NAMES = {"icmpv6": "ipv6-icmp"}


class QuestionError(Exception):
    """A question that names what the capture does not hold, or that makes no sense."""


@dataclass(frozen=True, slots=True)
class Question:
    """One packet, in a user's words.

    ``source`` and ``destination`` are ``container:NAME``, ``container:NAME@NETWORK``, ``host``, ``outside``,
    ``interface:NAME``, an address, or a container's bare name. ``source_address`` is the sender's, where it has
    several.
    """

    source: str
    destination: str
    protocol: str = "tcp"
    port: int | None = None
    source_port: int | None = None
    icmp_type: int | None = None
    state: str = "NEW"
    mark: int = 0
    family: int = 4
    source_address: str | None = None


def packet_of(host: Host, question: Question) -> Packet:
    """The packet that a question asks about.

    Raises `QuestionError` for a question that cannot be asked; `NoWayError` and `NotSeenError` as `first_packet` does.
    """
    to = _destination(host, question)
    sender = _sender(host, question, to)
    protocol = _protocol(question)
    icmp = None if question.icmp_type is None else (question.icmp_type, 0)
    service = Service(protocol, question.port, question.source_port, icmp, question.state, question.mark)
    return first_packet(host, sender, to, service)


def _protocol(question: Question) -> int:
    name = question.protocol.lower()
    if name == "icmp" and question.family == 6:
        return ICMPV6
    number = int(name) if NUMBER.fullmatch(name) else PROTOCOLS.get(_NAMES.get(name, name), 256)
    if number > 255:
        raise QuestionError(f"no protocol has the name {question.protocol!r}")
    return number


def _address(text: str, family: int) -> Address | None:
    """The address that a word is; None where it is a name."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if address.version != family:
        raise QuestionError(f"{text} is not an IPv{family} address; ask with --family {address.version}")
    return address


def _destination(host: Host, question: Question) -> Address:
    word = question.destination
    address = _address(word, question.family)
    if address is not None:
        return address
    if word == "outside":
        return _BEYOND[question.family]
    if word == "host":
        return _host_address(host, question)
    if word.startswith("interface:"):
        own = Routing(host, question.family).address_of(word.removeprefix("interface:"))
        if own is None:
            raise QuestionError(f"the capture does not tell the IPv{question.family} address of {word}")
        return ip_address(own) if question.family == 4 else _BEYOND[6].__class__(own)
    places = _places(host, word, question.family)
    if not places:
        raise QuestionError(f"{word} has no IPv{question.family} address")
    near = _places(host, question.source, question.family) if _is_container(question.source) else []
    shared = [place for place in places if place[0].id in {network.id for network, _ in near}]
    return (shared or places)[0][1]


def _host_address(host: Host, question: Question) -> Address:
    """The host's own address that the sender would use: its gateway, else that of the way out."""
    routing = Routing(host, question.family)
    near = _places(host, question.source, question.family) if _is_container(question.source) else []
    gateways = [g for network, _ in near for g in network.gateways if g.version == question.family]
    if gateways:
        return gateways[0]
    own = routing.address_of(routing.decide(int(_BEYOND[question.family])).interface or "")
    if own is None:
        raise QuestionError(f"the capture does not tell an IPv{question.family} address of the host")
    return _BEYOND[question.family].__class__(own)


def _is_container(word: str) -> bool:
    return word.startswith("container:") or (word not in ("host", "outside") and ":" not in word and not _numeric(word))


def _numeric(word: str) -> bool:
    return word.replace(".", "").isdigit()


def _sender(host: Host, question: Question, to: Address) -> Party:
    word = question.source
    source = _address(question.source_address, question.family) if question.source_address else None
    address = _address(word, question.family)
    if address is not None:
        return _sender_at(host, address)
    if word == "host":
        return Party("host", address=source)
    if word == "outside":
        return Party("outside", address=source, interface=_way_out(host, question.family))
    if word.startswith("interface:"):
        return Party("outside", address=source, interface=word.removeprefix("interface:"))
    return _container(host, question, source, to)


def _way_out(host: Host, family: int) -> str:
    return Routing(host, family).decide(int(_BEYOND[family])).interface or OUTSIDE


def _sender_at(host: Host, address: Address) -> Party:
    """Who has an address: a container, somebody on a bridge, the host itself, or somebody outside."""
    routing = Routing(host, address.version)
    if int(address) in routing.local:
        return Party("host", address=address)
    for network in host.bridges:
        holder = next((endpoint for endpoint in network.endpoints if address in endpoint.addresses), None)
        if holder is not None or any(address in subnet for subnet in network.subnets):
            return Party("container", holder.name if holder else str(address), network, address)
    return Party("outside", address=address, interface=routing.decide(int(address)).interface or OUTSIDE)


def _container(host: Host, question: Question, source: Address | None, to: Address) -> Party:
    """A container with the network that it sends by: its source's, else the target's, else one that leads out."""
    name = question.source.removeprefix("container:").partition("@")[0]
    found = container_of(host, name)
    if found is not None and found.network_mode == "host":
        return Party("host", address=source)
    places = _places(host, question.source, question.family)
    if source is not None:
        # A link-local address, or one that the container gave itself, is on none of the lists.
        places = [p for p in places if p[1] == source] or [(network, source) for network, _ in places]
    near = [place for place in places if any(to in subnet for subnet in place[0].subnets)]
    outward = [place for place in places if not place[0].internal]
    best = near or outward or places
    return Party("container", name, *best[0]) if best else Party("container", name)


def _places(host: Host, word: str, family: int) -> list[tuple[Network, Address]]:
    """The networks of a container on which it has an address of a family, with that address."""
    if host.networks is None:
        raise QuestionError("names need the output of `docker network inspect`; ask by address instead")
    name, _, wanted = word.removeprefix("container:").partition("@")
    owner = container_of(host, name)
    known = {name, owner.name if owner is not None else name}
    mine = [
        (network, endpoint)
        for network in host.networks
        for endpoint in network.endpoints
        if endpoint.name in known and wanted in ("", network.name)
    ]
    if not mine and (owner is None or wanted):
        on = f" of network {wanted!r}" if wanted else ""
        raise QuestionError(f"no container{on} has the name {name!r}")
    return [(network, address) for network, e in mine if (address := e.address(family)) is not None]
