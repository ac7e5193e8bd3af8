"""Whole classes of packets through the tables at once: what becomes of all of them, some, or none.

A class is a box: for each field the set of its values. Each rule cuts the boxes that reach it in two, what it
matches and what it does not, so that the boxes at the end hold every packet of the class exactly once for each
answer to what the capture does not tell. `walk` is the same semantics for one packet, written independently; each is
the other's test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from icclint.ir import match as ir
from icclint.ir.ruleset import Chain, Rule
from icclint.packets.firewall import (
    Firewall,
    Visit,
    absent_chain,
    absent_policy,
    asks_of_the_past,
    not_captured,
    seen_interface,
)
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, SYN, TCP, UDP, Packet
from icclint.packets.ranges import Range, RangeSet
from icclint.packets.verdict import Assumption, Decision, Verdict, assume_match, decided_by_rule

MOST_STEPS = 2_000_000
"""How many times a box may meet a rule before the boxes that are left are called unknown."""

ANY_PROTOCOL = RangeSet.of((0, 255))
ANY_PORT = RangeSet.of((0, 65535))
ANY_ICMP = RangeSet.of((0, 65535))
ANY_FLAGS = RangeSet.of((0, 63))


@dataclass(frozen=True, slots=True)
class Box:
    """Sets of packets, field by field.

    Addresses are integers. Ports count only for protocols that have them, ``icmp`` (type * 256 + code) only for ICMP
    and ICMPv6, ``tcp_flags`` (bits of RFC 9293, FIN first) only for TCP.
    """

    source: RangeSet
    destination: RangeSet
    protocol: RangeSet = ANY_PROTOCOL
    source_port: RangeSet = ANY_PORT
    destination_port: RangeSet = ANY_PORT
    icmp: RangeSet = ANY_ICMP
    tcp_flags: RangeSet = ANY_FLAGS

    def __and__(self, conditions: Mapping[str, RangeSet]) -> Box | None:
        """The part of the box in which each named field has one of the given values; None if there is none."""
        narrowed = {}
        for name, values in conditions.items():
            both = getattr(self, name) & values
            if not both:
                return None
            narrowed[name] = both
        return replace(self, **narrowed) if narrowed else self

    def without(self, conditions: Mapping[str, RangeSet]) -> Iterator[Box]:
        """The rest of the box, as disjoint boxes."""
        inside = self
        for name, values in conditions.items():
            outside = getattr(inside, name) - values
            if outside:
                yield replace(inside, **{name: outside})
            both = getattr(inside, name) & values
            if not both:
                return
            inside = replace(inside, **{name: both})

    def minus(self, others: Iterable[Box]) -> list[Box]:
        """What is left of the box when others are taken out, as disjoint boxes."""
        left = [self]
        for other in others:
            if not left:
                break
            left = [rest for box in left for rest in box.without(other.fields)]
        return left

    @property
    def fields(self) -> dict[str, RangeSet]:
        """The set of each field, by its name."""
        return {name: getattr(self, name) for name in FIELDS}


def merged(boxes: Iterable[Box]) -> list[Box]:
    """The same packets in fewer boxes: those that differ in one field only become one."""
    found = list(boxes)
    while True:
        before = len(found)
        for name in FIELDS:
            alike: dict[Box, list[Range]] = {}
            for box in found:
                rest = replace(box, **{name: RangeSet()})
                alike.setdefault(rest, []).extend(getattr(box, name).ranges)
            found = [replace(rest, **{name: RangeSet.of(*ranges)}) for rest, ranges in alike.items()]
        if len(found) == before:
            return found


FIELDS = ("source", "destination", "protocol", "source_port", "destination_port", "icmp", "tcp_flags")


@dataclass(frozen=True, slots=True)
class PacketClass:
    """A question: all packets of a box that come in by one interface and go out by another.

    Without ``in_interface`` the host itself sends them, without ``out_interface`` they are to the host. ``bridged``
    tells that both are one bridge that passes the frames from port to port. ``favourites`` are addresses that a witness
    should have where it can: those of real containers. ``translated_back`` marks answers that conntrack gives back the
    ends that table nat had changed: before FORWARD they have others, which are not known.
    """

    family: int
    in_interface: str | None
    out_interface: str | None
    bridged: bool
    box: Box
    state: str = "NEW"
    favourites: tuple[int, ...] = ()
    translated_back: bool = False


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

    def extent(self, verdict: Verdict) -> Extent:
        """How much of the class meets a verdict, tables that were not captured left aside."""
        # A packet from an address to itself never leaves its sender.
        real = [outcome for outcome in self.outcomes if _two_ends((), outcome.box) is not None]
        meeting = [outcome for outcome in real if outcome.verdict is verdict]
        if not meeting:
            return Extent.NONE
        if len(meeting) == len(real):
            return Extent.ALL
        return Extent.SOME if any(self._certain(outcome) for outcome in meeting) else Extent.UNKNOWN

    def shares(self, verdict: Verdict) -> tuple[Share, ...]:
        """The packets that meet a verdict, one share for each decision that gives it, certain ones where there are."""
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
        found = [packet for box in boxes if (packet := _pick(self.packets, box)) is not None]
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


def _pick(packets: PacketClass, box: Box) -> Packet | None:
    protocol = next((p for p in (TCP, UDP, ICMP, ICMPV6) if p in box.protocol), None) or box.protocol.least
    ports = protocol in PORT_PROTOCOLS
    icmp = protocol in (ICMP, ICMPV6)
    pair = _two_ends(packets.favourites, box)
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


def _two_ends(favourites: tuple[int, ...], box: Box) -> tuple[int, int] | None:
    """A source and a destination that differ; None where the box holds no such pair."""
    sources = [a for a in favourites if a in box.source] + list(box.source.first(2))
    destinations = [a for a in favourites if a in box.destination] + list(box.destination.first(2))
    return next(((s, d) for s in sources for d in destinations if s != d), None)


def _one_of(values: RangeSet, liked: int) -> int:
    if liked in values:
        return liked
    # Port 0 is legal in a ruleset and never seen on a wire.
    return next((value for value in values.first(2) if value), values.least)


def judge(firewall: Firewall, packets: PacketClass) -> Judgement:
    """What becomes of a class of packets."""
    run = _Run(firewall, packets)
    run.go()
    return Judgement(packets, tuple(run.outcomes), firewall.standing)


@dataclass(frozen=True, slots=True)
class _State:
    """A box on its way.

    ``state`` is the connection's, ``mark`` is None where it is not known, ``accepted`` is what last let it pass.
    ``translated`` tells that table nat has settled the destination; ``end`` is the one that it gave, and ``masked``
    tells that it gave another source.
    """

    box: Box
    out_interface: str | None
    bridged: bool
    state: str
    mark: int | None
    assumed: tuple[Assumption, ...] = ()
    accepted: Decision | None = None
    end: End | None = None
    masked: bool = False

    @property
    def translated(self) -> bool:
        return self.end is not None


@dataclass(frozen=True, slots=True)
class _Part:
    """One way for a condition to hold: fields within these sets, and an assumption where something is not known."""

    fields: Mapping[str, RangeSet] = field(default_factory=dict)
    unknown: ir.Match | None = None
    holds: bool = True


_ALWAYS = (_Part(),)
_NEVER: tuple[_Part, ...] = ()


class _Waiting:
    """States that wait for the next rule, found by the one address that they are about.

    Docker's rules for links and published ports name one address each. Kept apart by it, a state meets only the rules
    that can concern it, and a chain of many such rules takes time in proportion to their number.
    """

    def __init__(self, states: Iterable[_State]) -> None:
        self.wide: list[_State] = []
        self.about: dict[tuple[str, int], list[_State]] = {}
        self.add(states)

    def add(self, states: Iterable[_State]) -> None:
        """Puts states among those that wait."""
        for state in states:
            self._place(state).append(state)

    def _place(self, state: _State) -> list[_State]:
        for side in ("source", "destination"):
            ranges = getattr(state.box, side).ranges
            if side == "destination" and state.end is not None:
                ranges = ((state.end.address, state.end.address),)
            if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
                return self.about.setdefault((side, ranges[0][0]), [])
        return self.wide

    def take(self, asked: Mapping[str, RangeSet]) -> list[_State]:
        """Takes out the states that a rule can concern which asks for such addresses."""
        taken, self.wide = self.wide, []
        for key in self._keys(asked):
            taken += self.about.pop(key)
        return taken

    def _keys(self, asked: Mapping[str, RangeSet]) -> list[tuple[str, int]]:
        keys = []
        for side in ("source", "destination"):
            wanted = asked.get(side)
            if wanted is not None and wanted.size == 1:
                keys += [key for key in ((side, wanted.least),) if key in self.about]
            else:
                keys += [key for key in self.about if key[0] == side and (wanted is None or key[1] in wanted)]
        return keys

    def all(self) -> list[_State]:
        """Takes all out."""
        return self.take({})

    def __bool__(self) -> bool:
        return bool(self.wide or self.about)


@dataclass
class _Run:
    firewall: Firewall
    packets: PacketClass
    outcomes: list[Outcome] = field(default_factory=list)
    steps: int = 0
    hook: str = ""

    def __post_init__(self) -> None:
        self.any_address = RangeSet.of((0, (1 << (32 if self.packets.family == 4 else 128)) - 1))

    def go(self) -> None:
        packets = self.packets
        # Before conntrack has seen a packet it belongs to nothing.
        mark = 0 if self.firewall.sees_marks else None
        states = self._bridge_netfilter(_State(packets.box, packets.out_interface, packets.bridged, "INVALID", mark))
        if not self.firewall.captured:
            self._stop(states, Verdict.UNKNOWN, not_captured(self.firewall))
            return
        if packets.in_interface is None:
            states = self._pass("POSTROUTING", self._routed(self._pass("OUTPUT", states)))
            return self._deliver(states)
        if packets.translated_back:
            states = [self._tracked(state) for state in states]
        else:
            states = self._pass("PREROUTING", states)
        for state in self._routed(states):
            self._onward(state)

    def _onward(self, state: _State) -> None:
        """What routing has sent on its way: to the host, or out by an interface."""
        if state.out_interface is None:
            return self._deliver(self._pass("INPUT", [state]))
        if not state.bridged and self.firewall.forwarding_off is not None:
            self._end(state, Verdict.DROPPED, self.firewall.forwarding_off)
            return None
        return self._deliver(self._pass("POSTROUTING", self._pass("FORWARD", [state])))

    def _routed(self, states: Iterable[_State]) -> list[_State]:
        """States whose destination table nat has changed are routed anew; the class knows the way of all others.

        A frame to which nat gave the destination that it had stays on its bridge (net/bridge/br_netfilter_hooks.c,
        br_nf_ipv4_daddr_was_changed).
        """
        routed: list[_State] = []
        for state in states:
            if state.end is None:
                routed.append(state)
                continue
            same = {"destination": RangeSet.single(state.end.address)}
            kept = state.box & same
            routed += [replace(state, box=kept)] if kept is not None else []
            routed += self._route(state.end, [replace(state, box=box) for box in state.box.without(same)])
        return routed

    def _route(self, end: End, states: list[_State]) -> list[_State]:
        way = self.firewall.routing.decide(end.address)
        if way.assumption is not None:
            states = [replace(state, assumed=(*state.assumed, way.assumption)) for state in states]
        if way.kind == "none":
            return self._stop(states, Verdict.DROPPED, Decision(by="setting", text=way.text, span=way.span))
        if way.kind == "local" and self.packets.in_interface is None:
            # Out by loopback and in again: a way that only `walk` follows.
            looped = Decision(by="absent", text="table nat sends the host's own packets back to it", span=None)
            return self._stop(states, Verdict.UNKNOWN, looped)
        back = way.interface == self.packets.in_interface
        handed = back and self.firewall.hands_back(way.interface)
        return [
            replace(state, out_interface=way.interface, bridged=handed or (back and state.bridged)) for state in states
        ]

    def _deliver(self, states: Iterable[_State]) -> None:
        nothing = Decision(by="absent", text="no captured table has a word on these packets", span=None)
        for state in states:
            self._end(state, Verdict.DELIVERED, state.accepted or nothing)

    def _pass(self, hook: str, states: list[_State]) -> list[_State]:
        """The states that pass one hook with all its tables."""
        self.hook = hook
        for visit in self.firewall.visits[hook]:
            if visit.table.name != "raw":
                states = [self._tracked(state) for state in states]
            asked, unasked = states, []
            if visit.table.name == "nat":
                asked = [state for state in states if self._asks_nat(state)]
                unasked = [state for state in states if not self._asks_nat(state)]
            states = unasked + self._visit(visit, asked)
        return states

    def _asks_nat(self, state: _State) -> bool:
        settled = state.translated and self.hook in ("PREROUTING", "OUTPUT")
        return state.state == "NEW" and not settled

    def _tracked(self, state: _State) -> _State:
        """A state that conntrack has seen, which comes after raw and leaves alone what that told it to."""
        return state if state.state == "UNTRACKED" else replace(state, state=self.packets.state)

    def _bridge_netfilter(self, start: _State) -> list[_State]:
        switch = self.firewall.bridge_netfilter
        if not self.packets.bridged or switch is None:
            return [start]
        if isinstance(switch, Decision):
            self._end(start, Verdict.DELIVERED, switch)
            return []
        off = switch.model_copy(update={"holds": False, "text": f"not so: {switch.text}"})
        unseen = Decision(by="setting", text=off.text, span=None, capture_with=switch.capture_with)
        self._end(replace(start, assumed=(off,)), Verdict.DELIVERED, unseen)
        return [replace(start, assumed=(switch,))]

    def _end(self, state: _State, verdict: Verdict, decision: Decision) -> None:
        self.outcomes.append(Outcome(verdict, decision, state.box, state.assumed, state.end, state.masked))

    def _visit(self, visit: Visit, states: list[_State]) -> list[_State]:
        """The states that pass one built-in chain."""
        chain = visit.chain
        if chain is None:
            if visit.table.complete:
                return states
            return self._stop(states, Verdict.UNKNOWN, absent_chain(self.firewall, visit))
        passed: list[_State] = []
        at_policy = self._chain(visit, chain, states, passed, 0)
        if chain.policy is None:
            self._stop(at_policy, Verdict.UNKNOWN, absent_policy(self.firewall, visit, chain))
            return passed
        decision = Decision(by="policy", text=f"policy {chain.policy} of chain {chain.name}", span=chain.span)
        if chain.policy == "ACCEPT":
            return passed + [_accepted(state, visit, decision) for state in at_policy]
        self._stop(at_policy, Verdict.DROPPED if chain.policy == "DROP" else Verdict.UNKNOWN, decision)
        return passed

    def _chain(
        self, visit: Visit, chain: Chain, states: list[_State], passed: list[_State], depth: int
    ) -> list[_State]:
        """Takes states through a chain. Gives those that come back from it; what a rule accepts goes to ``passed``."""
        back: list[_State] = []
        waiting = _Waiting(states)
        for rule in chain.rules_for(self._interfaces(states)):
            if not waiting:
                break
            if isinstance(rule.target, ir.Continue):
                continue
            matched: list[_State] = []
            missed: list[_State] = []
            for state in waiting.take(_addresses(rule)):
                self._cut(rule, state, matched, missed)
            waiting.add(missed)
            if self.steps > MOST_STEPS:
                given_up = Decision(by="rule", text=f"given up at: {rule.text}", span=rule.span, rule=rule)
                self._stop(matched + waiting.all(), Verdict.UNKNOWN, given_up)
                return back
            if matched:
                waiting.add(self._target(visit, rule, matched, passed, back, depth))
        return back + waiting.all()

    def _interfaces(self, states: Iterable[_State]) -> frozenset[str]:
        """The names that rules may ask for and be answered yes."""
        names = {self.packets.in_interface, *(state.out_interface for state in states)}
        return frozenset(name for name in names if name is not None)

    def _target(
        self,
        visit: Visit,
        rule: Rule,
        matched: list[_State],
        passed: list[_State],
        back: list[_State],
        depth: int,
    ) -> list[_State]:
        """What a rule does with the states that it matches. Gives those that go on to the next rule."""
        decision = decided_by_rule(rule)
        match rule.target:
            case ir.Accept():
                passed += [_accepted(state, visit, decision) for state in matched]
                return []
            case ir.Rewrite(of="source"):
                passed += [replace(_accepted(state, visit, decision), masked=True) for state in matched]
                return []
            case ir.Rewrite():
                end = self._new_end(rule.target)
                if end is None:
                    return self._stop(matched, Verdict.UNKNOWN, decision)
                passed += [replace(state, end=end) for state in matched]
                return []
            case ir.Return():
                back += matched
                return []
            case ir.Jump(chain=name) | ir.Goto(chain=name):
                called = visit.table.chains.get(name)
                if called is None:
                    return self._stop(matched, Verdict.UNKNOWN, absent_chain(self.firewall, visit, rule))
                if depth > len(visit.table.chains):
                    loop = Decision(by="rule", text=f"chains call each other: {rule.text}", span=rule.span, rule=rule)
                    return self._stop(matched, Verdict.UNKNOWN, loop)
                returned = self._chain(visit, called, matched, passed, depth + 1)
                if isinstance(rule.target, ir.Jump):
                    return returned
                back += returned
                return []
            case ir.SetMark(value=value, mask=mask):
                return [replace(state, mark=_marked(state.mark, value, mask)) for state in matched]
            case ir.ForgetMark():
                return [replace(state, mark=None) for state in matched]
            case ir.NoTrack():
                return [replace(state, state="UNTRACKED") for state in matched]
            case ir.Drop():
                return self._stop(matched, Verdict.DROPPED, decision)
            case ir.Reject():
                return self._stop(matched, Verdict.REJECTED, decision)
            case _:
                return self._stop(matched, Verdict.UNKNOWN, decision)

    def _new_end(self, target: ir.Rewrite) -> End | None:
        """The one destination that a rule gives to all packets; None where it may give several."""
        addresses, ports = target.addresses, target.ports
        if target.how == "interface" and self.hook == "PREROUTING":
            own = self.firewall.routing.address_of(self.packets.in_interface or "")
            addresses = None if own is None else (own, own)
        one_port = ports is None or ports[0] == ports[1]
        if target.how in ("to", "interface") and addresses is not None and addresses[0] == addresses[1] and one_port:
            return End(addresses[0], None if ports is None else ports[0])
        return None

    def _stop(self, states: Iterable[_State], verdict: Verdict, decision: Decision) -> list[_State]:
        for state in states:
            self._end(state, verdict, decision)
        return []

    def _cut(self, rule: Rule, state: _State, matched: list[_State], missed: list[_State]) -> None:
        """Cuts a state into what the rule matches and what it does not."""
        inside = [state]
        for match in rule.matches:
            parts = self._parts(match, state)
            if parts is _ALWAYS:
                continue
            cut: list[_State] = []
            for piece in inside:
                self.steps += 1
                self._cut_one(parts, piece, cut, missed)
            inside = cut
            if not inside:
                break
        self.steps += 1
        matched += inside

    def _cut_one(self, parts: tuple[_Part, ...], state: _State, matched: list[_State], missed: list[_State]) -> None:
        rest = [state]
        for part in parts:
            left: list[_State] = []
            for piece in rest:
                box = piece.box & part.fields
                if box is None:
                    left.append(piece)
                    continue
                left += [replace(piece, box=outside) for outside in piece.box.without(part.fields)]
                inside = replace(piece, box=box)
                if part.unknown is None:
                    matched.append(inside)
                    continue
                for answer in (True, False):
                    assumption = assume_match(part.unknown, answer)
                    known = _assumed(inside, assumption)
                    if known is not None and known is not answer:
                        continue
                    branch = inside if known is not None else replace(inside, assumed=(*inside.assumed, assumption))
                    (matched if answer is part.holds else left).append(branch)
            rest = left
        missed += rest

    def _parts(self, match: ir.Match, state: _State) -> tuple[_Part, ...]:
        """The disjoint ways in which a condition holds for a state, its negation included."""
        wanted = not match.negated
        match match:
            case ir.InterfaceMatch(side=side):
                name = self.packets.in_interface if side == "in" else state.out_interface
                return _constant(match.matches(seen_interface(side, name, self.hook, state.bridged)) is wanted)
            case ir.AddressMatch(side="destination", ranges=ranges) if state.end is not None:
                return _constant((state.end.address in RangeSet.of(*ranges)) is wanted)
            case ir.AddressMatch(side=side, ranges=ranges):
                return (_Part({side: _chosen(RangeSet.of(*ranges), self.any_address, wanted)}),)
            case ir.ProtocolMatch(number=number):
                return (_Part({"protocol": _chosen(RangeSet.single(number), ANY_PROTOCOL, wanted)}),)
            case ir.PortMatch():
                return self._port_parts(match, state.end)
            case ir.IcmpMatch(type=kind, code=code):
                codes = RangeSet.of((kind * 256, kind * 256 + 255) if code is None else (kind * 256 + code,) * 2)
                protocol = RangeSet.single(ICMP if self.packets.family == 4 else ICMPV6)
                return (_Part({"protocol": protocol, "icmp": _chosen(codes, ANY_ICMP, wanted)}),)
            case ir.TcpFlagsMatch(mask=mask, flags=flags):
                found = RangeSet.single(*(bits for bits in range(64) if bits & mask == flags))
                return (_Part({"protocol": RangeSet.single(TCP), "tcp_flags": _chosen(found, ANY_FLAGS, wanted)}),)
            case ir.StateMatch(states=states):
                if state.state in states or (state.translated and "DNAT" in states):
                    return _constant(wanted)
                past = asks_of_the_past(states, state.state)
                return (_Part(unknown=match, holds=wanted),) if past else _constant(not wanted)
            case ir.MarkMatch(value=value, mask=mask):
                if state.mark is None:
                    return (_Part(unknown=match, holds=wanted),)
                return _constant((state.mark & mask == value) is wanted)
            case ir.AddressTypeMatch():
                return self._address_type_parts(match, state.end)
            case ir.PhysdevMatch():
                return self._physdev_parts(match, state)
            case ir.FragmentMatch():
                return _constant(match.negated)
            case _:
                return (_Part(unknown=match, holds=wanted),)

    def _port_parts(self, match: ir.PortMatch, end: End | None) -> tuple[_Part, ...]:
        protocols = RangeSet.single(*PORT_PROTOCOLS)
        ports = RangeSet.of(*match.ranges)
        others = ANY_PORT - ports
        if match.side == "source":
            return (_Part({"protocol": protocols, "source_port": others if match.negated else ports}),)
        if end is not None and end.port is not None:
            # One port stands for all that the packets had.
            to = ANY_PORT if end.port in ports else RangeSet()
            not_to = ANY_PORT - to
        else:
            to, not_to = ports, others
        if match.side == "destination":
            return (_Part({"protocol": protocols, "destination_port": not_to if match.negated else to}),)
        if match.negated:
            return (_Part({"protocol": protocols, "source_port": others, "destination_port": not_to}),)
        return (
            _Part({"protocol": protocols, "source_port": ports}),
            _Part({"protocol": protocols, "source_port": others, "destination_port": to}),
        )

    def _address_type_parts(self, match: ir.AddressTypeMatch, end: End | None) -> tuple[_Part, ...]:
        found = self.firewall.routing.addresses_of_type(match.types)
        if found is None:
            return (_Part(unknown=match, holds=not match.negated),)
        if end is not None and match.side == "destination":
            return _constant((end.address in found) is not match.negated)
        return (_Part({match.side: _chosen(found, self.any_address, not match.negated)}),)

    def _physdev_parts(self, match: ir.PhysdevMatch, state: _State) -> tuple[_Part, ...]:
        wanted = not match.negated
        bridged = state.bridged
        if not bridged and isinstance(self.firewall.bridge_netfilter, Decision):
            return _constant(not wanted)
        has_port = bridged and self.hook != "PREROUTING"
        if match.what in ("is-bridged", "is-out"):
            return _constant(has_port is wanted)
        if match.what == "is-in" and bridged:
            return _constant(wanted)
        if match.what == "out" and not has_port and (bridged or wanted):
            return _NEVER
        return (_Part(unknown=match, holds=wanted),)


def _chosen(values: RangeSet, everything: RangeSet, wanted: bool) -> RangeSet:
    return values if wanted else everything - values


def _marked(mark: int | None, value: int, mask: int) -> int | None:
    # All 32 bits replaced: what they were before no longer counts.
    if mask == 0xFFFFFFFF:
        return value
    return None if mark is None else (mark & ~mask) ^ value


def _constant(answer: bool) -> tuple[_Part, ...]:
    return _ALWAYS if answer else _NEVER


def _assumed(state: _State, assumption: Assumption) -> bool | None:
    """What a state already assumes of a question."""
    return next((known.holds for known in state.assumed if known.key == assumption.key), None)


def _accepted(state: _State, visit: Visit, decision: Decision) -> _State:
    if visit.table.name == "filter" or state.accepted is None:
        return replace(state, accepted=decision)
    return state


def _addresses(rule: Rule) -> dict[str, RangeSet]:
    """The addresses that a rule asks for, by side, where it asks by one condition without negation."""
    asked: dict[str, RangeSet] = {}
    for match in rule.matches:
        if isinstance(match, ir.AddressMatch) and not match.negated:
            asked[match.side] = RangeSet.of(*match.ranges)
    return asked
