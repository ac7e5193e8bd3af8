"""The engine and the rules against real engines, real kernels and real packets."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache

import pytest
from icclint_rules import RULES

from icclint.engine import check
from icclint.rule import Profile
from icclint.trace import Answer, Tracer
from tests import captured

ICC = "com.docker.network.bridge.enable_icc"
DEFAULT = [rule for rule in RULES if rule.profile is Profile.DEFAULT]
GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_ipv4"
DIRECT = ("direct-routing-unguarded", "direct-access-unguarded", "unpublished-port-reachable")
"""The rules about packets from outside to the containers' own addresses."""

FOUND_ON_UNTAMPERED_HOSTS = {
    # An engine's own doing: each of these claims is broken by what the engine writes, or does not write.
    "12a-ipv6-no-ip6tables": {"icc-off-ipv6-open", "networks-not-isolated"},
    "13a-macvlan": {"icc-option-void"},
    "13b-overlay": {"icc-option-void"},
    "21-iptables-false": {"icc-off-but-forwarded", "networks-not-isolated"},
    "23-icc-spellings": {"icc-option-misspelt"},
    "05b-user-icc-false-link": {"link-without-effect"},
    # A link's container is gone or replaced.
    "04a-link-target-removed": {"link-orphaned"},
    "04b-link-target-address-reused": {"link-orphaned"},
}
FOUND_ON_SOME_ENGINES = {
    # Rules outside the engine's own chains outlive a network whose files are gone. Since 28 they stop packets.
    "20.10.24/15a-crash-network-lost": {"rules-of-missing-bridge"},
    # ufw accepts echo requests ahead of the DROP that engines before 28 append to FORWARD.
    "20.10.24/16a-ufw-before-docker": {"icc-off-but-forwarded"},
    "26.1.5/16a-ufw-before-docker": {"icc-off-but-forwarded"},
    # Routed mode came with 27; its rule for ICMP comes ahead of the DROP and asks for no way in.
    "28.5.2/17a-gateway-modes": {"icc-off-but-forwarded"},
    "29.7.2/17a-gateway-modes": {"icc-off-but-forwarded"},
    # With nftables, an accept for packets into such a network comes ahead of the drop for those out of an internal one;
    # given a route, its containers do reach the other's.
    "29.7.2-nftables/17a-gateway-modes": {"icc-off-but-forwarded", "internal-but-forwarded"},
    # The guards in table raw name the old network's bridge and the new network's addresses.
    "28.5.2/15a-crash-network-lost": {"icc-on-but-dropped"},
    "29.7.2/15a-crash-network-lost": {"icc-on-but-dropped"},
}
TAMPERED = ("09", "10", "11", "18", "28")
"""The families in which somebody changed rules or kernel settings by hand."""
FOUND_ON_TAMPERED_HOSTS = {
    "09b-drop-deleted-policy-accept": {"icc-off-but-forwarded"},
    "09d-flushed-policy-drop": {"chain-never-reached"},
    "10a-accept-in-docker-user": {"icc-off-but-forwarded"},
    "10b-accept-forward-top": {"icc-off-but-forwarded"},
    "10c-accept-one-port": {"icc-off-but-forwarded"},
    # What was put in comes behind the DROP, and opens nothing.
    "10d-accept-appended": {"rule-never-matches"},
    "11a-bridge-nf-off": {"bridge-netfilter-off"},
    "18b-custom-chain-drop": {"icc-on-but-dropped"},
    "18d-reject": {"icc-on-but-dropped"},
    "18e-multiport-iprange": {"icc-on-but-dropped"},
    "18f-mark": {"icc-on-but-dropped"},
    "28-nft-accept-put-in": {"icc-off-but-forwarded"},
}
NO_EFFECT = ("29.7.2-nftables/10b-accept-forward-top",)
"""What iptables accepts is asked of the engine's own tables of nftables as well, and dropped there."""
"""What names the cause. On the others the claims hold: the policy still drops, or what was put in changes nothing."""


NOT_ON_A_BRIDGE = ("13a-macvlan", "13b-overlay")
"""What containers send by these drivers passes by the host's tables, or by some that no capture shows."""


def arrives(probe: captured.Probe, answer: Answer) -> bool:
    """Whether an answer says that a packet gets to whom it was sent to."""
    to = answer.delivered_to
    if answer.verdict != "delivered" or to is None:
        return False
    if probe.target == "host":
        return to.interface is None
    if probe.target == "lan":
        return to.interface == "eth0"
    # A container may have addresses that the engine knows nothing of.
    return to.container == probe.target or (to.container is None and to.interface == probe.bridge is not None)


