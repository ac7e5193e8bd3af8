"""What `-m set` says of packets, by the members of captured sets."""

from __future__ import annotations

import pytest

from icclint.lower.host import lower_host
from icclint.packets.packet import SYN, TCP, UDP
from icclint.packets.verdict import Verdict
from icclint.parse.kind import kind_of
from icclint.source import Document
from tests.kernel.compare import contradictions, differences, walks
from tests.kernel.lab import FAMILIES, MOST, ROUTES, VARIANTS, Lab, Probe, probe
from tests.kernel.vocabulary import ECHO, ICMPS, words

pytestmark = pytest.mark.kernel

SCTP, UDPLITE, DCCP, GRE = 132, 136, 33, 47

SETS = {
    "ips": ("hash:ip family {inet}", ["{a}", "{c}"]),
    "masked": ("hash:ip family {inet} netmask {mask}", ["{a}"]),
    "nets": ("hash:net family {inet}", ["{wide}", "{net} nomatch", "{a}"]),
    "timed": ("hash:net family {inet} timeout 3600 counters comment", ['{net} comment "nomatch"']),
    "services": ("hash:ip,port family {inet}", [
        "{b},tcp:80", "{b},udp:1000", "{c},{echo_type}", "{c},sctp:80", "{b},udplite:80", "{b},33:0", "{b},47:0",
    ]),
    "netports": ("hash:net,port family {inet}", ["{wide},tcp:80", "{net},tcp:80 nomatch", "{b},tcp:80", "{net},udp:80"]),
    "pairs": ("hash:ip,port,ip family {inet}", ["{a},tcp:80,{b}", "{a},udp:80,{c}"]),
    "ways": ("hash:ip,port,net family {inet}", ["{a},tcp:80,{wide}", "{a},tcp:80,{net} nomatch", "{a},udp:80,{net}"]),
    "ports": ("bitmap:port range 0-2000", ["80", "1000"]),
    "list": ("list:set", ["nets", "services"]),
}  # fmt: skip
QUESTIONS = [
    *(f"{name} {side}" for name in ("ips", "masked", "nets", "timed", "ports") for side in ("src", "dst")),
    *(f"{name} {one},{two}" for name in ("services", "netports") for one in ("src", "dst") for two in ("src", "dst")),
    *(f"{name} {flags}" for name in ("pairs", "ways") for flags in ("src,dst,dst", "dst,dst,src", "src,src,dst")),
    # More sides than dimensions, and fewer, for which no packet is in the set.
    "ips src,dst", "services dst", "list src", "list dst,dst", "list src,dst",
]  # fmt: skip


def sets(family: int) -> str:
    spelt = words(family) | {
        "inet": "inet" if family == 4 else "inet6",
        "mask": 24 if family == 4 else 64,
        "wide": "172.16.0.0/12" if family == 4 else "fd00::/16",
        "echo_type": f"{'icmp' if family == 4 else 'icmpv6'}:{ECHO[family]}/0",
    }
    lines = [f"create {name} {kind}".format_map(spelt) for name, (kind, _) in SETS.items()]
    lines += [f"add {name} {member}".format_map(spelt) for name, (_, members) in SETS.items() for member in members]
    return "\n".join(lines) + "\n"


def volleys(family: int) -> list[list[Probe]]:
    """Each kind of packet on each way."""
    ports = {"source_port": 1000, "destination_port": 80}
    made = [
        [probe(route, family, TCP, **ports, tcp_flags=SYN) for route in ROUTES],
        [probe(route, family, TCP, source_port=80, destination_port=1000, tcp_flags=SYN) for route in ROUTES],
        [probe(route, family, ICMPS[family], icmp=(ECHO[family], 0)) for route in ROUTES],
        [probe(route, family, GRE) for route in ROUTES],
    ]
    made += [[probe(route, family, protocol, **ports) for route in ROUTES] for protocol in (UDP, SCTP, UDPLITE, DCCP)]
    return [volley[start : start + MOST] for volley in made for start in range(0, len(volley), MOST)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_sets_hold_what_the_kernel_finds_in_them(lab: Lab, variant: str, family: int) -> None:
    asked = [f"-A FORWARD -m set {no}--match-set {question}" for question in QUESTIONS for no in ("", "! ")]
    with lab.with_sets(sets(family)):
        host = lab.load(family, variant, "*filter\n" + "\n".join(asked) + "\n")
        for probes in volleys(family):
            outcome = lab.send(family, probes)
            wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
            assert not wrong, "\n".join(wrong)
            # Nothing was taken as unknown, which could not be wrong.
            assert not [step for trace in walks(host, probes) for step in trace.steps if step.matched is None]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_classes_of_packets_by_sets(lab: Lab, question: str, family: int) -> None:
    rules = f"*filter\n:FORWARD DROP\n-A FORWARD -m set --match-set {question} -j ACCEPT\n"
    opposite = f"*filter\n:FORWARD ACCEPT\n-A FORWARD -m set ! --match-set {question} -j DROP\n"
    with lab.with_sets(sets(family)):
        for text in (rules, opposite):
            host = lab.load(family, "nft", text)
            for probes in volleys(family):
                assert not [*contradictions(host, probes)]
                assert not [trace for trace in walks(host, probes) if trace.verdict is Verdict.UNKNOWN]


def test_a_set_is_asked_about_the_end_that_nat_gave(lab: Lab) -> None:
    rules = """
        *nat
        -A PREROUTING -d {c} -p tcp -j DNAT --to-destination {b}:1000
        *filter
        :FORWARD DROP
        -A FORWARD -m set --match-set ips dst -j DROP
        -A FORWARD -m set --match-set services dst,dst -j DROP
        -A FORWARD -m set --match-set ports dst -m set --match-set netports dst,src -j ACCEPT
        -A FORWARD -m set ! --match-set nets dst -j ACCEPT
    """
    with lab.with_sets(sets(4)):
        host = lab.load(4, "nft", rules.format_map(words(4)))
        for probes in volleys(4):
            outcome = lab.send(4, probes)
            wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
            assert not wrong, "\n".join(wrong)


def test_every_icmp_name_that_ipset_prints_is_read_as_what_it_was(lab: Lab) -> None:
    pairs = [(kind, code) for kind in range(45) for code in range(17)]
    made = "create all hash:ip,port\n" + "".join(f"add all 10.0.0.1,icmp:{kind}/{code}\n" for kind, code in pairs)
    made += "create six hash:ip,port family inet6\n"
    made += "".join(
        f"add six fd00::1,icmpv6:{kind}/{code}\n" for kind in (1, 2, 3, 4, *range(128, 160)) for code in range(8)
    )
    with lab.with_sets(made) as saved:
        document = Document("sets", saved.encode())
    assert "icmp:echo-request" in saved
    host, gaps = lower_host("host", [(document, kind_of(document))])
    assert not gaps
    known = {one.name: {member.port for member in one.members or ()} for one in host.ipsets or ()}
    assert known["all"] == {kind * 256 + code for kind, code in pairs}
    assert known["six"] == {kind * 256 + code for kind in (1, 2, 3, 4, *range(128, 160)) for code in range(8)}
