"""Packets within a flow, tables of both variants at once, and bridged frames that no table sees."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from icclint.packets.packet import SYN, TCP, UDP
from icclint.packets.verdict import Verdict
from tests.kernel.compare import contradictions, differences, rules, walks, wrong_ends
from tests.kernel.frames import datagram, numbers
from tests.kernel.lab import FAMILIES, HOST, MOST, ROUTES, VARIANTS, A, B, C, Lab, Probe, Route, probe
from tests.kernel.vocabulary import ECHO, ICMPS, words

pytestmark = pytest.mark.kernel

ACK = 16

BY_STATE = """
    *raw
    -A PREROUTING -m conntrack --ctstate ESTABLISHED,RELATED -j DROP
    *mangle
    -A PREROUTING -m conntrack --ctstate ESTABLISHED
    -A POSTROUTING -m state --state RELATED
    *nat
    -A PREROUTING -i br0
    -A POSTROUTING ! -o eth0
    *filter
    :FORWARD DROP
    -A FORWARD -m conntrack --ctstate RELATED -j ACCEPT
    -A FORWARD -p {icmp} -m conntrack ! --ctstate NEW -j DROP
    -A FORWARD -m conntrack --ctstate ESTABLISHED -s {a} -j ACCEPT
    -A FORWARD -m state --state ESTABLISHED -j RETURN
    -A FORWARD -m conntrack --ctstate NEW -j ACCEPT
"""


def tcp(route: Route, family: int) -> list[Probe]:
    """A handshake."""
    back = Route(route.destination, route.source, route.bridged)
    return [
        probe(route, family, TCP, source_port=1000, destination_port=80, tcp_flags=SYN),
        probe(back, family, TCP, source_port=80, destination_port=1000, tcp_flags=SYN | ACK, state="ESTABLISHED"),
        probe(route, family, TCP, source_port=1000, destination_port=80, tcp_flags=ACK, state="ESTABLISHED"),
    ]


def udp(route: Route, family: int) -> list[Probe]:
    """A question, its answer, and an error about the answer."""
    back = Route(route.destination, route.source, route.bridged)
    answer = probe(back, family, UDP, source_port=53, destination_port=1000, state="ESTABLISHED")
    kind = (3, 3) if family == 4 else (1, 4)
    error = probe(route, family, ICMPS[family], icmp=kind, state="RELATED")
    return [
        probe(route, family, UDP, source_port=1000, destination_port=53),
        answer,
        # It quotes an answer that is no packet of this volley, or it would be taken for the host's own error.
        Probe(error.route, error.packet, embedded=datagram(answer.packet, MOST - 1)[:100]),
    ]


def echo(route: Route, family: int) -> list[Probe]:
    """A ping and its reply, which has the same number."""
    back = Route(route.destination, route.source, route.bridged)
    kind = ECHO[family]
    request = probe(route, family, ICMPS[family], icmp=(kind, 0))
    reply = probe(back, family, ICMPS[family], icmp=(0 if family == 4 else 129, 0), state="ESTABLISHED")
    return [request, reply]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("route", [Route(A, B, bridged=True), Route(A, C), Route(C, B)])
@pytest.mark.parametrize("flow", [tcp, udp, echo])
def test_flows(lab: Lab, flow: Callable[[Route, int], list[Probe]], route: Route, family: int, variant: str) -> None:
    host = lab.load(family, variant, BY_STATE.format_map(words(family)))
    probes = flow(route, family)
    outcome = lab.send(family, probes, one_flow=True)
    wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
    assert not wrong, "\n".join(wrong)
    states = {p.packet.state for p in probes}
    assert len(states) == len({"NEW", *states})


SOME = """
    *raw
    -A PREROUTING -i br1 -j MARK --set-mark 0x1
    *mangle
    -A POSTROUTING -p udp -o eth0 -j DROP
    *filter
    -A FORWARD -p udp -o br0 -j ACCEPT
    -A FORWARD -m mark --mark 0x2 -j DROP
    -A FORWARD -p {icmp} -j DROP
"""
OTHERS = """
    *raw
    -A PREROUTING -s {a} -j MARK --or-mark 0x2
    *filter
    :FORWARD DROP
    -A FORWARD -m mark ! --mark 0x1 -o br1 -j ACCEPT
    -A FORWARD -p tcp -i br1 -j ACCEPT
    -A FORWARD -p udp -j ACCEPT
