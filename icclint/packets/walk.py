"""One packet through the tables, as netfilter takes it, in three-valued logic.

A netfilter engineer should be able to check this against net/ipv4/netfilter/ip_tables.c (ipt_do_table) line by
line. Where a rule asks something that the capture does not hold, the packet goes both ways; if both end alike, the
end is certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
from icclint.packets.nat import End, assume_end, new_ends
from icclint.packets.packet import PORT_PROTOCOLS, TCP, Packet
from icclint.packets.routing import LOOPBACK, Way
from icclint.packets.verdict import (
    Assumption,
    Decision,
    Delivery,
    Step,
    Trace,
    Verdict,
    assume_match,
    decided_by_rule,
)
from icclint.source import Span

MOST_WAYS = 256
"""How many ways of one packet are followed, before its end is called unknown."""
MOST_RULES = 1_000_000
"""How many rules one way may meet: a bound on chains that call each other, which the kernel refuses to load."""


class _UndecidedError(Exception):
    """The way forks at something that is not known yet."""

    def __init__(self, yes: Assumption, no: Assumption) -> None:
        super().__init__(yes.key)
        self.branches = (yes, no)


def walk(firewall: Firewall, packet: Packet, assumptions: Iterable[Assumption] = ()) -> Trace:
    """The way of a packet, given some assumptions.

    The trace names the assumptions that its end hangs on; it has none of its own where every way ends alike.
    """
    given = tuple(assumptions)
    ways: list[Trace] = []
    for trace in _ways(firewall, packet, given):
        ways.append(trace)
        if len(ways) == MOST_WAYS:
            too_many = Decision(by="absent", text=f"more than {MOST_WAYS} ways to go on", span=trace.decision.span)
            return trace.model_copy(update={"verdict": Verdict.UNKNOWN, "decision": too_many})
    # The way on which no unknown condition holds reads best: it is the last one.
    shown = ways[-1]
    if len({way.verdict for way in ways}) == 1:
        return shown.model_copy(update={"assumptions": needed(firewall, shown.verdict, given)})
    first = next(way for way in ways if way.verdict is not shown.verdict)
    forks = tuple(a for a in first.assumptions if a not in shown.assumptions)
    return shown.model_copy(update={"verdict": Verdict.UNKNOWN, "assumptions": given + forks})


def needed(firewall: Firewall, verdict: Verdict, assumed: tuple[Assumption, ...]) -> tuple[Assumption, ...]:
    """The assumptions of an end. Tables that were not captured can only stop a packet: only a delivery needs them."""
    return assumed + firewall.standing if verdict is Verdict.DELIVERED else assumed


def _ways(firewall: Firewall, packet: Packet, assumed: tuple[Assumption, ...]) -> Iterator[Trace]:
    pending = [assumed]
    while pending:
        here = pending.pop()
        try:
            yield _Walk(firewall, packet, here).run()
        except _UndecidedError as fork:
            yes, no = fork.branches
            pending += [(*here, no), (*here, yes)]


@dataclass
class _Walk:
    """The state of one walk: the mark and the connection's state change on the way, ``hook`` is the built-in chain."""

    firewall: Firewall
    packet: Packet
    assumed: tuple[Assumption, ...]
    steps: list[Step] = field(default_factory=list)
    accepted: Decision | None = None

    def __post_init__(self) -> None:
        self.here = self.packet
        self.source_seen: int | None = self.packet.source
        self.translated: set[str] = set()
        self.mark: int | None = self.packet.mark if self.firewall.sees_marks else None
        self.marked_at: Span | None = None
        # Before conntrack has seen a packet it belongs to nothing (net/netfilter/xt_conntrack.c, conntrack_mt).
        self.state = "INVALID"
        self.hook = ""

    def run(self) -> Trace:
        unseen = self._bridged_unseen()
        if unseen is not None:
            self.accepted = unseen
            return self._between_ports() or self._deliver(self.here.out_interface)
        if not self.firewall.captured:
            return self._end(Verdict.UNKNOWN, not_captured(self.firewall))
        return self._send() if self.here.in_interface is None else self._receive()

    def _send(self) -> Trace:
        """What the host itself sends is routed first, and again where OUTPUT changed its destination."""
        way = self.firewall.routing.decide(self.here.destination)
        if way.kind == "none":
            return self._nowhere(way)
        self._go_out_by(way)
        before = self.here.destination
        ended = self._pass("OUTPUT")
        if ended is not None:
            return ended
        if self.here.destination != before:
            way = self.firewall.routing.decide(self.here.destination)
            self._go_out_by(way)
        if way.kind == "forward":
            return self._pass("POSTROUTING") or self._deliver(self.here.out_interface)
        return self._pass("POSTROUTING") or self._loop()

    def _loop(self) -> Trace:
        """To one of the host's own addresses: out by loopback and in again."""
        self.here = self.here.model_copy(update={"in_interface": LOOPBACK, "out_interface": None})
        return self._pass("PREROUTING") or self._pass("INPUT") or self._deliver(None)

    def _nowhere(self, way: Way) -> Trace:
        return self._end(Verdict.DROPPED, Decision(by="setting", text=way.text, span=way.span))

    def _receive(self) -> Trace:
        before = self.here.destination
        interface, routing = self.here.in_interface or "", self.firewall.routing
        for address in (self.here.source, self.here.destination):
            if address in routing.unheard(interface) and not self.here.bridged:
                return self._end(Verdict.DROPPED, routing.not_led_to(address, interface))
        ended = self._pass("PREROUTING")
        if ended is not None:
            return ended
        if self.here.out_interface is None or self.here.destination != before:
            stray = routing.refuses(self.here.source, self.here.destination, interface)
            if stray is not None:
                return self._end(Verdict.DROPPED, stray)
            way = self.firewall.routing.decide(self.here.destination)
            if way.kind == "none":
                return self._nowhere(way)
            if way.kind == "local":
                self.here = self.here.model_copy(update={"out_interface": None, "bridged": False})
                return self._pass("INPUT") or self._deliver(None)
            self._go_out_by(way)
        if not self.here.bridged and self.firewall.forwarding_off is not None:
            return self._end(Verdict.DROPPED, self.firewall.forwarding_off)
        ended = self._between_ports() or self._pass("FORWARD") or self._pass("POSTROUTING")
        return ended or self._deliver(self.here.out_interface)

    def _between_ports(self) -> Trace | None:
        """A bridge gives no frame from one isolated port to another. None lets it go on."""
        found = self.firewall.isolation.get(self.here.in_interface or "") if self.here.bridged else None
        if found is None:
            return None
        if isinstance(found, Decision):
            return self._end(Verdict.DROPPED, found)
        no = found.model_copy(update={"holds": False, "text": f"not so: {found.text}"})
        if self._assume(found, no):
            return None
        return self._end(Verdict.DROPPED, Decision(by="setting", text=no.text, span=no.span))

    def _go_out_by(self, way: Way) -> None:
        if way.assumption is not None:
            self.assumed = (*self.assumed, way.assumption)
        interface = LOOPBACK if way.kind == "local" else way.interface
        translated = self.here.destination != self.packet.destination
        stays = self.here.bridged or (translated and self.firewall.hands_back(interface))
        bridged = stays and interface == self.here.in_interface
        way_out = {"out_interface": interface, "bridged": bridged, "out_port": None}
        self.here = self.here.model_copy(update=way_out)

    def _pass(self, hook: str) -> Trace | None:
        """One hook with all its tables. None lets the packet go on."""
        for visit in self.firewall.visits[hook]:
            # raw comes before conntrack, and what it leaves UNTRACKED stays so (uapi/linux/netfilter_ipv4.h).
            if visit.table.name != "raw" and self.state != "UNTRACKED":
                self.state = self.packet.state
            if visit.table.name == "nat" and not self._asks_nat(hook):
                continue
            ended = self._visit(visit)
            if ended is not None:
                return ended
        return None

    def _asks_nat(self, hook: str) -> bool:
        """nat is asked by a connection's first packet, once for each end (net/netfilter/nf_nat_core.c, nf_nat_inet_fn).

        What went out by loopback comes in again with both ends settled.
        """
        settled = "DNAT" if hook in ("PREROUTING", "OUTPUT") else "SNAT"
        looped = self.here.in_interface == LOOPBACK and self.packet.in_interface is None
        return self.state == "NEW" and settled not in self.translated and not looped

    def _deliver(self, interface: str | None) -> Trace:
        nothing = Decision(by="absent", text="no captured table has a word on this packet", span=None)
        here = self.here
        delivery = Delivery(
            interface=interface, address=here.destination, port=here.destination_port, source=self.source_seen
        )
        return self._end(Verdict.DELIVERED, self.accepted or nothing, delivery)

    def _bridged_unseen(self) -> Decision | None:
        switch = self.firewall.bridge_netfilter(self.here.in_interface)
        if not self.here.bridged or switch is None:
            return None
        if isinstance(switch, Decision):
            return switch
        if self._assume(switch, switch.model_copy(update={"holds": False, "text": f"not so: {switch.text}"})):
            return None
        return Decision(by="setting", text=f"not so: {switch.text}", span=None, capture_with=switch.capture_with)

    def _visit(self, visit: Visit) -> Trace | None:
        """One built-in chain. None lets the packet go on to the next one."""
        built_in = visit.chain
        self.hook = visit.hook
        if built_in is None:
            return None if visit.table.complete else self._end(Verdict.UNKNOWN, absent_chain(self.firewall, visit))
        stack: list[tuple[Chain, int]] = []
        chain, position = built_in, 0
        while True:
            if position == len(chain.rules):
                if not stack:
                    # Also at the end of a chain that a goto led to (net/ipv4/netfilter/ip_tables.c, underflow).
                    return self._policy(visit, built_in)
                chain, position = stack.pop()
                continue
            rule = chain.rules[position]
            position += 1
            if len(self.steps) == MOST_RULES:
                return self._end(Verdict.UNKNOWN, _decision(rule, f"given up after {MOST_RULES} rules: {rule.text}"))
            if not self._meets(rule, len(stack)):
                continue
            match rule.target:
                case ir.Accept():
                    self._accept(visit, decided_by_rule(rule))
                    return None
                case ir.Rewrite():
                    return self._rewrite(rule, rule.target)
                case ir.Drop():
                    return self._end(Verdict.DROPPED, decided_by_rule(rule))
                case ir.Reject():
                    return self._end(Verdict.REJECTED, decided_by_rule(rule))
                case ir.Return():
                    position = len(chain.rules)
                case ir.Jump(chain=name) | ir.Goto(chain=name):
                    called = visit.table.chains.get(name)
                    if called is None:
                        return self._end(Verdict.UNKNOWN, absent_chain(self.firewall, visit, rule))
                    if isinstance(rule.target, ir.Jump):
                        stack.append((chain, position))
                    chain, position = called, 0
                case ir.SetMark(value=value, mask=mask):
                    self.mark, self.marked_at = marked(self.mark, value, mask), rule.span
                case ir.ForgetMark():
                    self.mark, self.marked_at = None, rule.span
                case ir.NoTrack():
                    # What conntrack has seen it keeps: raw comes before it, but by loopback comes what was sent
                    # (net/netfilter/xt_CT.c, notrack_tg).
                    if self.state == "INVALID":
                        self.state = "UNTRACKED"
                case ir.Continue():
                    pass
                case _:
                    return self._end(Verdict.UNKNOWN, decided_by_rule(rule))

    def _meets(self, rule: Rule, depth: int) -> bool:
        """Whether the rule's target is carried out. Where its target says nothing of the packet, doubt is kept out."""
        matched: bool | None = True
        why = ""
        for place, match in enumerate(rule.matches):
            holds = self._one_holds(rule, place)
            if holds is False:
                matched, why = False, match.text
                break
            if holds is None and matched:
                matched, why = None, match.text
        if matched is None and not isinstance(rule.target, ir.Continue):
            failing = next((m for place, m in enumerate(rule.matches) if not self._decide(rule, place)), None)
            matched, why = failing is None, failing.text if failing is not None else ""
        self.steps.append(Step(rule.text, rule.span, rule.table, rule.chain, depth, matched, rule.target, why))
        return matched is True

    def _policy(self, visit: Visit, chain: Chain) -> Trace | None:
        if chain.policy is None:
            return self._end(Verdict.UNKNOWN, absent_policy(self.firewall, visit, chain))
        policy = f"policy {chain.policy}"
        self.steps.append(Step(policy, chain.span, visit.table.name, chain.name, 0, matched=True, target=chain.policy))
        decision = Decision(by="policy", text=f"policy {chain.policy} of chain {chain.name}", span=chain.span)
        if chain.policy == "ACCEPT":
            self._accept(visit, decision)
            return None
        return self._end(Verdict.DROPPED if chain.policy == "DROP" else Verdict.UNKNOWN, decision)

    def _accept(self, visit: Visit, decision: Decision) -> None:
        # The filter table is where Docker and people decide, so its word is the one to show.
        if visit.table.name == "filter" or self.accepted is None:
            self.accepted = decision

    def _rewrite(self, rule: Rule, target: ir.Rewrite) -> Trace | None:
        """Gives the packet another end. None lets it go on, which is what accepts it in table nat."""
        choices = new_ends(target, self.here, self.firewall.routing, sent=self.hook == "OUTPUT")
        if choices is None and target.of == "destination":
            return self._end(Verdict.UNKNOWN, decided_by_rule(rule))
        self.translated.add("DNAT" if target.of == "destination" else "SNAT")
        if choices is None:
            self.source_seen = None
            return None
        address, port = self._pick(rule, target, choices)
        side = target.of
        self.here = self.here.model_copy(update={side: address, f"{side}_port": port})
        self.source_seen = self.here.source
        if self.hook == "OUTPUT":
            # Routed anew at once, before the tables behind nat (net/netfilter/nf_nat_proto.c, nf_nat_ipv4_local_fn).
            way = self.firewall.routing.decide(address)
            return self._nowhere(way) if way.kind == "none" else None
        return None

    def _pick(self, rule: Rule, target: ir.Rewrite, choices: tuple[End, ...]) -> End:
        """Of a range the kernel takes what it likes (nf_nat_core.c, find_best_ips_proto), so the way forks."""
        *others, last = choices
        for choice in others:
            port = choice[1] if target.ports else None
            yes, no = (assume_end(rule, choice[0], port, self.here.family, holds) for holds in (True, False))
            if self._assume(yes, no):
                return choice
        return last

    def _end(self, verdict: Verdict, decision: Decision, delivery: Delivery | None = None) -> Trace:
        assumptions = needed(self.firewall, verdict, self.assumed)
        return Trace(
            verdict=verdict, decision=decision, steps=tuple(self.steps), assumptions=assumptions, delivery=delivery
        )

    def _decide(self, rule: Rule, place: int) -> bool:
        """Like `_one_holds`, but the unknown becomes an assumption, and the way forks there."""
        known = self._one_holds(rule, place)
        if known is not None:
            return known
        yes, no = (assume_match(rule, place, holds, self.marked_at) for holds in (True, False))
        return self._assume(yes, no) is not rule.matches[place].negated

    def _assume(self, yes: Assumption, no: Assumption) -> bool:
        for assumption in self.assumed:
            if assumption.key == yes.key:
                return assumption.holds
        raise _UndecidedError(yes, no)

    def _one_holds(self, rule: Rule, place: int) -> bool | None:
        """Whether one condition of a rule holds, its negation included; None where nothing tells."""
        match = rule.matches[place]
        holds = self._captured(match)
        if holds is None and self.assumed:
            key = assume_match(rule, place, True, self.marked_at).key
            holds = next((assumption.holds for assumption in self.assumed if assumption.key == key), None)
        return None if holds is None else holds is not match.negated

    def _captured(self, match: ir.Match) -> bool | None:
        """Whether a condition holds, its negation left aside; None where the capture does not tell."""
        packet = self.here
        match match:
            case ir.InterfaceMatch(side=side):
                name = packet.in_interface if side == "in" else packet.out_interface
                return match.matches(seen_interface(side, name, self.hook, packet.bridged))
            case ir.AddressMatch(side=side, ranges=ranges):
                return _within(packet.source if side == "source" else packet.destination, ranges)
            case ir.ProtocolMatch(number=number):
                return packet.protocol == number
            case ir.PortMatch():
                return self._port(match)
            case ir.IcmpMatch(type=kind, code=code):
                # Where the packet is no ICMP the kernel never asks, since such rules demand the protocol too.
                return packet.icmp is not None and packet.icmp[0] == kind and code in (None, packet.icmp[1])
            case ir.TcpFlagsMatch(mask=mask, flags=flags):
                return packet.protocol == TCP and (packet.tcp_flags or 0) & mask == flags
            case ir.StateMatch(states=states):
                if self.state in states or not states.isdisjoint(self.translated):
                    return True
                return None if asks_of_the_past(states, self.state) else False
            case ir.MarkMatch(value=value, mask=mask):
                return None if self.mark is None else self.mark & mask == value
            case ir.AddressTypeMatch(side=side, types=types):
                return self._address_type(packet.source if side == "source" else packet.destination, types)
            case ir.PhysdevMatch():
                return self._physdev(match)
            case ir.FragmentMatch():
                # Connection tracking puts fragments together before any table sees them (nf_defrag_ipv4).
                return False
            case ir.OpaqueMatch(question=ir.SetQuestion() as question) if question in self.firewall.sets:
                return self.firewall.sets.holds(question, packet)
            case _:
                return None

    def _port(self, match: ir.PortMatch) -> bool | None:
        packet = self.here
        if packet.protocol not in PORT_PROTOCOLS:
            # As for ICMP: the kernel takes such a rule only together with the protocol.
            return match.negated
        source = _within(packet.source_port or 0, match.ranges)
        destination = _within(packet.destination_port or 0, match.ranges)
        return {"source": source, "destination": destination, "either": source or destination}[match.side]

    def _address_type(self, address: int, types: frozenset[str]) -> bool | None:
        found = self.firewall.routing.addresses_of_type(types)
        return None if found is None else address in found

    def _physdev(self, match: ir.PhysdevMatch) -> bool | None:
        packet, switch = self.here, self.firewall.bridge_netfilter(self.here.in_interface)
        if not packet.bridged and isinstance(switch, Decision):
            # Ports are br_netfilter's to tell, for what it hands to the router too (net/bridge/br_netfilter_hooks.c).
            return False
        in_port = packet.in_port if packet.bridged or switch is None else None
        match match.what:
            case "is-bridged" | "is-out":
                # A bridge chooses the port after PREROUTING, and where a packet is routed to it, after all tables.
                return packet.bridged and self.hook != "PREROUTING"
            case "is-in":
                return True if packet.bridged or in_port is not None else None
            case "out" if self.hook == "PREROUTING" or not packet.bridged:
                # Before there is a port, `! --physdev-out` does not hold either for what came in by one, but holds for
                # what did not (net/netfilter/xt_physdev.c, physdev_mt).
                came_by_port = packet.bridged or in_port is not None
                return (True if came_by_port else None) if match.negated else False
        port = in_port if match.what == "in" else packet.out_port
        if port is None:
            return None
        return ir.InterfaceMatch(side="in", pattern=match.pattern, text="").matches(port)


def marked(mark: int | None, value: int, mask: int) -> int | None:
    """A mark after ``MARK --set-xmark VALUE/MASK``; one that is not known is known again where no bit of it is left."""
    if mark is None:
        return value if mask == 0xFFFFFFFF else None
    return (mark & ~mask) ^ value


def _within(value: int, ranges: tuple[ir.Range, ...]) -> bool:
    return any(first <= value <= last for first, last in ranges)


def _decision(rule: Rule, text: str) -> Decision:
    return Decision(by="rule", text=text, span=rule.span, rule=rule)
