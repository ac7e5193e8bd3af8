"""The lab without engines: its scenarios, and whether the stored captures are what it would write."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests import captured
from tests.lab import truth
from tests.lab.capture import COMMANDS, TRUTH, place
from tests.lab.compare import differences
from tests.lab.containers import bridge_of
from tests.lab.lab import VARIANTS
from tests.lab.measure import paths
from tests.lab.plan import Gateways, Plan
from tests.lab.probes import Flight, Outcome, Probe, Way
from tests.lab.scenario import Scenario
from tests.lab.scenarios import ALL
from tests.lab.scenarios.parts import icc_rules
from tests.lab.truth import IcmpError, Participant, Truth

SCENARIOS = {scenario.name: scenario for scenario in ALL}
ENGINES = sorted({name.partition("/")[0] for name in captured.NAMES})


def stored(name: str) -> Truth:
    """The truth of a stored capture."""
    return Truth.model_validate_json((captured.ROOT / name / TRUTH).read_text())


# -- scenarios -------------------------------------------------------------


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_a_scenario_is_well_formed(scenario: Scenario) -> None:
    assert re.fullmatch(r"\d\d[a-z]?(-[a-z0-9]+)+", scenario.name)
    assert scenario.note.endswith((".", ")")), "a note is a sentence"
    assert scenario.note.isascii()


def test_no_two_scenarios_can_be_taken_for_each_other() -> None:
    families = Counter(scenario.name.partition("-")[0] for scenario in ALL)
    assert [family for family, count in families.items() if count > 1] == []
    assert len({scenario.build for scenario in ALL}) == len(ALL)
    assert len({scenario.note for scenario in ALL}) == len(ALL)


def test_every_module_with_scenarios_is_listed() -> None:
    folder = Path(__file__).parent / "scenarios"
    written = sum(len(re.findall(r'"\d\d[a-z]?-[a-z0-9-]+"', path.read_text())) for path in folder.glob("*.py"))
    assert written == len(ALL)


# -- stored captures -------------------------------------------------------


@pytest.mark.parametrize("name", captured.NAMES)
def test_a_stored_capture_is_of_a_scenario(name: str) -> None:
    known = stored(name)
    assert known.scenario in SCENARIOS
    assert name == str(place(known.engine, known.backend, known.scenario))


@pytest.mark.parametrize("name", captured.NAMES)
def test_a_stored_capture_has_the_files_that_the_lab_writes(name: str) -> None:
    files = {path.name for path in (captured.ROOT / name).iterdir()}
    always = {*COMMANDS, "networks.json", "containers.json", "sysctl.txt", TRUTH}
    nft = set() if stored(name).backend == "legacy" else {"nft-ruleset.txt"}
    assert files - {f"iptables-{variant}-save.txt" for variant in VARIANTS} == always | nft


@pytest.mark.parametrize("name", captured.NAMES)
def test_a_stored_truth_is_what_the_lab_writes(name: str) -> None:
    assert truth.text(stored(name)) == (captured.ROOT / name / TRUTH).read_text()


@pytest.mark.parametrize("name", captured.NAMES)
def test_the_probes_of_a_stored_capture_are_those_that_the_lab_sends(name: str) -> None:
    known = stored(name)
    members = {name: facts for name, facts in known.containers.items() if isinstance(facts, Participant)}
    plan = Plan(members, gateways(name), SCENARIOS[known.scenario].coverage)
    # Where they are sent from, and what becomes of them, is not the plan's.
    planned = paths(Outcome.of([Flight(probe, 0)]) for probe in plan.probes())
    assert asked(planned) == asked(known.paths)


def asked(found: Iterable[truth.Path]) -> Counter[tuple[object, ...]]:
    """All that probes have in common, protocol, port and chosen source port, with how often it occurs."""
    counted: Counter[tuple[object, ...]] = Counter()
    for path in found:
        common = path.model_copy(update={"saddr": None, "probes": []}).model_dump_json()
        for protocol, port, _, *more in path.probes:
            counted[common, protocol, port, more[0].sport if more else None] += 1
    return counted


def gateways(name: str) -> Gateways:
    """The host's addresses on its bridges, as a stored capture shows them."""
    shown = (captured.ROOT / name / "ip-addr.txt").read_text()
    own: dict[str, list[str]] = {}
    for interface, address in re.findall(r"^\d+: ([^:@\s]+)|^    inet6? ([^/\s]+)", shown, re.MULTILINE):
        if interface:
            current = own.setdefault(interface, [])
        elif not address.startswith("fe80:"):
            current.append(address)
    networks = json.loads((captured.ROOT / name / "networks.json").read_text())
    bridges = {network["Name"]: bridge_of(network) for network in networks}
    return {network: tuple(own.get(bridge, ())) for network, bridge in bridges.items() if bridge}


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if not engine.endswith("-nftables")])
def test_one_rule_keeps_the_containers_of_a_bridge_apart(engine: str) -> None:
    dump = captured.ROOT / engine / "02-default-icc-false/iptables-S.txt"
    assert len(icc_rules(dump.read_text(), "docker0")) == 1
    assert icc_rules(dump.read_text(), "docker1") == []


