"""What packets do on a host, as truth.json holds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.lab import world
from tests.lab.containers import bridge_of
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.parties import Inspected, links, listening, parties
from tests.lab.plan import HOST_SERVICES, LAN_SERVICES, Gateways, Plan
from tests.lab.prober import Prober
from tests.lab.probes import Outcome, Way
from tests.lab.scenario import Coverage
from tests.lab.truth import HostFacts, LanFacts, Measured, Participant, Path


def measure(lab: Lab, networks: list[Inspected], containers: list[Inspected], coverage: Coverage) -> dict[str, Any]:
    """Sends all packets; returns the members of `Truth` that are measured."""
    everybody, facts = parties(lab, networks, containers)
    members = {name: found for name, found in facts.items() if isinstance(found, Participant)}
    plan = Plan(members, _gateways(lab.host, networks), coverage)
    # Every probe is to be the first packet of its flow.
    lab.host.ask("conntrack", "-F")
    with Prober.among(everybody) as prober:
        outcomes = prober.outcomes(list(plan.probes()))
    return {
        "host": HostFacts(lan_ip=world.HOST, lan_ip6=world.HOST6, listening=listening(HOST_SERVICES)),
        "lan": LanFacts(ip=world.LAN, ip6=world.LAN6, beyond=world.BEYOND, listening=listening(LAN_SERVICES)),
        "containers": facts,
        "paths": list(paths(outcomes)),
    }


def _gateways(host: Host, networks: list[Inspected]) -> Gateways:
    own = {
        link["ifname"]: tuple(a["local"] for a in link["addr_info"] if not a["local"].startswith("fe80:"))
        for link in links(host)
    }
    bridges = {network["Name"]: bridge_of(network) for network in networks}
    return {name: own.get(bridge, ()) for name, bridge in bridges.items() if bridge}


def paths(outcomes: Iterable[Outcome]) -> Iterable[Path]:
    """Outcomes by what they have in common: the way, and the address that the packets were sent from."""
    found: dict[tuple[Way, str | None], list[Measured]] = {}
    for outcome in outcomes:
        probe, details = outcome.probe, outcome.details
        measured = (probe.protocol, probe.port, outcome.result)
        together = found.setdefault((probe.way, outcome.source_address), [])
        together.append((*measured, details) if details.model_fields_set else measured)
    for (way, address), probes in found.items():
        yield Path(**_words(way, address), probes=probes)


def _words(way: Way, source_address: str | None) -> dict[str, Any]:
    """A way in the words of truth.json, without those that do not apply to it."""
    words: dict[str, Any] = {"src": way.source, "dst": way.target, "path": way.path}
    optional = {"network": way.network, "shared": way.shared, "published": way.published}
    words |= {name: value for name, value in optional.items() if value is not None}
    if way.mac is not None:
        return words | {"mac": way.mac}
    return words | {"family": 6 if ":" in (way.address or "") else 4, "saddr": source_address, "daddr": way.address}