@cache
def answers(name: str) -> tuple[tuple[captured.Probe, Answer], ...]:
    """What icclint says of each packet that was sent on a host."""
    tracer = Tracer(captured.host(name))
    return tuple((probe, tracer.answer(probe.question)) for probe in captured.probes(name))


@pytest.mark.parametrize("name", captured.NAMES)
def test_every_packet_ends_as_icclint_says(name: str) -> None:
    for probe, answer in answers(name):
        if answer.verdict == "unknown":
            assert name.endswith(NOT_ON_A_BRIDGE), (probe, answer.at.text)
            assert "meets no bridge" in answer.at.text
            continue
        assert arrives(probe, answer) == probe.arrived, (probe, answer.verdict, answer.at.text, answer.delivered_to)


def agreement() -> str:
    """The table of docs/agreement.md: of each engine's packets how many end as icclint says, and how many it leaves."""
    rows = [
        "| engine | captures | packets | as predicted | otherwise | cannot be told |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for engine in sorted({name.split("/")[0] for name in captured.NAMES}):
        names = [name for name in captured.NAMES if name.startswith(f"{engine}/")]
        asked = [both for name in names for both in answers(name)]
        unknown = sum(answer.verdict == "unknown" for _, answer in asked)
        right = sum(arrives(probe, answer) == probe.arrived for probe, answer in asked if answer.verdict != "unknown")
        counts = (len(names), len(asked), right, len(asked) - right - unknown, unknown)
        rows.append(f"| {engine} | {' | '.join(f'{count:,}' for count in counts)} |")
    return "\n".join(rows)


def test_the_table_of_agreement_is_current() -> None:
    assert agreement() in (captured.ROOT.parent.parent / "docs" / "agreement.md").read_text()


def test_there_are_packets_to_compare() -> None:
    paths = Counter(probe.path for name in captured.NAMES for probe in captured.probes(name))
    assert sum(paths.values()) > 23_000
    assert min(paths.values()) > 90
    assert {"bridge", "routed", "direct", "lan", "published-lan-ip", "published-loopback"} <= paths.keys()


ABOUT_ICC = {
    "bridge-netfilter-off", "icc-off-but-forwarded", "icc-off-ingress-port", "icc-off-ipv6-open", "icc-on-but-dropped",
    "link-orphaned",
}  # fmt: skip
"""The rules about what containers of one network send each other."""


@pytest.mark.parametrize("name", captured.NAMES)
def test_each_claim_about_icc_that_packets_disprove_is_reported_and_no_other(name: str) -> None:
    arrived: dict[tuple[str, int], set[bool]] = defaultdict(set)
    for probe in captured.probes(name):
        if probe.path in ("bridge", "link-local") and probe.network is not None and probe.bridge is not None:
            arrived[probe.network, probe.question.family].add(probe.arrived)
    claims = {
        network["Name"]: network["Options"].get(ICC, "true").lower() not in ("false", "0", "f")
        for network in json.loads((captured.ROOT / name / "networks.json").read_text())
    }
    disproved = {network for (network, _), seen in arrived.items() if seen != {claims[network]}}
    report = check([captured.capture(name)], DEFAULT)
    reported = {
        finding.subject.removeprefix("network ")
        if finding.subject.startswith("network ")
        else "bridge"  # links exist on the default bridge only
        for finding in report.findings
        if finding.rule in ABOUT_ICC
    }
    # A live link opens what it is for, and without a container at one end no packet could be sent.
    if "03-link" in name:
        disproved -= {"bridge"}
    if "04a" in name:
        disproved |= {"bridge"}
    assert reported == disproved


@pytest.mark.parametrize("name", captured.NAMES)
def test_frames_without_an_address_pass_where_a_note_says_so(name: str) -> None:
    truth = json.loads((captured.ROOT / name / "truth.json").read_text())
    frames: dict[str, set[str]] = defaultdict(set)
    for path in truth["paths"]:
        if path["path"] == "layer2":
            frames[path["network"]] |= {result for _, _, result, *_ in path["probes"]}
    noted = subjects(name, "icc-off-raw-frames")
    # Where there is no result, nobody sent a frame.
    assert all(frames[network] <= {"delivered"} for network in noted)
    off = {network.name for network in captured.host(name).bridges if network.icc is False}
    assert noted >= off & frames.keys()


@pytest.mark.parametrize("name", captured.NAMES)
def test_neighbours_reach_published_ports_through_the_host_where_a_finding_says_so(name: str) -> None:
    off = {network.name: network for network in captured.host(name).bridges if network.icc is False}
    reached = {
        probe.network
        for probe in captured.probes(name)
        if probe.path == "published-own-gateway" and probe.arrived and probe.network in off
        if probe.question.source != f"container:{probe.target}"
        if probe.target in {endpoint.name for endpoint in off[probe.network].endpoints}
    }
    assert subjects(name, "icc-off-published-port") == reached


def subjects(name: str, rule: str) -> set[str]:
    """The networks that a rule has something to say of."""
    report = check([captured.capture(name)], [one for one in RULES if one.id == rule])
    return {finding.subject.removeprefix("network ") for finding in report.findings}


@pytest.mark.parametrize("name", captured.NAMES)
def test_each_network_whose_containers_packets_from_outside_reach_is_reported_and_no_other(name: str) -> None:
    networks = json.loads((captured.ROOT / name / "networks.json").read_text())
    # A gateway mode opens a network, or its published ports, on purpose.
    on_purpose = {n["Name"] for n in networks if n["Options"].get(GATEWAY_MODE) in ("routed", "nat-unprotected")}
    reached = {
        (probe.network, probe.question.family)
        for probe in captured.probes(name)
        if (probe.path, probe.question.source, probe.arrived) == ("direct", "outside", True)
        and probe.question.protocol in ("tcp", "udp")
        and probe.bridge is not None
    }
    report = check([captured.capture(name)], [rule for rule in RULES if rule.id in DIRECT])
    reported = {(f.subject.removeprefix("network "), f.packet.family) for f in report.findings if f.packet is not None}
    assert {pair for pair in reported if pair[0] not in on_purpose} == {
        pair for pair in reached if pair[0] not in on_purpose
    }


@pytest.mark.parametrize("name", [name for name in captured.NAMES if not name.split("/")[1].startswith(TAMPERED)])
def test_a_host_that_nobody_tampered_with_is_silent_but_for_what_its_engine_breaks(name: str) -> None:
    report = check([captured.capture(name)], DEFAULT)
    scenario = name.split("/")[1]
    expected = FOUND_ON_UNTAMPERED_HOSTS.get(scenario, set()) | FOUND_ON_SOME_ENGINES.get(name, set())
    assert {finding.rule for finding in report.findings if finding.severity != "note"} == expected
    assert not report.gaps
    assert not report.crashes


@pytest.mark.parametrize("name", [name for name in captured.NAMES if name.split("/")[1].startswith(TAMPERED)])
def test_a_host_that_somebody_tampered_with_yields_what_names_the_cause_and_nothing_else(name: str) -> None:
    report = check([captured.capture(name)], DEFAULT)
    expected = set() if name in NO_EFFECT else FOUND_ON_TAMPERED_HOSTS.get(name.split("/")[1], set())
    assert {finding.rule for finding in report.findings if finding.severity != "note"} == expected


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("20.10.24/09b-drop-deleted-policy-accept", ":FORWARD ACCEPT [0:0]"),
        ("20.10.24/10a-accept-in-docker-user", "-A DOCKER-USER -i docker0 -o docker0 -j ACCEPT"),
        ("28.5.2/10a-accept-in-docker-user", "-A DOCKER-USER -i docker0 -o docker0 -j ACCEPT"),
        ("28.5.2/10b-accept-forward-top", "-A FORWARD -i docker0 -o docker0 -j ACCEPT"),
        (
            "28.5.2/10c-accept-one-port",
            "-A DOCKER-USER -s 172.17.0.3/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT",
        ),
        ("29.7.2/11a-bridge-nf-off", "net.bridge.bridge-nf-call-iptables = 0"),
        ("20.10.24/12a-ipv6-no-ip6tables", "-P FORWARD ACCEPT"),
        ("20.10.24/16a-ufw-before-docker", "-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT"),
        ("28.5.2/18b-custom-chain-drop", "-A GUARD -p tcp -m tcp --dport 9999 -j DROP"),
        ("28.5.2/18f-mark", "-A DOCKER-USER -m mark --mark 0x1 -j DROP"),
        (
            "20.10.24/08a-published-proxy",
            "-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.2:9999",
        ),
        (
            "26.1.5/16a-ufw-before-docker",
            "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.4:80",
        ),
        ("29.7.2/17a-gateway-modes", "-A DOCKER ! -i br-b6680c699da7 -o br-b6680c699da7 -j ACCEPT"),
        ("29.7.2-nftables/28-nft-accept-put-in", "\t\ttcp dport 80 accept"),
    ],
)
def test_a_finding_points_at_the_line_that_decides(name: str, line: str) -> None:
    report = check([captured.capture(name)], RULES)
    documents = {document.name: document for document, _ in captured.capture(name).documents}
    lines = [documents[f.location.document].lines[f.location.line - 1] for f in report.findings]
    assert line in lines
