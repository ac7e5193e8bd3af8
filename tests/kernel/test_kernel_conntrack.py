"""Which packets open a flow: the engine and the other tests take it as given, and here the kernel says it."""

from __future__ import annotations

import pytest

from icclint.packets.effect import opening
from icclint.packets.packet import ICMP, ICMPV6, SYN, TCP
from icclint.packets.ranges import RangeSet
from tests.kernel.frames import numbers
from tests.kernel.lab import FAMILIES, MOST, ROUTES, Lab, Probe, probe

pytestmark = pytest.mark.kernel

STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
ASK = "*filter\n" + "".join(f"-A FORWARD -m conntrack --ctstate {state}\n" for state in STATES)
BRIDGED = ROUTES[0]


def states(lab: Lab, family: int, probes: list[Probe]) -> list[str]:
    """What conntrack calls the first packet of each of these flows."""
    host = lab.load(family, "legacy", ASK)
    rules = host.rulesets_of(family)[0].tables["filter"].chains["FORWARD"].rules
    found = []
    for start in range(0, len(probes), MOST):
        volley = probes[start : start + MOST]
        counted = lab.send(family, volley).counted
        ticks = {s: numbers(*counted[r.span.document, r.span.line]) for s, r in zip(STATES, rules, strict=True)}
        found += [next(state for state in STATES if number in ticks[state]) for number in range(len(volley))]
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_tcp_flags(lab: Lab, family: int) -> None:
    probes = [probe(BRIDGED, family, TCP, source_port=1024 + f, destination_port=80, tcp_flags=f) for f in range(64)]
    assert states(lab, family, probes) == [p.packet.state for p in probes]
    assert probes[SYN].packet.state == "NEW"


@pytest.mark.parametrize("family", FAMILIES)
def test_icmp_types(lab: Lab, family: int) -> None:
    protocol = {4: ICMP, 6: ICMPV6}[family]
    # Multicast router discovery is INVALID or UNTRACKED, by the kernel's version.
    types = [kind for kind in range(256) if family == 4 or kind not in (151, 152, 153)]
    probes = [probe(BRIDGED, family, protocol, icmp=(kind, 0)) for kind in types]
    found = states(lab, family, probes)
    assert found == [p.packet.state for p in probes]
    new = RangeSet.of(
        *((kind << 8, kind << 8 | 255) for kind, state in zip(types, found, strict=True) if state == "NEW")
    )
    assert opening(family, RangeSet(), RangeSet()).icmp == new


@pytest.mark.parametrize("family", FAMILIES)
def test_other_protocols(lab: Lab, family: int) -> None:
    ports = {"source_port": 1000, "destination_port": 80}
    probes = [probe(BRIDGED, family, protocol, **ports) for protocol in (17, 33, 132, 136)]
    probes += [probe(BRIDGED, family, protocol) for protocol in (2, 47, 50, 89, 112, 253)]
    assert states(lab, family, probes) == ["NEW"] * len(probes)
