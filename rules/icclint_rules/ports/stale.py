"""Rules of published ports that no container stands behind any more: shared by two rules of this family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from icclint.api import (
    Evidence,
    Host,
    Network,
    NotAssessed,
    PortForward,
    PortOpening,
    Rule,
    gateway_mode,
    port_forwards,
    port_openings,
)
from icclint_rules.ports.ways import Address, Binding, bindings, holder, named, network_of, service

Service = tuple[Address, int, int]
"""A port of a container: its address, the protocol and the number."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The rules that lead to one port of a container which does not publish it so; ``reason`` says why."""

    network: Network
    to: Service
    forwards: tuple[PortForward, ...]
    openings: tuple[PortOpening, ...]
    reason: str

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, those of table nat first."""
        return (*(forward.rule for forward in self.forwards), *(opening.rule for opening in self.openings))


def stale_ports(host: Host) -> Iterator[Stale | NotAssessed]:
    """The stale rules by the container's port, and what cannot be told without more of the capture."""
    told: dict[NotAssessed, None] = {}
    for to, (forwards, openings) in by_service(host).items():
        network = network_of(host, to[0]) or network_of_rules(host, forwards, openings)
        if network is None:
            reason = "rules of table nat lead to addresses that no captured network has"
            told[NotAssessed("published ports", reason, Evidence.NETWORKS.value)] = None
        elif not network.internal:
            found = judged(host, network, to, forwards, openings)
            if isinstance(found, NotAssessed):
                told[found] = None
            elif found is not None:
                yield found
    yield from told


def by_service(host: Host) -> dict[Service, tuple[list[PortForward], list[PortOpening]]]:
    """The rules of published ports by the container's port that they lead to."""
    found: dict[Service, tuple[list[PortForward], list[PortOpening]]] = {}
    for forward in port_forwards(host):
        to = forward.publication
        found.setdefault((to.address, to.protocol, to.port), ([], []))[0].append(forward)
    for opening in port_openings(host):
        found.setdefault((opening.address, opening.protocol, opening.port), ([], []))[1].append(opening)
    return found


def network_of_rules(host: Host, forwards: list[PortForward], openings: list[PortOpening]) -> Network | None:
    """The network whose bridge the rules name, where no network has the address."""
    bridges = {forward.bridge for forward in forwards} | {opening.bridge for opening in openings}
    return next((network for network in host.bridges if network.bridge in bridges), None)


def judged(
    host: Host, network: Network, to: Service, forwards: list[PortForward], openings: list[PortOpening]
) -> Stale | NotAssessed | None:
    """Which of the rules are stale; None where none is."""
    address, protocol, port = to
    stated = bindings(host, address, protocol, port)
    if stated is None and holder(host, address) is None:
        if "Containers" in network.not_shown or not any(one.endpoints for one in host.bridges):
            reason = "no network lists its containers, as in the engine's list of networks (GET /networks)"
            return NotAssessed("published ports", reason, Evidence.NETWORKS.value)
        return Stale(network, to, tuple(forwards), tuple(openings), f"no container has {address}")
    if stated is None:
        if not forwards and forwards_are_due(host, network, address.version):
            return Stale(network, to, (), tuple(openings), "no rule of table nat leads to it")
        reason = "whether the containers still publish the ports that rules open shows in their inspection only"
        return NotAssessed("published ports", reason, Evidence.CONTAINERS.value)
    wrong = tuple(forward for forward in forwards if not states(stated, forward))
    opened = () if stated else tuple(openings)
    if not wrong and not opened:
        return None
    so = "" if stated else " at all"
    name = named(host, address)
    reason = f"{address} is {name} now, which does not publish its port {service(protocol, port)} there{so}"
    return Stale(network, to, wrong, opened, reason)


def forwards_are_due(host: Host, network: Network, family: int) -> bool:
    """Whether each published port of a network must have its DNAT in the capture."""
    rulesets = host.rulesets_of(family)
    nat = all(r.all_tables or ("nat" in r.tables and r.tables["nat"].complete) for r in rulesets)
    return nat and gateway_mode(network, family) != "routed"


def states(stated: list[Binding], forward: PortForward) -> bool:
    """Whether a container's own word is what a DNAT carries out."""
    asked = forward.publication
    every_ipv6 = asked.host_address is None and asked.address.version == 6
    at = (asked.host_address, IPv6Address("::")) if every_ipv6 else (asked.host_address,)
    return any((address, asked.host_port) in stated for address in at)
