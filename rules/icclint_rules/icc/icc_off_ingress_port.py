"""A port that a service of the swarm publishes is open between the containers of a network that has ICC off.

## What it detects

A bridge network with ICC off on whose bridge a rule of chain DOCKER-INGRESS accepts new connections, before the DROP
for ICC. Each port is one finding.

## Why it matters

For every port that a service publishes through the routing mesh the engine writes `-p tcp --dport PORT -j ACCEPT`
into DOCKER-INGRESS, with neither an address nor an interface, and above all rules of networks. It is meant for what
goes to the mesh; but a packet from one container to the same port of its neighbour meets it too. So whatever listens
on a number that some service has published is open to the network's other containers, though nobody published it.
It is one port, and somebody has to listen on it: hence medium.

## Example

    -A FORWARD -j DOCKER-INGRESS
    -A FORWARD -i br-0f2d8a6c1b3e -o br-0f2d8a6c1b3e -j DROP
    -A DOCKER-INGRESS -p tcp -m tcp --dport 8090 -j ACCEPT

## What to do

Drop the port between the network's containers in DOCKER-USER, which is asked first, or publish the service in mode
host. To delete the rule breaks the service, and the engine writes it again.

## Limits

What listens in a container is not in a capture. docker_gwbridge, on which the engine itself turns ICC off on each node
of a swarm, is left out: nobody asked for it, and all nodes with a published port would be named.

## References

- CWE-923, CWE-284
- moby, daemon/libnetwork/service_linux.go, programIngressPortsRules
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Rule,
    Severity,
    Share,
    rule,
)
from icclint_rules.icc.icc_leak import INGRESS
from icclint_rules.lines import drop_before
from icclint_rules.proof import arriving, icc_claim, icc_drop, proof

MADE_BY_THE_ENGINE = "docker_gwbridge"


@rule(
    id="icc-off-ingress-port",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def icc_off_ingress_port(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is not False or network.name == MADE_BY_THE_ENGINE:
            continue
        for share in arriving(effect.within(network, 4)):
            accepting = share.decision.rule
            if accepting is not None and accepting.chain == INGRESS:
                yield opened(host, effect, network, share, accepting)


def opened(host: Host, effect: Effect, network: Network, share: Share, accepting: Rule) -> Finding:
    drop = icc_drop(host, network, 4)
    open_ = "may be open" if share.assumptions else "is open"
    return Finding(
        message=(
            f"Network {network.name!r} has ICC off, but a port that the swarm publishes {open_} between its "
            f"containers: rule {accepting.text} asks for no network"
        ),
        subject=f"network {network.name}",
        key=(accepting.text,),
        primary=Location(accepting.span, "accepts this port of any container"),
        related=(
            icc_claim(network),
            *((Location(drop.span, "the DROP for ICC, which these packets never reach"),) if drop else ()),
        ),
        remedy=drop_before(host, accepting, network.bridge or ""),
        **proof(effect, share),
    )
