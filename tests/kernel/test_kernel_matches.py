"""Every match that the engine knows, plain and negated, asked in every chain on a packet's way.

One chain of rules without targets holds all of them, and every built-in chain of every table calls it. The counters
then say of each rule which packets it matches there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from icclint.ir.ruleset import Rule
from icclint.packets.packet import SYN, TCP, UDP
from tests.kernel.compare import differences, rules
from tests.kernel.lab import FAMILIES, HOOKS, MOST, ROUTES, VARIANTS, Lab, Probe, probe
from tests.kernel.vocabulary import DCCP, GRE, ICMPS, OSPF, SCTP, UDPLITE, gateway, words

pytestmark = pytest.mark.kernel

MATCHES = """
[!] -s {a}
[!] -s {net}
-s {net} [!] -d {a}
[!] -s {a} [!] -d {b}
[!] -p tcp [!] -i br1
[!] -i br0
[!] -i br1
[!] -i br+
[!] -i br0+
[!] -o br0
[!] -o eth0
[!] -o br+
[!] -i br0 [!] -o br0
[!] -p tcp
[!] -p udp
[!] -p {icmp}
[!] -p sctp
[!] -p 47
-p tcp [!] --sport 1000
-p tcp [!] --dport 80
-p tcp [!] --dport 80:90
-p tcp [!] --dport :1023
-p tcp [!] --dport 1024:
-p tcp [!] --sport 1000 [!] --dport 80
-p udp [!] --sport 1000:2000
-p udp [!] --dport 53
-p sctp [!] --dport 80
-p sctp [!] --sport 1000:
-p dccp [!] --dport 80
-p tcp -m multiport [!] --dports 22,80,443
-p tcp -m multiport [!] --sports 1:999,1000
-p tcp -m multiport [!] --ports 80:90,2000
-p udp -m multiport [!] --dports 53
-p udp -m multiport [!] --ports 53,2000
-p sctp -m multiport [!] --dports 80:81
-p udplite -m multiport [!] --sports 1000,80
-p dccp -m multiport [!] --ports 80
-p tcp [!] --syn
-p tcp [!] --dport 80 [!] --syn
-p tcp [!] --tcp-flags ALL NONE
-p tcp [!] --tcp-flags ALL SYN
-p tcp [!] --tcp-flags SYN,RST SYN
-p tcp [!] --tcp-flags ALL ALL
-p tcp [!] --tcp-flags FIN,ACK ACK
-p {icmp} [!] {icmp_type} {echo}
-p {icmp} [!] {icmp_type} {reply}
-p {icmp} [!] {icmp_type} {echo}/0
-p {icmp} [!] {icmp_type} {unreachable}/3
-m iprange [!] --src-range {a}-{b}
-m iprange [!] --dst-range {c}-{c}
-m iprange [!] --src-range {a}-{b} [!] --dst-range {c}-{c}
-m conntrack [!] --ctstate NEW
-m conntrack [!] --ctstate INVALID
-m conntrack [!] --ctstate UNTRACKED
-m conntrack [!] --ctstate RELATED,ESTABLISHED
-m conntrack [!] --ctstate NEW,ESTABLISHED
-m conntrack [!] --ctstate DNAT
-m state [!] --state NEW
-m state [!] --state INVALID,UNTRACKED
-m mark [!] --mark 0x0
-m mark [!] --mark 0x1
-m mark [!] --mark 0x0/0x3
-m addrtype [!] --src-type LOCAL
-m addrtype [!] --dst-type LOCAL
-m physdev [!] --physdev-in port-a
-m physdev [!] --physdev-in port+
-m physdev [!] --physdev-is-in
-m physdev [!] --physdev-is-bridged
-m physdev [!] --physdev-in port-b [!] --physdev-is-bridged
-m physdev [!] --physdev-out port-b
-m physdev [!] --physdev-out port-b --physdev-is-bridged
-m physdev --physdev-in port-a --physdev-out port-b --physdev-is-bridged
-m physdev ! --physdev-in port-a ! --physdev-out port-b --physdev-is-bridged
-m physdev [!] --physdev-is-out
-m physdev --physdev-is-out --physdev-is-bridged
-m comment --comment "nothing to ask"
"""
NOT_SEEN = {"-f", "-m conntrack --ctstate DNAT", "-m conntrack --ctstate RELATED,ESTABLISHED"}
"""What none of the packets here is."""

IPV4_MATCHES = """
[!] -f
-p icmp --icmp-type any
-p icmp [!] --icmp-type fragmentation-needed
"""


FIN, RST, ACK = 1, 4, 16
ICMP_TYPES = {
    4: ((8, 0), (8, 3), (0, 0), (3, 3), (3, 4), (13, 0)),
    6: ((128, 0), (128, 3), (129, 0), (1, 3), (135, 0)),
}


def expanded(pattern: str) -> Iterator[str]:
    """A line with each of its ``[!]`` as ``!`` and left out."""
    start, mark, end = pattern.partition("[!] ")
    if not mark:
        yield pattern
        return
    for rest in expanded(end):
        yield start + rest
        yield f"{start}! {rest}"


def matches(family: int) -> list[str]:
    """All matches that a family has."""
    patterns = MATCHES + IPV4_MATCHES if family == 4 else MATCHES
    return [line.format_map(words(family)) for pattern in patterns.split("\n") if pattern for line in expanded(pattern)]


def volleys(family: int) -> Iterator[list[Probe]]:
    """Packets that tell all the matches apart."""
    every = [
        probe(route, family, protocol, source_port=1000, destination_port=80, tcp_flags=flags)
        for protocol, flags in ((TCP, SYN), (UDP, None))
        for route in ROUTES
    ]
    every += [
        probe(ROUTES[0], family, TCP, source_port=1000, destination_port=port, tcp_flags=flags)
        for port in (80, 85)
        for flags in (0, FIN, RST, ACK, SYN | ACK, FIN | ACK, 63)
    ]
    for route in (ROUTES[0], ROUTES[2]):
        every += [
            probe(route, family, protocol, source_port=ports[0], destination_port=ports[1], tcp_flags=flags)
            for protocol, flags in ((TCP, SYN), (UDP, None), (DCCP, None), (SCTP, None), (UDPLITE, None))
            for ports in ((1000, 80), (80, 1023), (999, 80), (2000, 1024), (53, 53))
        ]
        every += [probe(route, family, protocol) for protocol in (GRE, OSPF)]
        every += [probe(route, family, ICMPS[family], icmp=kind) for kind in ICMP_TYPES[family]]
    every += [
        probe(ROUTES[0], family, UDP, source_port=1, destination_port=2, destination=gateway(family)),
        probe(ROUTES[0], family, UDP, source_port=1, destination_port=3, source=gateway(family)),
    ]
    for start in range(0, len(every), MOST):
        yield every[start : start + MOST]


def asking(lines: list[str]) -> str:
    """Rules that ask all questions in every chain."""
    text = []
    for table, hooks in HOOKS.items():
        text += [f"*{table}", *(f":ASK-{hook} -" for hook in hooks)]
        if table == "raw":
            text.append("-A PREROUTING -i br1 -j MARK --set-mark 0x1")
            text.append("-A PREROUTING -p udp --dport 1024 -j NOTRACK")
        for hook in hooks:
            text += [f"-A {hook} -j ASK-{hook}", *(f"-A ASK-{hook} {line}" for line in lines)]
    return "\n".join(text)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_match_in_every_chain(lab: Lab, family: int, variant: str) -> None:
    host = lab.load(family, variant, asking(matches(family)))
    asked, matched = set(), set()
    wrong: list[str] = []
    for probes in volleys(family):
        outcome = lab.send(family, probes)
        wrong += differences(host, probes, outcome)
        for rule in (rule for rule in rules(host) if rule.chain.startswith("ASK-")):
            asked.add(question(rule))
            if outcome.counted[rule.span.document, rule.span.line] != (0, 0):
                matched.add(question(rule))
    assert not wrong, "\n".join(wrong)
    assert asked - matched <= NOT_SEEN


def question(rule: Rule) -> str:
    """What a rule asks, wherever it stands."""
    return rule.text.partition(" -A ")[2].partition(" ")[2]