# -- what becomes of a packet ----------------------------------------------

PROBE = Probe(Way("web1", "web2", "bridge", "172.17.0.3", "bridge", shared=True), "tcp", 80)
REFUSAL = IcmpError.model_validate({"type": 3, "code": 10, "from": "172.17.0.1"})


@pytest.mark.parametrize(
    ("known", "result", "details"),
    [
        ({}, "timeout", {}),
        ({"error": "EHOSTUNREACH"}, "timeout", {"error": "EHOSTUNREACH"}),
        ({"error": "ENETUNREACH"}, "unreachable", {"error": "ENETUNREACH"}),
        ({"seen": True, "replied": True}, "delivered", {}),
        ({"seen": True}, "delivered", {"replied": False}),
        ({"served": True, "replied": True, "peer": "192.0.2.10"}, "delivered", {"peer": "192.0.2.10"}),
        ({"error": "ECONNREFUSED"}, "refused", {"error": "ECONNREFUSED"}),
        ({"error": "ECONNREFUSED", "seen": True}, "refused", {"seen": True, "error": "ECONNREFUSED"}),
        ({"icmp": REFUSAL}, "refused", {"icmp": {"type": 3, "code": 10, "from": "172.17.0.1"}}),
        ({"connected": True, "hung_up": True}, "refused", {"connected_to_something_else": True}),
        ({"replied": True, "answered_by": "web3"}, "timeout", {"replied": True, "answered_by": "web3"}),
    ],
)
def test_the_result_of_a_flight(known: dict[str, object], result: str, details: dict[str, object]) -> None:
    outcome = Outcome.of([Flight(PROBE, 20000, "172.17.0.2", **known)])  # type: ignore[arg-type]
    assert outcome.result == result
    assert outcome.details.model_dump(by_alias=True, exclude_unset=True) == details


def test_the_flight_that_got_furthest_counts() -> None:
    lost, passed = Flight(PROBE, 20000), Flight(PROBE, 20001, served=True, replied=True)
    outcome = Outcome.of([lost, passed, lost])
    assert outcome.result == "delivered"
    assert outcome.details.unstable == ["timeout", "delivered", "timeout"]


# -- comparing captures ----------------------------------------------------


def test_a_capture_differs_from_another_by_what_packets_do() -> None:
    one = stored(f"{ENGINES[0]}/02-default-icc-false")
    text = truth.text(one)
    moved = Truth.model_validate_json(text.replace("172.17.0.", "172.18.0."))
    assert list(differences(one, moved)) == []
    opened = Truth.model_validate_json(text.replace('["tcp",80,"timeout"]', '["tcp",80,"delivered"]', 1))
    assert list(differences(one, opened)) == [
        "web1 web2 bridge bridge 4 tcp 80: [('timeout',)], and [('delivered',)]",
    ]
    shorter = one.model_copy(update={"paths": one.paths[1:]})
    assert all("not asked" in line for line in differences(one, shorter))
