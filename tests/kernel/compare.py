"""What the kernel did against what the engine says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from icclint.ir.host import Host
from icclint.ir.ruleset import Rule
from icclint.packets.box import Box
from icclint.packets.effect import opening
from icclint.packets.firewall import firewall
from icclint.packets.judgement import PacketClass
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, TCP, UDP, Packet
from icclint.packets.ranges import RangeSet
from icclint.packets.sets import judge
from icclint.packets.verdict import Trace, Verdict
from icclint.packets.walk import walk
from tests.kernel.frames import StrayError, length, numbers
from tests.kernel.lab import HOST, MOST, ROUTES, Arrival, Outcome, Place, Probe, Route, probe
from tests.kernel.vocabulary import GRE, ICMPS

_RST = 4


def differences(host: Host, probes: Sequence[Probe], outcome: Outcome) -> list[str]:
    """Where `walk` does not say what the kernel did with these packets, in words."""
    traces = walks(host, probes)
    return [*wrong_ends(probes, traces, outcome), *_wrong_ticks(host, probes, traces, outcome)]


def walks(host: Host, probes: Sequence[Probe]) -> list[Trace]:
    """What the engine says of each packet."""
    return [walk(firewall(host, sent.packet.family), sent.packet) for sent in probes]


def wrong_ends(probes: Sequence[Probe], traces: Sequence[Trace], outcome: Outcome) -> Iterator[str]:
    """Where packets did not end as their traces say."""
    for number, (sent, trace) in enumerate(zip(probes, traces, strict=True)):
        said, name = trace.verdict, f"{number}: {sent.packet.describe()}"
        if said is Verdict.UNKNOWN:
            yield f"{name}: unknown by {trace.decision.text}"
            continue
        where = [f"{a.station.name} {a.destination}" for a in outcome.arrived.get(number, [])]
        if not _as_said(sent, trace, outcome.arrived.get(number, [])):
            yield f"{name}: {said.value} by {trace.decision.text} to {trace.delivery}, but arrived at {where or 'none'}"
        # The router itself tells of what has no way.
        if said is Verdict.DROPPED and number in outcome.answered and trace.decision.by != "setting":
            yield f"{name}: dropped by {trace.decision.text}, but its sender was told"
        if said is Verdict.REJECTED and number not in outcome.answered and _has_answer(sent):
            yield f"{name}: rejected by {trace.decision.text}, but its sender was not told"


def _as_said(sent: Probe, trace: Trace, arrivals: Sequence[Arrival]) -> bool:
    """Whether a packet was seen where its trace says, and as it says; what the host keeps is seen by nobody."""
    end = trace.delivery
    if end is None or end.interface is None:
        return not arrivals
    if len(arrivals) != 1:
        return False
    seen, family = arrivals[0], sent.packet.family
    if (end.interface, end.address, end.port) != (seen.station.interface, seen.destination, seen.destination_port):
        return False
    if end.source not in (None, seen.source):
        return False
    # A bridge goes by the frame's address, the router by the packet's.
    bridged = sent.route.bridged and end.address == sent.packet.destination
    return seen.station is sent.route.destination if bridged else end.address in seen.station.addresses[family]


def _has_answer(sent: Probe) -> bool:
    """Whether REJECT certainly answers: not to errors, nor to a RST, nor where it finds no checksum that it knows.

    What it tells the host itself is not seen.
    """
    packet = sent.packet
    if sent.route.source is HOST:
        return False
    if packet.protocol == TCP:
        return not (packet.tcp_flags or 0) & _RST
    return packet.protocol == UDP or (packet.icmp is not None and packet.icmp[0] in (8, 128))


def _wrong_ticks(host: Host, probes: Sequence[Probe], traces: Sequence[Trace], outcome: Outcome) -> Iterator[str]:
    # A chain that is called twice counts twice.
    said: dict[Place, list[int]] = defaultdict(list)
    unknown: dict[Place, set[int]] = defaultdict(set)
    for number, trace in enumerate(traces):
        for step in trace.steps:
            assert step.span is not None
            place = step.span.document, step.span.line
            if step.matched:
                said[place].append(number)
            elif step.matched is None:
                unknown[place].add(number)
    for place, text in _counting_lines(host, outcome):
        expected = said[place]
        if outcome.counted[place] == (len(expected), sum(map(length, expected))):
            continue
        try:
            ticked = numbers(*outcome.counted[place])
        except StrayError as error:
            yield f"{text}: {error}, where {expected} were expected"
            continue
        wrong = (ticked ^ set(expected)) - unknown[place]
        if wrong or len(expected) > len(set(expected)):
            yield f"{text}: counted {sorted(ticked)}, where {expected} were expected"


def _counting_lines(host: Host, outcome: Outcome) -> Iterator[tuple[Place, str]]:
    """All rules and policies, less those that count the host's own answers too."""
    for ruleset in host.rulesets:
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                if chain.name in ("OUTPUT", "POSTROUTING") and outcome.answered:
                    continue
                spans = [(rule.span, rule.text) for rule in chain.rules]
                if chain.span is not None and chain.policy is not None:
                    spans.append((chain.span, f":{chain.name} {chain.policy}"))
                for span, text in spans:
                    yield (span.document, span.line), f"{span.document} {table.name} {text}"


