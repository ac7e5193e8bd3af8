"""A container's published ports are reached at its own address, since its guard in table raw is missing.

## What it detects

On a host whose engine closes containers to direct access (28.0.0 and later), a container with published ports that
gets new connections from beyond an interface that leads out of the host, sent to the container's own address instead of
the host's. One finding for each container. Interfaces in `com.docker.network.bridge.trusted_host_interfaces` and
networks whose gateway mode is `routed` or `nat-unprotected` are open on purpose and left out.

## Why it matters

A port is published at an address and a port of the host, and people filter there: by the bind address, or by rules that
ask for the host's port. Who routes the container's subnet by the host goes past all of that. Since 28.0.0 a rule of
table raw keeps them out. A missing one was lost by a flush, by a reload of firewalld (CVE-2025-54388) or by an edit,
and what it guarded is published after all, so the severity is medium; a port that is published on loopback only is
`loopback-port-reachable`, which is worse.

## Example

    -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT

without

    -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP

## What to do

Restart the engine, which puts the guards back; with 28.2.0 to 28.3.2 and firewalld, upgrade. If direct access is
wanted, say so to the engine: `trusted_host_interfaces` for a network, or gateway mode `routed`.

## Limits

`dockerd --allow-direct-routing` (28.2 and later) leaves all guards out on purpose, and no dump tells. So the finding is
certain only where another container is guarded. Whether anybody routes to the container's subnet does not show in a
capture of the host.

## References

- CWE-668, CWE-923
- CIS Docker Benchmark 1.8.0, 5.14
- CVE-2025-54388: a reload of firewalld takes the guards away (28.2.0 to 28.3.2)
- https://github.com/moby/moby/pull/49325: the guards, in 28.0.0
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Assumption,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Severity,
    closes_containers,
    families,
    guarded_addresses,
    rule,
)
from icclint_rules.ports.ways import (
    Address,
    OpenedPort,
    direct_guard,
    named,
    opened_ports,
    service,
)
from icclint_rules.proof import proof, raw_is_captured, raw_not_captured

NOT_ALLOWED = Assumption(
    key="dockerd --allow-direct-routing",
    holds=True,
    text="the engine was not started with --allow-direct-routing, which leaves out the guards of all containers",
    capture_with="cat /etc/docker/daemon.json; ps -C dockerd -o args",
)


@rule(
    id="direct-access-unguarded",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def direct_access_unguarded(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        for family in families(network):
            if not closes_containers(host, family):
                continue
            opened = by_container(opened_ports(host, effect, network, family))
            if opened and not raw_is_captured(host, family):
                yield raw_not_captured(network, family)
                continue
            for ports in opened.values():
                yield unguarded(host, effect, network, ports)


def by_container(opened: list[OpenedPort]) -> dict[Address, list[OpenedPort]]:
    """The ports of each container, those left out where one of them is published on loopback only."""
    found: dict[Address, list[OpenedPort]] = {}
    for port in opened:
        found.setdefault(port.opening.address, []).append(port)
    return {address: ports for address, ports in found.items() if not any(port.only_on_loopback for port in ports)}


def unguarded(host: Host, effect: Effect, network: Network, ports: list[OpenedPort]) -> Finding:
    first, *others = ports
    address = first.opening.address
    shown = ", ".join(service(port.opening.protocol, port.opening.port) for port in ports)
    fields = proof(effect, first.way.share)
    guarded = guarded_addresses(host, address.version)
    if not guarded:
        fields["assumptions"] += (NOT_ALLOWED,)
    may = "may be" if fields["assumptions"] else "is"
    return Finding(
        message=(
            f"Container {named(host, address)} {may} reached from outside by {first.way.interface} at its own address "
            f"{address} ({shown}), past the ports of the host: nothing in table raw keeps the packets out"
        ),
        subject=f"container {named(host, address)}",
        key=(f"network {network.name}", f"IPv{address.version}"),
        primary=Location(first.opening.rule.span, "lets packets from outside in"),
        related=tuple(Location(port.opening.rule.span, "and here") for port in others),
        # A guard that stands behind what lets the packets pass is no use.
        remedy=() if int(address) in guarded else (direct_guard(network, first.opening),),
        **fields,
    )
