"""A network has ICC off, and its containers reach each other's published ports through the host.

## What it detects

A bridge network with ICC off of which one container publishes a port that another one can connect to by an address of
the host's: docker-proxy takes the connection there and makes one of its own to the container. One finding for each
network, with one such connection up to docker-proxy.

## Why it matters

The DROP for ICC stops what goes from container to container. This goes from a container to the host, and from the
host to a container; neither meets that rule. To publish a port is to open it to others, so a neighbour that gets in
is no surprise to most: hence low, and for audits only. But who takes "ICC off" for "my containers cannot talk to each
other" should know.

## Example

    docker run --network quiet --publish 8080:80 web

    # from another container of the network
    curl http://172.18.0.1:8080/

## What to do

Publish on one address (`--publish 127.0.0.1:8080:80`), which containers do not reach, or drop what comes in by the
bridge in chain INPUT. With `--userland-proxy=false` such connections are forwarded, and so meet the DROP.

## Limits

Says nothing of other services of the host, which ICC never covered either.

## References

- CWE-923
- CIS Docker Benchmark 1.8.0, 2.2, 2.17 (userland proxy)
- https://github.com/moby/moby/pull/53723: published ports between containers of one network
- moby, cmd/docker-proxy
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
    Passage,
    Profile,
    Publication,
    Severity,
    Verdict,
    proxies,
    rule,
)
from icclint_rules.proof import icc_claim, icc_span, place

Way = tuple[Endpoint, Publication, Endpoint, Passage]
"""Who connects, by which published port, to whom, and how that goes."""


@rule(
    id="icc-off-published-port",
    severity=Severity.LOW,
    profile=Profile.AUDIT,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def icc_off_published_port(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        ways = list(through_the_host(host, effect, network)) if network.icc is False else []
        open_ways = [way for way in ways if way[3].last.verdict is Verdict.DELIVERED]
        if open_ways:
            yield reachable(network, sorted(open_ways, key=lambda way: (way[1].host_port, way[2].name)))
            continue
        if host.containers is None and network.icc is False and len(network.endpoints) > 1:
            reason = "the rules tell of no published port, and docker-proxy listens without any"
            yield NotAssessed(f"network {network.name}", reason, Evidence.CONTAINERS.value)
        ends = [way[3].last.decision for way in ways if way[3].last.verdict is Verdict.UNKNOWN]
        for text, command in dict.fromkeys((end.text, end.capture_with) for end in ends):
            yield NotAssessed(
                f"network {network.name}", f"the way through the host ends in the unknown: {text}", command
            )


def through_the_host(host: Host, effect: Effect, network: Network) -> Iterator[Way]:
    """How a neighbour's connection fares, for each port that a container of the network publishes."""
    for proxy in proxies(host):
        server = network.endpoint_of(proxy.address)
        for client in network.endpoints:
            passage = None if server in (None, client) else effect.by_published_port(network, client, proxy)
            # What is forwarded as it is, without a proxy, meets the rules for ICC, and is another rule's question.
            if server is not None and passage is not None and not is_forwarded(passage):
                yield client, proxy, server, passage
                break


def is_forwarded(passage: Passage) -> bool:
    """Whether the connection itself goes on to the container, so that no docker-proxy has a part in it."""
    delivery = passage.last.delivery
    return len(passage.legs) == 1 and delivery is not None and delivery.interface is not None


def reachable(network: Network, ways: list[Way]) -> Finding:
    client, proxy, server, passage = ways[0]
    ports = tuple(dict.fromkeys(f"{way[1].host_port} of {way[2].name}" for way in ways))
    let_in = passage.legs[0]
    return Finding(
        message=(
            f"Network {network.name!r} has ICC off, but through the host its containers reach what they publish: "
            f"port {', '.join(ports)}"
        ),
        subject=f"network {network.name}",
        key=ports,
        primary=Location(place(let_in.decision, icc_span(network)), "lets the connection in to docker-proxy"),
        related=(
            icc_claim(network),
            Location(client.span, f"{client.name} connects to port {proxy.host_port} of the host"),
            Location(server.span, f"{server.name} gets what docker-proxy makes of it"),
        ),
        packet=passage.packets[0],
        trace=let_in,
        assumptions=passage.last.assumptions,
    )
