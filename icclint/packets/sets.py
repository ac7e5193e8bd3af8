"""Whole classes of packets through the tables at once: what becomes of all of them, some, or none.

A class is a box: for each field the set of its values. Each rule cuts the boxes that reach it in two, what it
matches and what it does not, so that the boxes at the end hold every packet of the class exactly once for each
answer to what the capture does not tell. `walk` is the same semantics for one packet, written independently; each is
the other's test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from icclint.ir import match as ir
from icclint.ir.base import by_identity, once
from icclint.ir.ruleset import Chain, Rule
from icclint.packets.box import ANY_FLAGS, ANY_ICMP, ANY_PORT, ANY_PROTOCOL, Box, ByAddress, any_address
from icclint.packets.firewall import (
    Firewall,
    Visit,
    absent_chain,
    absent_policy,
    asks_of_the_past,
    not_captured,
    seen_interface,
)
from icclint.packets.judgement import End, Judgement, Outcome, PacketClass
from icclint.packets.nat import LOCALHOST, MOST_CHOICES, assume_end, netmap
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, TCP
from icclint.packets.ranges import RangeSet
from icclint.packets.routing import LOOPBACK
from icclint.packets.verdict import Assumption, Decision, Verdict, assume_match, decided_by_rule, hangs_on
from icclint.source import Span

MOST_STEPS = 2_000_000
"""How many times a box may meet a rule before the boxes that are left are called unknown."""


def judge(firewall: Firewall, packets: PacketClass) -> Judgement:
    """What becomes of a class of packets."""
    run = _Run(firewall, packets)
    run.go()
    return Judgement(packets, tuple(_admitted(run.outcomes)), firewall.standing)


def _admitted(outcomes: list[Outcome]) -> Iterator[Outcome]:
    """The outcomes, with the unknown in place of what would be a guess at conditions that the dump does not show.

    What comes to the same whether or not they hold stays.
    """
    for outcome in outcomes:
        hidden = next((assumption for assumption in outcome.assumptions if assumption.hidden), None)
        if hidden is None or outcome.verdict is Verdict.UNKNOWN:
            yield outcome
            continue
        certain = outcome.box.minus(other.box for other in outcomes if other.verdict is not outcome.verdict)
        yield from (replace(outcome, box=box) for box in certain)
        decision = hangs_on(hidden.hidden, hidden.span, hidden.capture_with)
        for box in outcome.box.minus(certain):
            yield replace(outcome, verdict=Verdict.UNKNOWN, decision=decision, box=box)


@dataclass(frozen=True, slots=True)
class _State:
    """A box on its way.

    ``in_interface`` is None for what the host itself sends, until that comes back by loopback. ``state`` is the
    connection's, ``mark`` is None where it is not known, ``marked_at`` is the rule that last changed it, ``accepted``
    is what last let it pass.
    ``translated`` tells that table nat has settled the destination; ``end`` is the one that it gave, and ``masked``
    tells that it gave another source.
    """

    box: Box
    in_interface: str | None
    out_interface: str | None
    bridged: bool
    state: str
    mark: int | None
    assumed: tuple[Assumption, ...] = ()
    marked_at: Span | None = None
    accepted: Decision | None = None
    end: End | None = None
    masked: bool = False

    @property
    def translated(self) -> bool:
        return self.end is not None


@dataclass(frozen=True, slots=True)
class _Part:
    """One way for a condition to hold: fields within these sets, and, where it is ``unknown``, that it ``holds``."""

    fields: Mapping[str, RangeSet] = field(default_factory=dict)
    unknown: bool = False
    holds: bool = True


_ALWAYS = (_Part(),)
_NEVER: tuple[_Part, ...] = ()


def _ends(state: _State) -> tuple[RangeSet, RangeSet]:
    return state.box.ends if state.end is None else (state.box.source, RangeSet.single(state.end.address))


@dataclass
class _Run:
    firewall: Firewall
    packets: PacketClass
    outcomes: list[Outcome] = field(default_factory=list)
    steps: int = 0
    hook: str = ""

    def __post_init__(self) -> None:
        self.any_address = any_address(self.packets.family)
        self.parts_of_fields = _parts_of_fields(self.firewall)

    def go(self) -> None:
        packets = self.packets
        # Before conntrack has seen a packet it belongs to nothing.
        mark = 0 if self.firewall.sees_marks else None
        out_interface = LOOPBACK if packets.to_itself else packets.out_interface
        start = _State(packets.box, packets.in_interface, out_interface, packets.bridged, "INVALID", mark)
        states = self._bridge_netfilter(start)
        if not self.firewall.captured:
            self._stop(states, Verdict.UNKNOWN, not_captured(self.firewall))
            return
        if packets.in_interface is None:
            return self._sent(self._pass("POSTROUTING", self._routed(self._pass("OUTPUT", states))))
        if packets.translated_back:
            states = [self._tracked(state) for state in states]
        else:
            states = self._pass("PREROUTING", [heard for state in states for heard in self._heard(state)])
        for state in self._routed(states):
            self._onward(state)

    def _sent(self, states: list[_State]) -> None:
        """What the host has sent; what goes to itself went out by loopback and comes in again."""
        self._deliver(state for state in states if state.out_interface != LOOPBACK)
        looped = [
            replace(state, in_interface=LOOPBACK, out_interface=None)
            for state in states
            if state.out_interface == LOOPBACK
        ]
        self._deliver(self._pass("INPUT", self._pass("PREROUTING", looped)))

    def _onward(self, state: _State) -> None:
        """What routing has sent on its way: to the host, or out by an interface."""
        if state.out_interface is None:
            return self._deliver(self._pass("INPUT", self._led_to_the_host(state)))
        if not state.bridged and self.firewall.forwarding_off is not None:
            self._end(state, Verdict.DROPPED, self.firewall.forwarding_off)
            return None
        return self._deliver(self._pass("POSTROUTING", self._pass("FORWARD", self._between_ports(state))))

    def _between_ports(self, state: _State) -> list[_State]:
        """What a bridge passes from port to port, which it does not between isolated ones."""
        found = self.firewall.isolation.get(state.in_interface or "") if state.bridged else None
        if found is None:
            return [state]
        if isinstance(found, Decision):
            return self._stop([state], Verdict.DROPPED, found)
        no = found.model_copy(update={"holds": False, "text": f"not so: {found.text}"})
        stopped = replace(state, assumed=(*state.assumed, no))
        self._end(stopped, Verdict.DROPPED, Decision(by="setting", text=no.text, span=no.span))
        return [replace(state, assumed=(*state.assumed, found))]

    def _heard(self, state: _State) -> list[_State]:
        """A state without the packets that are dropped before any table sees them."""
        interface = state.in_interface or ""
        unheard = self.firewall.routing.unheard(interface)
        if not unheard or state.bridged:
            return [state]
        decision = self.firewall.routing.not_led_to(unheard.least, interface)
        states = [state]
        for side in ("source", "destination"):
            states = [rest for one in states for rest in self._without(one, {side: unheard}, decision)]
        return states

    def _without(self, state: _State, dropped: Mapping[str, RangeSet], decision: Decision) -> list[_State]:
        """A state without the packets that have such values, which are dropped."""
        inside = state.box & dropped
        if inside is None:
            return [state]
        self._end(replace(state, box=inside), Verdict.DROPPED, decision)
        return [replace(state, box=box) for box in state.box.without(dropped)]

    def _led_to_the_host(self, state: _State) -> list[_State]:
        """A state without the packets to loopback, which may not come from outside (net/ipv4/route.c)."""
        interface = self.packets.in_interface or ""
        routing = self.firewall.routing
        barred = routing.barred(interface)
        if state.end is not None and state.end.address in barred:
            return self._stop([state], Verdict.DROPPED, routing.not_led_to(state.end.address, interface))
        if state.end is not None or not barred:
            return [state]
        return self._without(state, {"destination": barred}, routing.not_led_to(barred.least, interface))

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
        interface = LOOPBACK if way.kind == "local" and self.packets.in_interface is None else way.interface
        back = interface == self.packets.in_interface
        handed = back and self.firewall.hands_back(interface)
        return [replace(state, out_interface=interface, bridged=handed or (back and state.bridged)) for state in states]

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
        # What went out by loopback comes in again with both ends settled.
        looped = state.in_interface == LOOPBACK and self.packets.in_interface is None
        return state.state == "NEW" and not settled and not looped

    def _tracked(self, state: _State) -> _State:
        """A state that conntrack has seen, which comes after raw and leaves alone what that told it to."""
        return state if state.state == "UNTRACKED" else replace(state, state=self.packets.state)

    def _bridge_netfilter(self, start: _State) -> list[_State]:
        switch = self.firewall.bridge_netfilter(self.packets.in_interface)
        if not self.packets.bridged or switch is None:
            return [start]
        if isinstance(switch, Decision):
            for state in self._between_ports(start):
                self._end(state, Verdict.DELIVERED, switch)
            return []
        off = switch.model_copy(update={"holds": False, "text": f"not so: {switch.text}"})
        unseen = Decision(by="setting", text=off.text, span=None, capture_with=switch.capture_with)
        for state in self._between_ports(replace(start, assumed=(off,))):
            self._end(state, Verdict.DELIVERED, unseen)
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
        waiting = ByAddress(_ends, states)
        for rule in chain.rules_for(self._interfaces(states)):
            if not waiting:
                break
            if isinstance(rule.target, ir.Continue):
                continue
            matched: list[_State] = []
            missed: list[_State] = []
            for state in waiting.take(_addresses(rule)):
                self._cut(rule, state, matched, missed)
            if self.steps > MOST_STEPS:
                given_up = Decision(by="rule", text=f"given up at: {rule.text}", span=rule.span, rule=rule)
                self._stop(matched + missed + waiting.all(), Verdict.UNKNOWN, given_up)
                return back
            if matched:
                missed = self._rejoined(missed + self._target(visit, rule, matched, passed, back, depth))
            waiting.add(missed)
        return self._rejoined(back + waiting.all())

    def _rejoined(self, states: list[_State]) -> list[_State]:
        """States of which none is another one but for what it assumes, or each jump that is not certain would double
        them.
        """
        if len({id(state.assumed) for state in states}) < 2:
            return states
        apart: list[_State] = []
        for state in states:
            self.steps += len(apart)
            pieces = [state]
            left: list[_State] = []
            for other in apart:
                common = state.box & other.box.fields
                assumed = _either(state, other) if common is not None else None
                if common is None or assumed is None:
                    left.append(other)
                    continue
                both = [box for piece in pieces if (box := piece.box & common.fields) is not None]
                left += [replace(other, box=box, assumed=assumed) for box in both]
                left += [replace(other, box=box) for box in other.box.minus(both)]
                pieces = [replace(piece, box=box) for piece in pieces for box in piece.box.minus(both)]
            apart = left + pieces
        return apart

    def _interfaces(self, states: Iterable[_State]) -> frozenset[str]:
        """The names that rules may ask for and be answered yes."""
        names = {name for state in states for name in (state.in_interface, state.out_interface)}
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
                for state in matched:
                    translated = self._translate(rule, rule.target, state)
                    passed += translated or self._stop([state], Verdict.UNKNOWN, decision)
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
                return [replace(s, mark=_marked(s.mark, value, mask), marked_at=rule.span) for s in matched]
            case ir.ForgetMark():
                return [replace(state, mark=None, marked_at=rule.span) for state in matched]
            case ir.NoTrack():
                # What conntrack has seen it keeps (net/netfilter/xt_CT.c, notrack_tg).
                return [replace(s, state="UNTRACKED") if s.state == "INVALID" else s for s in matched]
            case ir.Drop():
                return self._stop(matched, Verdict.DROPPED, decision)
            case ir.Reject():
                return self._stop(matched, Verdict.REJECTED, decision)
            case _:
                return self._stop(matched, Verdict.UNKNOWN, decision)

    def _translate(self, rule: Rule, target: ir.Rewrite, state: _State) -> list[_State]:
        """A state with its new destination, or one for each that the kernel may give it; none where that is not known.

        Of a range the kernel takes what it likes (net/netfilter/nf_nat_core.c, find_best_ips_proto).
        """
        if target.how == "prefix":
            return _netmapped(target, state)
        ends = self._new_ends(target)
        if not ends:
            return []
        translated: list[_State] = []
        for end in ends[:-1]:
            yes, no = (assume_end(rule, end.address, end.port, self.packets.family, holds) for holds in (True, False))
            known = _assumed(state, yes)
            chosen = replace(state, end=end)
            if known is True:
                return [chosen]
            if known is None:
                translated.append(replace(chosen, assumed=(*state.assumed, yes)))
                state = replace(state, assumed=(*state.assumed, no))
        return [*translated, replace(state, end=ends[-1])]

    def _new_ends(self, target: ir.Rewrite) -> list[End]:
        """The destinations that a rule may give; none where they are not known, or too many."""
        addresses = target.addresses
        if target.how == "interface":
            own = self.firewall.routing.address_of(self.packets.in_interface or "")
            own = LOCALHOST[self.packets.family] if self.hook == "OUTPUT" else own
            addresses = None if own is None else (own, own)
        if addresses is None:
            return []
        ports = target.ports or (0, 0)
        if (addresses[1] - addresses[0] + 1) * (ports[1] - ports[0] + 1) > MOST_CHOICES:
            return []
        return [
            End(address, port if target.ports else None)
            for address in range(addresses[0], addresses[1] + 1)
            for port in range(ports[0], ports[1] + 1)
        ]

    def _stop(self, states: Iterable[_State], verdict: Verdict, decision: Decision) -> list[_State]:
        for state in states:
            self._end(state, verdict, decision)
        return []

    def _cut(self, rule: Rule, state: _State, matched: list[_State], missed: list[_State]) -> None:
        """Cuts a state into what the rule matches and what it does not."""
        asked = [self._parts(match, state) for match in rule.matches]
        if not all(asked) or any(len(parts) == 1 and not state.box.meets(parts[0].fields) for parts in asked):
            # One condition holds for none of it, so that there is nothing to cut by the others: a guard in table raw
            # asks for an address first, and then for another interface than nearly all packets have.
            self.steps += 1
            missed.append(state)
            return
        inside = [state]
        for place, parts in enumerate(asked):
            if parts is _ALWAYS:
                continue
            cut: list[_State] = []
            for piece in inside:
                self.steps += 1
                _cut_one(rule, place, parts, piece, cut, missed)
            inside = cut
            if not inside:
                break
        self.steps += 1
        matched += inside

    def _parts(self, match: ir.Match, state: _State) -> tuple[_Part, ...]:
        """The disjoint ways in which a condition holds for a state, its negation included."""
        parts = _parts_at(match, state.end) if state.end is not None else None
        if parts is None:
            parts = self.parts_of_fields(match)
        if parts is not None:
            return parts
        wanted = not match.negated
        match match:
            case ir.InterfaceMatch(side=side):
                name = state.in_interface if side == "in" else state.out_interface
                return _constant(match.matches(seen_interface(side, name, self.hook, state.bridged)) is wanted)
            case ir.StateMatch(states=states):
                if state.state in states or (state.translated and "DNAT" in states):
                    return _constant(wanted)
                past = asks_of_the_past(states, state.state)
                return (_Part(unknown=True, holds=wanted),) if past else _constant(not wanted)
            case ir.MarkMatch(value=value, mask=mask):
                if state.mark is None:
                    return (_Part(unknown=True, holds=wanted),)
                return _constant((state.mark & mask == value) is wanted)
            case ir.AddressTypeMatch():
                return self._address_type_parts(match, state.end)
            case ir.PhysdevMatch():
                return self._physdev_parts(match, state)
            case ir.OpaqueMatch(question=ir.SetQuestion() as question) if question in self.firewall.sets:
                return self._set_parts(match, question, state.end)
            case _:
                return (_Part(unknown=True, holds=wanted),)

    def _set_parts(self, match: ir.OpaqueMatch, question: ir.SetQuestion, end: End | None) -> tuple[_Part, ...]:
        found = self.firewall.sets.parts(question, self.packets.family)
        if found is None:
            return (_Part(unknown=True, holds=not match.negated),)
        held = [fields for part in found if (fields := _at_end(part, end)) is not None]
        if not match.negated:
            return tuple(_Part(fields) for fields in held)
        # Pieces of everything are what is left for the negation.
        everything = Box(self.any_address, self.any_address)
        inside = [box for fields in held if (box := everything & fields) is not None]
        return tuple(_Part(box.fields) for box in everything.minus(inside))

    def _address_type_parts(self, match: ir.AddressTypeMatch, end: End | None) -> tuple[_Part, ...]:
        found = self.firewall.routing.addresses_of_type(match.types)
        if found is None:
            return (_Part(unknown=True, holds=not match.negated),)
        if end is not None and match.side == "destination":
            return _constant((end.address in found) is not match.negated)
        return (_Part({match.side: _chosen(found, self.any_address, not match.negated)}),)

    def _physdev_parts(self, match: ir.PhysdevMatch, state: _State) -> tuple[_Part, ...]:
        wanted = not match.negated
        bridged = state.bridged
        if not bridged and isinstance(self.firewall.bridge_netfilter(state.in_interface), Decision):
            return _constant(not wanted)
        has_port = bridged and self.hook != "PREROUTING"
        if match.what in ("is-bridged", "is-out"):
            return _constant(has_port is wanted)
        if match.what == "is-in" and bridged:
            return _constant(wanted)
        if match.what == "out" and not has_port and (bridged or wanted):
            return _NEVER
        return (_Part(unknown=True, holds=wanted),)


def _cut_one(
    rule: Rule, place: int, parts: tuple[_Part, ...], state: _State, matched: list[_State], missed: list[_State]
) -> None:
    """Cuts a state by one condition of a rule."""
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
            if not part.unknown:
                matched.append(inside)
                continue
            for answer in (True, False):
                assumption = assume_match(rule, place, answer, state.marked_at)
                known = _assumed(inside, assumption)
                if known is not None and known is not answer:
                    continue
                branch = inside if known is not None else replace(inside, assumed=(*inside.assumed, assumption))
                (matched if answer is part.holds else left).append(branch)
        rest = left
    missed += rest


@once
def _parts_of_fields(firewall: Firewall) -> Callable[[ir.Match], tuple[_Part, ...] | None]:
    return by_identity(partial(_on_fields, firewall.family))


def _on_fields(family: int, match: ir.Match) -> tuple[_Part, ...] | None:
    """The ways in which a condition holds that hangs on the fields of a packet alone; None where it hangs on more."""
    wanted = not match.negated
    match match:
        case ir.AddressMatch(side=side, ranges=ranges):
            return (_Part({side: _chosen(RangeSet.of(*ranges), any_address(family), wanted)}),)
        case ir.ProtocolMatch(number=number):
            return (_Part({"protocol": _chosen(RangeSet.single(number), ANY_PROTOCOL, wanted)}),)
        case ir.PortMatch():
            return _port_parts(match, None)
        case ir.IcmpMatch(type=kind, code=code):
            codes = RangeSet.of((kind * 256, kind * 256 + 255) if code is None else (kind * 256 + code,) * 2)
            protocol = RangeSet.single(ICMP if family == 4 else ICMPV6)
            return (_Part({"protocol": protocol, "icmp": _chosen(codes, ANY_ICMP, wanted)}),)
        case ir.TcpFlagsMatch(mask=mask, flags=flags):
            found = RangeSet.single(*(bits for bits in range(64) if bits & mask == flags))
            return (_Part({"protocol": RangeSet.single(TCP), "tcp_flags": _chosen(found, ANY_FLAGS, wanted)}),)
        case ir.FragmentMatch():
            # Connection tracking puts fragments together before any table sees them (nf_defrag_ipv4).
            return _constant(match.negated)
        case _:
            return None


def _parts_at(match: ir.Match, end: End) -> tuple[_Part, ...] | None:
    """The ways in which a condition on the end that table nat gave packets holds; None for any other condition."""
    match match:
        case ir.AddressMatch(side="destination", ranges=ranges):
            return _constant((end.address in RangeSet.of(*ranges)) is not match.negated)
        case ir.PortMatch() if end.port is not None:
            return _port_parts(match, end.port)
        case _:
            return None


def _port_parts(match: ir.PortMatch, to_port: int | None) -> tuple[_Part, ...]:
    """The ways in which a condition on ports holds; ``to_port`` is that which table nat gave the packets."""
    protocols = RangeSet.single(*PORT_PROTOCOLS)
    ports = RangeSet.of(*match.ranges)
    others = ANY_PORT - ports
    if match.side == "source":
        return (_Part({"protocol": protocols, "source_port": others if match.negated else ports}),)
    if to_port is not None:
        # One port stands for all that the packets had.
        to = ANY_PORT if to_port in ports else RangeSet()
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


def _netmapped(target: ir.Rewrite, state: _State) -> list[_State]:
    """A state for each destination that NETMAP makes of those that it had; none where they are too many."""
    old = state.box.destination
    if target.addresses is None or old.size > MOST_CHOICES:
        return []
    return [
        replace(
            state,
            box=replace(state.box, destination=RangeSet.single(address)),
            end=End(netmap(address, target.addresses), None),
        )
        for address in old.first(MOST_CHOICES)
    ]


def _at_end(fields: Mapping[str, RangeSet], end: End | None) -> Mapping[str, RangeSet] | None:
    """What fields ask of packets that table nat has sent to another end; None where that is not what they ask for."""
    if end is None:
        return fields
    asked = dict(fields)
    address = asked.pop("destination", None)
    port = asked.pop("destination_port", None) if end.port is not None else None
    if (address is not None and end.address not in address) or (port is not None and (end.port or 0) not in port):
        return None
    return asked


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


def _either(one: _State, other: _State) -> tuple[Assumption, ...] | None:
    """What is assumed of packets that are in one of two states; None where that cannot be said.

    If all that they do not share is what a dump does not show, it is enough to know that the packets hang on it: they
    are unknown unless all of them come to the same.
    """
    if replace(one, box=other.box, assumed=other.assumed) != other:
        return None
    answers = {assumption.key: assumption.holds for assumption in other.assumed}
    common = tuple(assumption for assumption in one.assumed if answers.get(assumption.key) is assumption.holds)
    shared = {assumption.key for assumption in common}
    differing = [assumption for assumption in (*one.assumed, *other.assumed) if assumption.key not in shared]
    if len(differing) == 2 and differing[0].key == differing[1].key:
        return common
    if not differing or not all(assumption.hidden for assumption in differing):
        return None
    # No rule asks by this key, since neither answer is ruled out from here on.
    return (*common, differing[0].model_copy(update={"key": f"either way, {differing[0].key}"}))


def _accepted(state: _State, visit: Visit, decision: Decision) -> _State:
    if visit.table.name == "filter" or state.accepted is None:
        return replace(state, accepted=decision)
    return state


@once
def _addresses(rule: Rule) -> dict[str, RangeSet]:
    """The addresses that a rule asks for, by side, where it asks by one condition without negation."""
    asked: dict[str, RangeSet] = {}
    for match in rule.matches:
        if isinstance(match, ir.AddressMatch) and not match.negated:
            asked[match.side] = RangeSet.of(*match.ranges)
    return asked