def rules(host: Host) -> Iterator[Rule]:
    """All rules of a host."""
    for ruleset in host.rulesets:
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                yield from chain.rules


def contradictions(host: Host, probes: Sequence[Probe]) -> Iterator[str]:
    """Where `judge` says something else than `walk` of its own witness, or of a packet of its class."""
    for packets, sent in _classes(probes).items():
        tables = firewall(host, packets.family)
        found = judge(tables, packets)
        for verdict in (Verdict.DELIVERED, Verdict.DROPPED, Verdict.REJECTED):
            for share in found.shares(verdict):
                walked = walk(tables, share.witness, share.assumptions).verdict
                if walked is not verdict:
                    yield f"{share.witness.describe()} is a witness of {verdict.value}, but walks to {walked.value}"
        for packet in sent:
            possible = {outcome.verdict for outcome in found.outcomes if holds(outcome.box, packet)}
            walked = walk(tables, packet).verdict
            # What hangs on something unknown is in a box of each end.
            undecided = Verdict.UNKNOWN in possible or (walked is Verdict.UNKNOWN and len(possible) > 1)
            if walked not in possible and not undecided:
                said = ", ".join(verdict.value for verdict in possible) or "no box"
                yield f"{packet.describe()} is in {said}, but walks to {walked.value}"


def _classes(probes: Sequence[Probe]) -> dict[PacketClass, list[Packet]]:
    """For each way and state the class of all packets between its stations, and those that were sent."""
    sent: dict[tuple[Route, str], list[Packet]] = defaultdict(list)
    for one in probes:
        sent[one.route, one.packet.state].append(one.packet)
    return {_class(route, state, packets): packets for (route, state), packets in sent.items()}


def _class(route: Route, state: str, packets: Sequence[Packet]) -> PacketClass:
    family = packets[0].family
    sources = RangeSet.single(*route.source.addresses[family], *(packet.source for packet in packets))
    destinations = RangeSet.single(*route.destination.addresses[family], *(packet.destination for packet in packets))
    foreign = RangeSet.single(ICMPV6 if family == 4 else ICMP)
    box = Box(sources, destinations, protocol=RangeSet.of((0, 255)) - foreign)
    incoming, outgoing = route.source.interface or None, route.destination.interface or None
    return PacketClass(family, incoming, outgoing, route.bridged, box, state)


def holds(box: Box, packet: Packet) -> bool:
    """Whether a packet is one of a box."""
    fields = {"source": packet.source, "destination": packet.destination, "protocol": packet.protocol}
    if packet.protocol in PORT_PROTOCOLS:
        fields |= {"source_port": packet.source_port or 0, "destination_port": packet.destination_port or 0}
    if packet.icmp is not None:
        fields["icmp"] = packet.icmp[0] << 8 | packet.icmp[1]
    if packet.protocol == TCP:
        fields["tcp_flags"] = packet.tcp_flags or 0
    return all(value in getattr(box, name) for name, value in fields.items())


def witnesses(host: Host, family: int) -> Iterator[list[Probe]]:
    """For each way the packets that `judge` shows for its verdicts on first packets of flows, to be sent in turn."""
    tables = firewall(host, family)
    for route in ROUTES:
        source, destination = (RangeSet.single(*end.addresses[family]) for end in (route.source, route.destination))
        box = opening(family, source, destination)
        box = replace(box, protocol=box.protocol & RangeSet.single(TCP, UDP, ICMPS[family], *PORT_PROTOCOLS, GRE))
        model = probe(route, family, GRE).packet
        packets = PacketClass(family, model.in_interface, model.out_interface, route.bridged, box)
        shares = [share for verdict in Verdict for share in judge(tables, packets).shares(verdict)]
        ports = {"in_port": model.in_port, "out_port": model.out_port}
        shown = [share.witness.model_copy(update=ports) for share in shares if share.assumptions == tables.standing]
        for start in range(0, len(shown), MOST):
            yield [Probe(route, packet) for packet in shown[start : start + MOST]]
