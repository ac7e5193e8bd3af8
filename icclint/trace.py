"""One question about one packet, and its answer as a story or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict

from icclint.engine import location, path, reported_packet
from icclint.ir.host import Host
from icclint.ir.network import Address, Network
from icclint.lower.rule import PROTOCOLS
from icclint.output.text import path_lines
from icclint.output.visible import visible
from icclint.packets.effect import Effect
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, SYN, TCP, Packet
from icclint.report import PathStep, ReportedAssumption, ReportedLocation, ReportedPacket

OUTSIDE = "eth0"
"""The interface that a packet from or to an address of no network takes, unless it is named."""


class QuestionError(Exception):
    """A question that names what the capture does not hold, or that is not about a forwarded packet."""


@dataclass(frozen=True, slots=True)
class Question:
    """One packet, in a user's words: ``source`` and ``destination`` are containers or addresses."""

    source: str
    destination: str
    network: str | None = None
    in_interface: str | None = None
    out_interface: str | None = None
    protocol: str = "tcp"
    source_port: int = 40000
    state: str = "NEW"
    family: int = 4


class Answer(BaseModel):
    """What becomes of a packet: ``at`` is the deciding rule, policy or setting."""

    model_config = ConfigDict(frozen=True)

    verdict: str
    packet: ReportedPacket
    at: ReportedLocation | None
    decided_by: str
    path: tuple[PathStep, ...]
    assumptions: tuple[ReportedAssumption, ...]

    def story(self) -> Iterator[str]:
        """The answer for people, line by line."""
        yield f"packet   {visible(self.packet.text)}"
        yield from (f"  {line}" for line in path_lines(self.path))
        where = f"  ({visible(self.at.document)}:{self.at.line})" if self.at else ""
        yield f"{self.verdict:<8} by {visible(self.decided_by)}{where}"
        for assumption in self.assumptions:
            tell = f"; `{assumption.capture_with}` would tell" if assumption.capture_with else ""
            yield f"assuming that {visible(assumption.text)}{tell}"


def answer(host: Host, question: Question) -> Answer:
    """What becomes of a packet. Raises `QuestionError` for what cannot be asked."""
    packet = _packet(host, question)
    found = Effect(host).walk(packet)
    return Answer(
        verdict=found.verdict.value,
        packet=reported_packet(packet),
        at=location(found.decision.span) if found.decision.span else None,
        decided_by=found.decision.text,
        path=path(found),
        assumptions=tuple(
            ReportedAssumption(text=assumption.text, capture_with=assumption.capture_with)
            for assumption in found.assumptions
        ),
    )


def _packet(host: Host, question: Question) -> Packet:
    destination, port = _split_port(question.destination)
    source_network, source = _party(host, question, question.source, None)
    target_network, target = _party(host, question, destination, source_network)
    if question.network is None and target_network is not source_network:
        # Where both are on one network, that is the way the packet takes.
        source_network, source = _party(host, question, question.source, target_network)
    ends = [in_or(question.in_interface, source_network), in_or(question.out_interface, target_network)]
    protocol = _protocol(question)
    ports = protocol in PORT_PROTOCOLS
    return Packet(
        family=question.family,
        in_interface=ends[0],
        out_interface=ends[1],
        bridged=ends[0] == ends[1] and any(network.bridge == ends[0] for network in host.bridges),
        source=int(source),
        destination=int(target),
        protocol=protocol,
        source_port=question.source_port if ports else None,
        destination_port=(80 if port is None else port) if ports else None,
        icmp={ICMP: (8, 0), ICMPV6: (128, 0)}.get(protocol),
        tcp_flags=SYN if protocol == TCP else None,
        state=question.state,
    )


def in_or(interface: str | None, network: Network | None) -> str:
    """The interface that was asked for, else the bridge of a network, else the one that leads outside."""
    return interface or (network.bridge if network is not None and network.bridge else OUTSIDE)


def _protocol(question: Question) -> int:
    name = question.protocol.lower()
    if name == "icmp" and question.family == 6:
        return ICMPV6
    number = int(name) if name.isdigit() else PROTOCOLS.get(name, 256)
    if number > 255:
        raise QuestionError(f"no protocol has the name {question.protocol!r}")
    return number


def _split_port(text: str) -> tuple[str, int | None]:
    """``WHO:PORT`` or ``[ADDRESS]:PORT``; an IPv6 address alone has colons of its own."""
    if text.startswith("["):
        who, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        who, _, port = text.partition(":")
    else:
        return text, None
    if not port:
        return who, None
    if not port.isdigit() or int(port) > 65535:
        raise QuestionError(f"{port!r} is not a port")
    return who, int(port)


def _party(host: Host, question: Question, who: str, preferred: Network | None) -> tuple[Network | None, Address]:
    """An address and the bridge network that it is on, for a container's name or an address."""
    try:
        address = ip_address(who)
    except ValueError:
        return _container(host, question, who, preferred)
    if address.version != question.family:
        raise QuestionError(f"{who} is not an IPv{question.family} address; ask with --family {address.version}")
    if any(address in network.gateways for network in host.bridges):
        raise QuestionError(f"{who} is the host's own address; only forwarded packets can be followed yet")
    network = next((n for n in host.bridges if any(address in subnet for subnet in n.subnets)), None)
    return network, address


def _container(host: Host, question: Question, who: str, preferred: Network | None) -> tuple[Network, Address]:
    if host.networks is None:
        raise QuestionError("names need the output of `docker network inspect`; ask by address instead")
    places = [
        (network, address)
        for network in host.bridges
        for endpoint in network.endpoints
        if endpoint.name == who
        and question.network in (None, network.name)
        and (address := endpoint.address(question.family)) is not None
    ]
    if not places:
        on = f" of network {question.network!r}" if question.network else ""
        raise QuestionError(f"no container{on} has the name {who!r} and an IPv{question.family} address")
    return next((place for place in places if place[0] is preferred), places[0])