"""


def each_way(family: int) -> list[list[Probe]]:
    """Each kind of packet on each way."""
    return [
        [probe(route, family, TCP, source_port=1000, destination_port=80, tcp_flags=SYN) for route in ROUTES],
        [probe(route, family, UDP, source_port=1000, destination_port=80) for route in ROUTES],
        [probe(route, family, ICMPS[family], icmp=(ECHO[family], 0)) for route in ROUTES],
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("first", VARIANTS)
def test_a_packet_must_pass_both_variants(lab: Lab, first: str, family: int) -> None:
    lab.load(family, first, SOME.format_map(words(family)))
    second = next(variant for variant in VARIANTS if variant != first)
    host = lab.add(family, second, OTHERS.format_map(words(family)))
    for probes in each_way(family):
        outcome = lab.send(family, probes)
        # Which variant of a table is asked first hangs on when its hooks came, so that a packet that one of them drops
        # may or may not be counted by the other one.
        wrong = [*wrong_ends(probes, walks(host, probes), outcome), *contradictions(host, probes)]
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_without_bridge_netfilter(lab: Lab, variant: str, family: int) -> None:
    physdev = """
        *mangle
        -A PREROUTING -m physdev --physdev-is-in
        -A PREROUTING -m physdev ! --physdev-in port-a
        -A FORWARD -m physdev ! --physdev-is-bridged
        -A FORWARD -m physdev ! --physdev-out port-b
        -A POSTROUTING -m physdev --physdev-in port+
        *filter
        -A FORWARD -i br0 -o br0 -j DROP
    """
    with lab.without_bridge_netfilter():
        host = lab.load(family, variant, physdev)
        for probes in each_way(family):
            outcome = lab.send(family, probes)
            wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
            assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_switch_of_a_bridge_counts_beside_that_of_the_host(lab: Lab, variant: str, family: int) -> None:
    physdev = "*mangle\n-A PREROUTING -m physdev --physdev-is-in\n*filter\n-A FORWARD -i br0 -o br0 -j DROP\n"
    with lab.without_bridge_netfilter(), lab.with_switch("br0", family):
        host = lab.load(family, variant, physdev)
        for probes in each_way(family):
            outcome = lab.send(family, probes)
            wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
            assert not wrong, "\n".join(wrong)
            assert any(trace.verdict is Verdict.DROPPED for trace in walks(host, probes))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seen", [True, False])
def test_no_frame_passes_between_isolated_ports(lab: Lab, seen: bool, family: int) -> None:
    isolated = lab.with_ports("isolated", A, B)
    switches = nullcontext() if seen else lab.without_bridge_netfilter()
    # Rules before the ports count, those behind them do not; and what nat hands back to the bridge is bridged too.
    rules = """
        *mangle
        -A PREROUTING -i br0
        -A FORWARD -i br0 -o br0
        *nat
        -A PREROUTING -i br0 -d {c} -p udp -j DNAT --to-destination {b}
        *filter
        -A FORWARD -j ACCEPT
    """
    with isolated, switches:
        host = lab.load(family, "nft", rules.format_map(words(family)))
        for probes in each_way(family):
            outcome = lab.send(family, probes)
            wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
            assert not wrong, "\n".join(wrong)
            bridged = [
                trace.verdict for sent, trace in zip(probes, walks(host, probes), strict=True) if sent.route.bridged
            ]
            assert set(bridged) == {Verdict.DROPPED}


@pytest.mark.parametrize("family", FAMILIES)
def test_one_isolated_port_stops_nothing(lab: Lab, family: int) -> None:
    with lab.with_ports("isolated", A, C):
        host = lab.load(family, "nft", "*filter\n-A FORWARD -j ACCEPT\n")
        for probes in each_way(family):
            outcome = lab.send(family, probes)
            wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
            assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("route", [Route(A, B, bridged=True), Route(A, C)])
def test_no_table_sees_a_fragment(lab: Lab, route: Route, variant: str) -> None:
    host = lab.load(4, variant, "*raw\n-A PREROUTING -f\n-A PREROUTING ! -f\n*filter\n-A FORWARD -f\n-A FORWARD ! -f\n")
    whole = probe(route, 4, UDP, source_port=1000, destination_port=53)
    outcome = lab.send(4, [Probe(route, whole.packet, fragmented=True)])
    for rule in (rule for rule in rules(host) if rule.chain != "INPUT"):
        expected = set() if rule.text.endswith(" -f") and "!" not in rule.text else {0}
        assert numbers(*outcome.counted[rule.span.document, rule.span.line]) == expected, rule.text


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_connection_went_through_is_not_told_by_a_later_packet(lab: Lab, variant: str, family: int) -> None:
    rules = """
        *nat
        -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination {c_at}:8080
        *filter
        :FORWARD DROP
        -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT
    """
    host = lab.load(family, variant, rules.format_map(words(family)))
    first = probe(Route(A, HOST), family, TCP, source_port=1000, destination_port=80, tcp_flags=SYN)
    ports = {"source_port": 8080, "destination_port": 1000}
    answer = probe(Route(C, A), family, TCP, **ports, tcp_flags=SYN | ACK, state="ESTABLISHED")
    outcome = lab.send(family, [first, answer], one_flow=True)
    assert set(outcome.arrived) == {0, 1}
    assert [trace.verdict for trace in walks(host, [first, answer])] == [Verdict.DELIVERED, Verdict.UNKNOWN]
    assert not [*contradictions(host, [first, answer])]
