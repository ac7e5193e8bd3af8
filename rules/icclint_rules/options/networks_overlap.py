"""Two bridge networks name the same bridge, or subnets of theirs overlap, so that no rule can tell them apart.

## What it detects

Two networks of the bridge driver in one capture with the same interface, or with subnets of which one holds addresses
of the other.

## Why it matters

On one bridge the containers of both are neighbours: what Docker says of one, ICC off or internal, holds for both or for
none. With overlapping subnets the host has two routes to one address, and rules that go by addresses, such as those of
internal networks, published ports and links, mean containers of either. Engines refuse both when a network is
made, so this is what a crash, a restored state or a second engine on the host leaves behind.

## Example

    "Name": "old", "Options": {"com.docker.network.bridge.name": "apps0"}
    "Name": "new", "Options": {"com.docker.network.bridge.name": "apps0"}

## What to do

Remove one of the two, and restart the engine.

## Limits

Captures of two moments in one folder look the same, where a network was made anew in between. Link-local subnets are
each bridge's own and are left aside; so are networks of other drivers, which no rule of the host is about.

## References

- CWE-923
- moby, daemon/libnetwork/drivers/bridge/bridge_linux.go, networkConfiguration.Conflicts
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from icclint.api import (
    BRIDGE_NAME,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Severity,
    rule,
)


@rule(
    id="networks-overlap",
    severity=Severity.MEDIUM,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def networks_overlap(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for one, other in combinations(host.bridges, 2):
        if one.bridge == other.bridge and is_known(one):
            yield overlap(one, other, f"are on one bridge, {one.bridge}, so that their containers are neighbours")
            continue
        shared = next(
            (
                (mine, theirs)
                for mine in one.subnets
                for theirs in other.subnets
                if mine.version == theirs.version and mine.overlaps(theirs) and not mine.is_link_local
            ),
            None,
        )
        if shared:
            yield overlap(one, other, f"overlap, {shared[0]} and {shared[1]}, so that an address may be of either")


def is_known(network: Network) -> bool:
    """Whether its bridge is known: it has the network's id for its name where no option names it."""
    return bool(network.id) or BRIDGE_NAME in network.options


def overlap(one: Network, other: Network, how: str) -> Finding:
    return Finding(
        message=f"Networks {one.name!r} and {other.name!r} {how}",
        subject=f"networks {one.name} and {other.name}",
        key=(one.name, other.name),
        primary=Location(one.span_of("Name"), "one of the two"),
        related=(Location(other.span_of("Name"), "the other"),),
    )
