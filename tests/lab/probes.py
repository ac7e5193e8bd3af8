"""Packets that are to be sent, and what becomes of one while it is on its way."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.lab.namespaces import Namespace
from tests.lab.truth import Details, IcmpError, PathName, Protocol, Result

Service = tuple[Protocol, int]
"""A protocol and the port that is listened on."""
Port = tuple[Protocol, int | None]
"""A protocol and a port; ICMP and bare frames have none."""
ICMP: Port = ("icmp", None)
LAYER2: Port = ("l2", None)

BY_REACH: tuple[Result, ...] = ("timeout", "unreachable", "refused", "delivered")
"""Results by how far the packet got."""


@dataclass(frozen=True, slots=True, eq=False)
class Party:
    """Who sends and gets packets: a container, the host or the LAN.

    ``services`` are the lab's own listeners, whatever the container itself listens on.
    """

    name: str
    namespace: Namespace
    services: tuple[Service, ...]
    addresses: frozenset[str]

    @property
    def is_host(self) -> bool:
        """Whether it is the Docker host."""
        return self.name == "host"


@dataclass(frozen=True, slots=True)
class Way:
    """What the packets of a path have in common; truth.json has the same words.

    ``interface`` is the sender's, where an address or a frame is good on one interface only.
    """

    source: str
    target: str
    path: PathName
    address: str | None = None
    network: str | None = None
    shared: bool | None = None
    published: str | None = None
    mac: str | None = None
    interface: str | None = None

    @property
    def family(self) -> socket.AddressFamily:
        """The family of its addresses."""
        return socket.AF_INET6 if ":" in (self.address or "") else socket.AF_INET


@dataclass(frozen=True, slots=True)
class Probe:
    """The first packet of a flow. ``source_port`` is chosen where the question is about it."""

    way: Way
    protocol: Protocol
    port: int | None
    source_port: int | None = None


@dataclass(slots=True, eq=False)
class Flight:
    """A probe on its way, and what is known of it so far.

    ``ident`` is in its payload and, as source port or ICMP id, in its header, so that it is told from all others at the
    far side even when no answer makes it back. ``seen`` is that it reached the target's namespace, ``served`` that a
    listener there got it, ``connected`` that somebody completed a TCP handshake, ``hung_up`` that they closed it
    without an answer.
    """

    probe: Probe
    ident: int
    source_address: str | None = None
    seen: bool = False
    served: bool = False
    connected: bool = False
    replied: bool = False
    hung_up: bool = False
    peer: str | None = None
    answered_by: str | None = None
    error: str | None = None
    icmp: IcmpError | None = None
    ended: bool = False
    socket: socket.socket | None = field(default=None, repr=False)

    @property
    def payload(self) -> bytes:
        """What it carries."""
        return b"icclint:%d " % self.ident

    def serve(self, party: Party, peer: str) -> None:
        """A listener got it."""
        if party.name == self.probe.way.target:
            self.served, self.peer = True, peer
        else:
            self.answered_by = party.name

    def sight(self, source: str | None) -> None:
        """It was seen in the target's namespace."""
        self.seen, self.peer = True, self.peer or source

    def answer(self, name: str) -> None:
        """An answer came back to the sender, from whom it names."""
        self.replied, self.answered_by = True, name

    @property
    def result(self) -> Result:
        """How far it got."""
        if self.served or (self.seen and self.error is None):
            return "delivered"
        if self.icmp or self.hung_up or self.error in ("ECONNREFUSED", "ECONNRESET"):
            return "refused"
        # EHOSTUNREACH is of the sender's own making: no neighbour answered.
        return "timeout" if self.error in (None, "EHOSTUNREACH") else "unreachable"

    def details(self) -> Iterator[tuple[str, object]]:
        """The members of `Details`, where they do not go without saying."""
        delivered = self.result == "delivered"
        if (self.seen or self.served) != delivered:
            yield "seen", not delivered
        if self.replied != delivered and self.probe.protocol != "l2":
            yield "replied", not delivered
        if self.probe.source_port:
            yield "sport", self.probe.source_port
        if self.peer not in (None, self.source_address):
            yield "peer", self.peer
        if self.error is not None:
            yield "error", self.error
        if self.icmp is not None:
            yield "icmp", self.icmp
        if self.answered_by not in (None, self.probe.way.target):
            yield "answered_by", self.answered_by
        if self.connected and not self.served and not self.seen:
            yield "connected_to_something_else", True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a probe, by the flight of it that got furthest."""

    probe: Probe
    source_address: str | None
    result: Result
    details: Details

    @classmethod
    def of(cls, flights: list[Flight]) -> Outcome:
        """The outcome of all flights of one probe: a packet that passed once was let pass."""
        results = [flight.result for flight in flights]
        best = max(flights, key=lambda flight: BY_REACH.index(flight.result))
        details = dict(best.details())
        if len({result == "delivered" for result in results}) > 1:
            details["unstable"] = results
        return cls(best.probe, best.source_address, best.result, Details.model_validate(details))
