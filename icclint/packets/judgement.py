"""Questions about whole classes of packets, and their answers: extents, shares, and a witness for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, cached_property
from itertools import islice
from operator import itemgetter

from icclint.packets.box import Box, ByAddress, merged
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, SYN, TCP, UDP, Packet
from icclint.packets.ranges import RangeSet
from icclint.packets.verdict import Assumption, Decision, Verdict


@dataclass(frozen=True, slots=True)
class PacketClass:
    """A question: all packets of a box that come in by one interface and go out by another.

    Without ``in_interface`` the host itself sends them, without ``out_interface`` they are to the host. ``bridged``
    tells that both are one bridge that passes the frames from port to port. ``favourites`` are addresses that a witness
    should have where it can, each once: those of real containers. ``translated_back`` marks answers that conntrack
    gives back the ends that table nat had changed: before FORWARD they have others, which are not known.
    """

    family: int
    in_interface: str | None
    out_interface: str | None
    bridged: bool
    box: Box
    state: str = "NEW"
    favourites: tuple[int, ...] = ()
    translated_back: bool = False

    @property
    def to_itself(self) -> bool:
        """Whether the host sends them to itself."""
        return self.in_interface is None and self.out_interface is None


class Extent(Enum):
    """How much of a class meets a verdict."""

    ALL = "all"
    SOME = "some"
    NONE = "none"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class End:
    """A destination that table nat gave to packets in place of their own; ``port`` is None where theirs stays."""

    address: int
    port: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one box, if the assumptions hold.

    ``end`` is set where the packets were sent elsewhere, ``masked`` where table nat gave them another source.
    """

    verdict: Verdict
    decision: Decision
    box: Box
    assumptions: tuple[Assumption, ...]
    end: End | None = None
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """The packets of a class that one decision gives one verdict.

    ``boxes`` are certain where ``assumptions`` is empty; otherwise they meet the verdict if those hold. ``witness``
    is one of the packets. ``end`` is set where table nat sent them elsewhere, ``masked`` where it gave them another
    source.
    """

    verdict: Verdict
    decision: Decision
    boxes: tuple[Box, ...]
    assumptions: tuple[Assumption, ...]
    witness: Packet
    end: End | None
    masked: bool


