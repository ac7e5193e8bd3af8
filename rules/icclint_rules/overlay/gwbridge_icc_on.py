"""docker_gwbridge, which every container on an overlay network is also on, has ICC on.

## What it detects

The bridge network `docker_gwbridge` whose `com.docker.network.bridge.enable_icc` is not false, while containers are on
it.

## Why it matters

The engine makes this network itself, with ICC off, to lead what containers of overlay networks send out of the host.
Every such container is on it, whichever overlay network it belongs to. With ICC on it joins them all: containers of
networks that are apart reach each other by their addresses on the bridge. The engine keeps whatever it finds, so a
network that somebody made under that name beforehand, for another subnet most often, has ICC on unless it says
otherwise.

## Example

    docker network create --subnet 10.11.0.0/16 -o com.docker.network.bridge.name=docker_gwbridge docker_gwbridge

## What to do

Drain the node, remove the network, and make it again with `-o com.docker.network.bridge.enable_icc=false` and
`-o com.docker.network.bridge.enable_ip_masquerade=true`, as the engine does.

## Limits

Says what the option says. Where the option is right and the rules let packets pass, that is `icc-off-but-forwarded`.

## References

- CWE-653, CWE-923
- https://github.com/moby/moby/issues/30128
- https://docs.docker.com/engine/swarm/networking/#customize-the-docker_gwbridge
- moby, libnetwork/default_gateway_linux.go, createGWNetwork: the options that the engine makes it with
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import ENABLE_ICC, Effect, Evidence, Finding, Host, Location, NotAssessed, Severity, rule

GATEWAY_BRIDGE = "docker_gwbridge"
INGRESS = "ingress-sbox"
"""The endpoint of the routing mesh, which is no container."""


@rule(
    id="gwbridge-icc-on",
    severity=Severity.MEDIUM,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def gwbridge_icc_on(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        containers = [endpoint for endpoint in network.endpoints if endpoint.container != INGRESS]
        if network.name != GATEWAY_BRIDGE or not network.icc or not containers:
            continue
        yield Finding(
            message=(
                f"Network {network.name!r} has ICC on: the {len(containers)} containers on it, of whichever overlay"
                " networks, reach each other"
            ),
            subject=f"network {network.name}",
            key=(),
            primary=Location(network.span_of("Options", ENABLE_ICC), "does not say that ICC is off"),
            related=tuple(Location(endpoint.span, "is on it") for endpoint in containers[:2]),
            remedy=(
                f"docker network rm {network.name}",
                f"docker network create -o {ENABLE_ICC}=false -o com.docker.network.bridge.enable_ip_masquerade=true"
                f" -o com.docker.network.bridge.name={network.bridge} {network.name}",
            ),
        )
