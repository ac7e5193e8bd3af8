"""Containers of a network that has ICC off may send raw frames, of which iptables sees only IPv4 and IPv6.

## What it detects

A bridge network with ICC off and two containers or more, of which some have the capability NET_RAW: by default, by
`--cap-add`, or since they are privileged. One finding for each network, which names them.

## Why it matters

ICC is carried out by iptables. A frame that is neither IPv4 nor IPv6 passes from port to port of the bridge and meets
no rule; with NET_RAW a process can send and receive such frames, so two containers that both want to can talk, and one
of them can poison its neighbours' ARP. Every container has NET_RAW unless it is dropped, so this is a note.

## Example

    "HostConfig": {"CapAdd": null, "CapDrop": null, "Privileged": false}

## What to do

Start containers with `--cap-drop NET_RAW`; few need it. Between containers that must not meet at all, use a network
each.

## Limits

Ports of the bridge that are set to `isolated`, and rules of ebtables or of nftables' family bridge, would stop such
frames too; they are not read. A process that is not root has the capability only where the image gives it.

## References

- CWE-923, CWE-250
- CIS Docker Benchmark 1.8.0, 5.4 (capabilities), 2.2 (which asks for containers without NET_RAW)
- https://github.com/moby/moby/issues/36355: ICC off and raw frames
- moby, daemon/pkg/oci/caps/defaults.go
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Container,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Profile,
    Severity,
    rule,
)
from icclint_rules.proof import icc_claim

MOST_SHOWN = 10
"""How many containers are shown."""


@rule(
    id="icc-off-raw-frames",
    severity=Severity.NOTE,
    profile=Profile.AUDIT,
    needs={Evidence.CONTAINERS, Evidence.NETWORKS},
    since="0.1",
)
def icc_off_raw_frames(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        inside = {key for endpoint in network.endpoints for key in (endpoint.container, endpoint.name)}
        able = [c for c in host.containers or () if c.raw_sockets and owner(c) in inside]
        if network.icc is False and len(network.endpoints) > 1 and able:
            yield may_send(network, able)


def owner(container: Container) -> str:
    """The container whose network stack one has: its own, or, by its id or name, that of another one."""
    return container.network_mode.partition("container:")[2] or container.id


def may_send(network: Network, able: list[Container]) -> Finding:
    names = ", ".join(container.name for container in able[:MOST_SHOWN])
    more = f" and {len(able) - MOST_SHOWN} more" if len(able) > MOST_SHOWN else ""
    have = "has" if len(able) == 1 else "have"
    return Finding(
        message=(
            f"Network {network.name!r} has ICC off, but {names}{more} {have} NET_RAW: frames that are neither IPv4 nor "
            "IPv6 pass between its containers"
        ),
        subject=f"network {network.name}",
        key=tuple(container.name for container in able),
        primary=Location(icc_claim(network).span, "covers IPv4 and IPv6, and nothing else"),
        related=tuple(Location(container.span, "has NET_RAW") for container in able[:MOST_SHOWN]),
    )
