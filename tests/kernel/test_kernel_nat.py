"""Packets that get other ends on their way, and packets to and from the host itself."""

from __future__ import annotations

import pytest

from icclint.packets.packet import SYN, TCP, UDP
from tests.kernel.compare import contradictions, differences, rules
from tests.kernel.lab import FAMILIES, HOST, HOST_ROUTES, ROUTES, VARIANTS, WORLD, Lab, Probe, Route, probe
from tests.kernel.vocabulary import ECHO, ICMPS, words

pytestmark = pytest.mark.kernel

CASES = {
    "published ports": """
        *nat
        :DOCKER -
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
        -A POSTROUTING -s {net} ! -o br0 -j MASQUERADE
        -A POSTROUTING -s {b} -d {b} -p tcp --dport 8080 -j MASQUERADE {idle}
        -A DOCKER -p tcp --dport 80 -j DNAT --to-destination {b_at}:8080
        -A DOCKER -p udp --dport 80 -j DNAT --to-destination {c_at}:8080
        *mangle
        -A FORWARD -m physdev --physdev-is-bridged -p tcp
        -A POSTROUTING -m physdev ! --physdev-is-bridged -p tcp
        *filter
        :FORWARD DROP
        -A FORWARD -m conntrack --ctstate DNAT ! -p tcp -j ACCEPT
        -A FORWARD -d {b} -o br0 -p tcp --dport 8080 -j ACCEPT
        -A FORWARD -p {icmp} -j ACCEPT
        :INPUT DROP
        -A INPUT -i br0 -j ACCEPT
        -A INPUT -p {icmp} -j ACCEPT
    """,
    "redirected to the host": """
        *nat
        -A PREROUTING -p udp --dport 80 -j REDIRECT --to-ports 8080
        -A OUTPUT -p udp --dport 80 -o eth0 -j REDIRECT --to-ports 53
        *filter
        -A INPUT -p udp --dport 8080 -i br1 -j DROP
        -A INPUT -p udp --dport 53 -i lo
        -A OUTPUT -p {icmp} -o br0 -j DROP
    """,
    "other senders": """
        *nat
        -A POSTROUTING -s {a} -o br1 -j SNAT --to-source {gateway}
        -A POSTROUTING -p udp -o eth0 -j SNAT --to-source {outside_at}:2000-2010
        -A POSTROUTING -p udp -o br0 -j MASQUERADE --to-ports 3000-3010
        -A POSTROUTING -o br0 -j NETMAP --to {net}
        *mangle
        -A POSTROUTING -s {a} -o br1
    """,
    "bridged frames led elsewhere": """
        *nat
        -A PREROUTING -i br0 -d {b} -p udp -j DNAT --to-destination {c}
        -A PREROUTING -i br0 -d {b} -p {icmp} -j DNAT --to-destination {b2}
        -A PREROUTING -i br0 -d {a} -p tcp -j REDIRECT
        *filter
        -A FORWARD -i br0 -o br1 -p udp
        -A FORWARD -i br0 -o br0 -p {icmp}
        -A INPUT -p tcp -j DROP
    """,
    "led nowhere": """
        *nat
        -A PREROUTING -i br0 -j DNAT --to-destination {nowhere}
        -A OUTPUT -p udp -j DNAT --to-destination {nowhere}
        *filter
        -A FORWARD -i br0 -j DROP {idle}
        -A FORWARD ! -i br0
    """,
    "the host itself": """
        *raw
        -A OUTPUT -o br0
        -A PREROUTING -i lo -p udp
        *mangle
        -A INPUT -i br0
        -A OUTPUT -p udp -j MARK --set-mark 0x1
        -A POSTROUTING -m mark --mark 0x1
        -A PREROUTING -m mark --mark 0x1
        *nat
        -A INPUT -i br0
        -A OUTPUT ! -o br0
        -A POSTROUTING ! -o br0
        *filter
        -A OUTPUT -o lo -p {icmp} -j DROP
        -A OUTPUT -d {b} -p udp -j REJECT
        -A INPUT -i eth0 -j DROP
        -A INPUT -i br0 -p udp -j REJECT
        -A FORWARD -p udp -j DROP
    """,
}


