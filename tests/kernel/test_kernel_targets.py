"""Every target that the engine knows, policies, chains that call each other, and tables that follow each other."""

from __future__ import annotations

import pytest

from icclint.packets.packet import SYN, TCP, UDP
from tests.kernel.compare import contradictions, differences, rules
from tests.kernel.lab import FAMILIES, ROUTES, VARIANTS, Lab, Probe, probe
from tests.kernel.vocabulary import ECHO, ICMPS, words

pytestmark = pytest.mark.kernel

CASES = {
    "policy drop": """
        *filter
        :FORWARD DROP
        -A FORWARD -p udp -j ACCEPT
    """,
    "policies of other tables": """
        *raw
        :PREROUTING DROP
        -A PREROUTING -i br0 -j ACCEPT
        *mangle
        :PREROUTING DROP
        -A PREROUTING -s {a} -j ACCEPT
        :FORWARD DROP
        -A FORWARD ! -o eth0 -j ACCEPT
        :POSTROUTING DROP
        -A POSTROUTING ! -p udp -j ACCEPT
        *security
        :FORWARD DROP
        -A FORWARD -d {b} -j ACCEPT
    """,
    "an accept ends its own table only": """
        *mangle
        -A FORWARD -i br0 -j ACCEPT
        -A FORWARD -j DROP
        *filter
        -A FORWARD -p tcp -j ACCEPT
        -A FORWARD -p udp -j DROP
        *security
        -A FORWARD -o br1 -j DROP
    """,
    "jumps come back": """
        *filter
        :FORWARD DROP
        :ONE -
        :TWO -
        :EMPTY -
        -A FORWARD -j ONE
        -A FORWARD -j EMPTY
        -A FORWARD -o br1 -j ACCEPT
        -A ONE -p udp -j TWO
        -A ONE -p tcp -j EMPTY
        -A ONE -d {b} -j ACCEPT
        -A TWO -i br1 -j DROP
        -A TWO -o eth0 -j ACCEPT
    """,
    "gotos do not": """
        *filter
        :ONE -
        :TWO -
        :THREE -
        -A FORWARD -p udp -g TWO
        -A FORWARD -j ONE
        -A FORWARD -o br1 -j DROP
        -A ONE -p tcp -j THREE
        -A ONE -g TWO
        -A ONE -j DROP {idle}
        -A TWO -i br1 -j DROP
        -A THREE -d {b} -g TWO
        -A THREE -o eth0 -j ACCEPT
    """,
    "return": """
        *filter
        :FORWARD DROP
        :ONE -
        :TWO -
        :THREE -
        -A FORWARD -p udp -j RETURN
        -A FORWARD -j ONE
        -A FORWARD -j ACCEPT
        -A ONE -j TWO
        -A ONE -i br1 -j DROP
        -A TWO -d {b} -j RETURN
        -A TWO -p tcp -g THREE
        -A TWO -j DROP
        -A THREE -o eth0 -j RETURN
        -A THREE -j ACCEPT
    """,
    "marks": """
        *raw
        -A PREROUTING -j MARK --set-mark 0xf0
        *mangle
        -A PREROUTING -i br0 -j MARK --or-mark 0x1
        -A PREROUTING -p udp -j MARK --and-mark 0xf
        -A PREROUTING -m mark --mark 0x1
        -A FORWARD -o br1 -j MARK --xor-mark 0x11
        -A FORWARD -d {b} -j MARK --set-xmark 0x13/0xf
        -A FORWARD -i br1 -j MARK --set-mark 0x200/0xff00
        -A POSTROUTING -m mark --mark 0xe3 -j DROP
        -A POSTROUTING -m mark ! --mark 0x0/0x200
        *filter
        -A FORWARD -m mark --mark 0x1 -j DROP
        -A FORWARD -m mark --mark 0x10/0x10
        -A FORWARD -m mark --mark 0xe0
        -A FORWARD -m mark ! --mark 0x0/0xf -j MARK --set-mark 0xe3
    """,
    "notrack": """
        *raw
        -A PREROUTING -p udp -j NOTRACK
        -A PREROUTING -i br1 -j CT --notrack
        -A PREROUTING -m conntrack --ctstate UNTRACKED
        *nat
        -A PREROUTING -i br0
        -A POSTROUTING -o br0
        *filter
        -A FORWARD -m conntrack --ctstate NEW -j ACCEPT
        -A FORWARD -m conntrack --ctstate UNTRACKED -o br0 -j DROP
        -A FORWARD -m state --state UNTRACKED -j ACCEPT
        -A FORWARD -j DROP {idle}
    """,
    "raw knows no connection": """
        *raw
        -A PREROUTING -m conntrack --ctstate NEW -j ACCEPT {idle}
        -A PREROUTING -m state --state INVALID -p tcp -j DROP
    """,
    "reject": """
        *filter
        :NO -
        -A FORWARD -p udp -j REJECT
        -A FORWARD -p tcp -i br1 -j REJECT --reject-with tcp-reset
        -A FORWARD -d {b} -p tcp -j NO
        -A FORWARD -p tcp -j DROP
        -A NO -j REJECT --reject-with {prohibited}
    """,
    "log and nothing at all": """
        *filter
        -A FORWARD -p udp -j LOG --log-prefix "-j DROP "
        -A FORWARD -i br0
        -A FORWARD -o br1 -m comment --comment "say \\"no\\"" -j DROP
    """,
    "nat lets pass": """
        *nat
        :DROP-NOTHING -
        -A PREROUTING -i br0 -j ACCEPT
        -A PREROUTING -p tcp -j RETURN
        -A PREROUTING -j DROP-NOTHING
        -A DROP-NOTHING -p udp
        -A POSTROUTING -p udp -j ACCEPT
        -A POSTROUTING -s {a} -o br1 -j SNAT --to-source {gateway}
        -A POSTROUTING -o eth0 -j MASQUERADE
        -A POSTROUTING -o br0
        *filter
        -A FORWARD -o eth0 -p tcp -j DROP
    """,
    "as an engine writes it": """
        *raw
        -A PREROUTING -d {b} ! -i br0 -j DROP
        *nat
        :DOCKER -
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER {idle}
        -A POSTROUTING -s {net} ! -o br0 -j MASQUERADE
        *filter
        :FORWARD DROP
        :DOCKER -
        :DOCKER-BRIDGE -
        :DOCKER-CT -
        :DOCKER-FORWARD -
        :DOCKER-ISOLATION-STAGE-1 -
        :DOCKER-ISOLATION-STAGE-2 -
        :DOCKER-USER -
        -A FORWARD -j DOCKER-USER
        -A FORWARD -j DOCKER-FORWARD
        -A DOCKER -d {c} ! -i br1 -o br1 -p tcp -m tcp --dport 80 -j ACCEPT
        -A DOCKER ! -i br0 -o br0 -j DROP {idle}
        -A DOCKER ! -i br1 -o br1 -j DROP
        -A DOCKER-BRIDGE -o br0 -j DOCKER
        -A DOCKER-BRIDGE -o br1 -j DOCKER
        -A DOCKER-CT -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT {idle}
        -A DOCKER-CT -o br1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT {idle}
        -A DOCKER-FORWARD -j DOCKER-CT
        -A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
        -A DOCKER-FORWARD -j DOCKER-BRIDGE
        -A DOCKER-FORWARD -i br0 -o br0 -j DROP
        -A DOCKER-FORWARD -i br0 ! -o br0 -j ACCEPT
        -A DOCKER-FORWARD -i br1 -j ACCEPT
        -A DOCKER-ISOLATION-STAGE-1 -i br0 ! -o br0 -j DOCKER-ISOLATION-STAGE-2
        -A DOCKER-ISOLATION-STAGE-1 -i br1 ! -o br1 -j DOCKER-ISOLATION-STAGE-2
        -A DOCKER-ISOLATION-STAGE-2 -o br1 -p udp -j DROP
        -A DOCKER-ISOLATION-STAGE-2 -o br0 -j DROP {idle}
        -A DOCKER-USER -i br0 -o br0 -p {icmp} -j ACCEPT
    """,
}


def volleys(family: int) -> list[list[Probe]]:
    """Each kind of packet on each way."""
    tcp = [probe(route, family, TCP, source_port=1000, destination_port=80, tcp_flags=SYN) for route in ROUTES]
    udp = [probe(route, family, UDP, source_port=1000, destination_port=80) for route in ROUTES]
    icmp = [probe(route, family, ICMPS[family], icmp=(ECHO[family], 0)) for route in ROUTES]
    return [tcp + udp, icmp]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES)
def test_targets(lab: Lab, case: str, family: int, variant: str) -> None:
    host = lab.load(family, variant, CASES[case].format_map(words(family)))
    wrong: list[str] = []
    counted = set()
    for probes in volleys(family):
        outcome = lab.send(family, probes)
        wrong += differences(host, probes, outcome)
        wrong += contradictions(host, probes)
        counted |= {place for place, (packets, _) in outcome.counted.items() if packets}
    assert not wrong, "\n".join(wrong)
    # A rule that no packet meets proves nothing, unless that is its point.
    idle = {rule for rule in rules(host) if (rule.span.document, rule.span.line) not in counted}
    assert {rule.text for rule in idle} == {rule.text for rule in rules(host) if rule.comment == "idle"}
