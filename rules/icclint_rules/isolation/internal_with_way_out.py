"""A container of an internal network is on another network too, so it has a way out, and is one for the others.

## What it detects

A container with an endpoint on an internal bridge network and another one on a bridge network that is not internal. One
finding for each internal network.

## Why it matters

An internal network keeps nobody in who has another way. A proxy in front of a database is built just so, and then all
is well; but whoever takes over that container is on both sides, and so is every container that was put on a second
network for convenience. Nothing contradicts a claim, so it is a note, for an audit.

## Example

    "Internal": true, "Containers": {"c01": {"Name": "proxy", "IPv4Address": "172.20.0.3/16"}}
    "Internal": false, "Containers": {"c01": {"Name": "proxy", "IPv4Address": "172.18.0.2/16"}}

## What to do

See whether each of the containers needs both networks; `docker network disconnect` those that do not.

## Limits

Networks of drivers without a bridge on the host (overlay, macvlan) are not looked at.

## References

- CWE-653
- CIS Docker Benchmark 1.8.0, 5.30
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Endpoint,
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


@rule(
    id="internal-with-way-out",
    severity=Severity.NOTE,
    needs={Evidence.NETWORKS},
    since="0.1",
    profile=Profile.AUDIT,
)
def internal_with_way_out(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    elsewhere = {e.container: network for network in host.bridges if not network.internal for e in network.endpoints}
    for network in host.bridges:
        if network.internal:
            found = [e for e in network.endpoints if e.container in elsewhere]
            if found:
                yield way_out(network, found, elsewhere)


def way_out(network: Network, found: list[Endpoint], elsewhere: dict[str, Network]) -> Finding:
    names = ", ".join(f"{endpoint.name!r} by {elsewhere[endpoint.container].name!r}" for endpoint in found)
    first, *others = found
    return Finding(
        message=f"Network {network.name!r} is internal, and containers of it have another way out: {names}",
        subject=f"network {network.name}",
        key=tuple(endpoint.name for endpoint in found),
        primary=Location(first.span, f"{first.name} is on {elsewhere[first.container].name} too"),
        related=tuple(
            Location(endpoint.span, f"{endpoint.name} is on {elsewhere[endpoint.container].name} too")
            for endpoint in others
        ),
        remedy=tuple(f"docker network disconnect {network.name} {endpoint.name}" for endpoint in found),
    )