def volleys(family: int) -> list[list[Probe]]:
    """Forwarded packets, and packets to and from the host that it answers with silence."""
    tcp = [probe(route, family, TCP, source_port=1000, destination_port=80, tcp_flags=SYN) for route in ROUTES]
    udp = [probe(route, family, UDP, source_port=1000, destination_port=80) for route in (*ROUTES, *HOST_ROUTES)]
    echo = [probe(r, family, ICMPS[family], icmp=(ECHO[family], 0)) for r in (*ROUTES, *HOST_ROUTES)]
    # The host's own answer to its own segment would be counted everywhere.
    routes = HOST_ROUTES[:-1]
    inbound = [probe(route, family, TCP, source_port=1000, destination_port=80, tcp_flags=SYN) for route in routes]
    return [tcp, udp, echo, inbound]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES)
def test_translated(lab: Lab, case: str, family: int, variant: str) -> None:
    host = lab.load(family, variant, CASES[case].format_map(words(family)))
    wrong: list[str] = []
    counted = set()
    for probes in volleys(family):
        outcome = lab.send(family, probes)
        wrong += differences(host, probes, outcome)
        wrong += contradictions(host, probes)
        counted |= {place for place, (packets, _) in outcome.counted.items() if packets}
    assert not wrong, "\n".join(wrong)
    idle = {rule for rule in rules(host) if (rule.span.document, rule.span.line) not in counted}
    assert {rule.text for rule in idle} <= {rule.text for rule in rules(host) if rule.comment == "idle"}


PUBLISHED_ON_LOOPBACK = """
    *raw
    {guard}
    *nat
    :DOCKER -
    -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    -A DOCKER -d 127.0.0.1 ! -i br1 -p tcp --dport 80 -j DNAT --to-destination {c}:8080
    *filter
    :FORWARD DROP
    -A FORWARD -d {c} ! -i br1 -o br1 -p tcp --dport 8080 -j ACCEPT
"""


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("guard", "arrived"), [("", {0}), ("-A PREROUTING -d 127.0.0.1 ! -i lo -p tcp --dport 80 -j DROP", set())]
)
def test_a_neighbour_reaches_what_is_published_on_loopback(
    lab: Lab, guard: str, arrived: set[int], variant: str
) -> None:
    host = lab.load(4, variant, PUBLISHED_ON_LOOPBACK.format(guard=guard, c=words(4)["c"]))
    to_loopback = probe(
        Route(WORLD, HOST), 4, TCP, destination=0x7F000001, source_port=1000, destination_port=80, tcp_flags=SYN
    )
    outcome = lab.send(4, [to_loopback])
    assert set(outcome.arrived) == arrived
    assert not [*differences(host, [to_loopback], outcome), *contradictions(host, [to_loopback])]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("ends", [{"destination": 1}, {"source": 1}], ids=["to loopback", "from loopback"])
def test_no_table_sees_what_a_neighbour_sends_with_the_loopback_address_of_ipv6(
    lab: Lab, ends: dict[str, int], variant: str
) -> None:
    host = lab.load(6, variant, "*raw\n-A PREROUTING -i eth0\n*nat\n-A PREROUTING -p tcp -j REDIRECT --to-ports 8080\n")
    strange = probe(Route(WORLD, HOST), 6, TCP, source_port=1000, destination_port=80, tcp_flags=SYN, **ends)
    outcome = lab.send(6, [strange])
    assert not outcome.arrived
    assert not any(packets for packets, _ in outcome.counted.values())
    assert not [*differences(host, [strange], outcome), *contradictions(host, [strange])]