@dataclass(frozen=True)
class Judgement:
    """What becomes of a class of packets: every packet is in some outcome for each answer to what is not known."""

    packets: PacketClass
    outcomes: tuple[Outcome, ...]
    standing: tuple[Assumption, ...]

    def narrowed(self, conditions: Mapping[str, RangeSet]) -> Judgement | None:
        """What becomes of the packets of which each named field has one of the given values; None where there are none.

        Much quicker than to judge them by themselves, where many parts of one class are asked about.
        """
        box = self.packets.box & conditions
        if box is None:
            return None
        # In the order of all of them, of which the first is shown.
        near = (outcome for _, outcome in sorted(self._by_address.find(conditions), key=itemgetter(0)))
        parts = ((outcome, outcome.box & conditions) for outcome in near)
        return Judgement(
            replace(self.packets, box=box),
            tuple(replace(outcome, box=part) for outcome, part in parts if part is not None),
            self.standing,
        )

    @cached_property
    def _by_address(self) -> ByAddress[tuple[int, Outcome]]:
        return ByAddress(lambda one: one[1].box.ends, enumerate(self.outcomes))

    def extent(self, verdict: Verdict) -> Extent:
        """How much of the class meets a verdict, tables that were not captured left aside."""
        real = [outcome for outcome in self.outcomes if _two_ends(self.packets, outcome.box) is not None]
        meeting = [outcome for outcome in real if outcome.verdict is verdict]
        if not meeting:
            return Extent.NONE
        if len(meeting) == len(real):
            return Extent.ALL
        return Extent.SOME if any(self._certain(outcome) for outcome in meeting) else Extent.UNKNOWN

    def shares(self, verdict: Verdict) -> tuple[Share, ...]:
        """The packets that meet a verdict, one share for each decision that gives it, certain ones where there are."""
        return self._known_shares(verdict)

    @cached_property
    def _known_shares(self) -> Callable[[Verdict], tuple[Share, ...]]:
        """The shares by verdict, each worked out once, since many rules ask for the same."""
        return cache(self._shares)

    def _shares(self, verdict: Verdict) -> tuple[Share, ...]:
        by_decision: dict[tuple[object, ...], list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.verdict is verdict:
                key = (outcome.decision.span, outcome.decision.text, outcome.end, outcome.masked)
                by_decision.setdefault(key, []).append(outcome)
        shares = (self._share(verdict, outcomes) for outcomes in by_decision.values())
        return tuple(share for share in shares if share is not None)

    def _share(self, verdict: Verdict, outcomes: list[Outcome]) -> Share | None:
        first = outcomes[0]
        certain = [box for outcome in outcomes for box in self._certain(outcome)]
        boxes = certain or [outcome.box for outcome in outcomes if outcome.assumptions == first.assumptions]
        assumptions = () if certain else _needed(first)
        witness = self._witness(boxes)
        if witness is None:
            return None
        if verdict is Verdict.DELIVERED:
            assumptions += self.standing
        return Share(verdict, first.decision, tuple(merged(boxes)), assumptions, witness, first.end, first.masked)

    def _certain(self, outcome: Outcome) -> list[Box]:
        """The part of an outcome that meets its verdict whatever is assumed."""
        if not _needed(outcome):
            return [outcome.box]
        return outcome.box.minus(other.box for other in self.outcomes if other.verdict is not outcome.verdict)

    def _witness(self, boxes: Iterable[Box]) -> Packet | None:
        """A packet of the boxes that a person would think of first: between two containers, TCP, a small port."""
        found = [packet for box in boxes if (packet := packet_of(self.packets, box)) is not None]
        favourites = self.packets.favourites
        return min(
            found,
            key=lambda p: (
                (p.source not in favourites) + (p.destination not in favourites),
                {TCP: 0, UDP: 1, ICMP: 2, ICMPV6: 2}.get(p.protocol, 3),
                p.source,
                p.destination,
            ),
            default=None,
        )


def _needed(outcome: Outcome) -> tuple[Assumption, ...]:
    """The assumptions that an outcome hangs on.

    A frame that no table sees is delivered, so a delivery by the tables does not hang on whether they see it.
    """
    if outcome.verdict is not Verdict.DELIVERED:
        return outcome.assumptions
    return tuple(a for a in outcome.assumptions if not (a.bridge_netfilter and a.holds))


def packet_of(packets: PacketClass, box: Box) -> Packet | None:
    """A packet of a class, with values of a box that a person would choose; None where no such packet can be sent."""
    protocol = next((p for p in (TCP, UDP, ICMP, ICMPV6) if p in box.protocol), None) or box.protocol.least
    ports = protocol in PORT_PROTOCOLS
    icmp = protocol in (ICMP, ICMPV6)
    pair = _two_ends(packets, box)
    if pair is None:
        return None
    return Packet(
        family=packets.family,
        in_interface=packets.in_interface,
        out_interface=packets.out_interface,
        bridged=packets.bridged,
        source=pair[0],
        destination=pair[1],
        protocol=protocol,
        source_port=_one_of(box.source_port, 40000) if ports else None,
        destination_port=_one_of(box.destination_port, 80) if ports else None,
        icmp=divmod(_one_of(box.icmp, {ICMP: 8 << 8, ICMPV6: 128 << 8}[protocol]), 256) if icmp else None,
        tcp_flags=_one_of(box.tcp_flags, SYN) if protocol == TCP else None,
        state=packets.state,
    )


def _two_ends(packets: PacketClass, box: Box) -> tuple[int, int] | None:
    """A source and a destination; None where the box holds no pair that could be sent.

    A packet from an address to itself never leaves its sender, so no host sees it but the one that sends it.
    """
    # Of two, one is another address than that of the other end.
    sources, destinations = (
        [*islice((address for address in packets.favourites if address in ends), 2), *ends.first(2)]
        for ends in (box.source, box.destination)
    )
    return next(((s, d) for s in sources for d in destinations if s != d or packets.to_itself), None)


def _one_of(values: RangeSet, liked: int) -> int:
    if liked in values:
        return liked
    # Port 0 is legal in a ruleset and never seen on a wire.
    return next((value for value in values.first(2) if value), values.least)
