"""A link's rules stayed behind: they accept packets for an address whose container is gone, or is another one now.

## What it detects

The pair of ACCEPT rules that `docker run --link` writes into chain DOCKER while ICC is off, where one of the
two addresses belongs to no container of the network, or where the container at the client's address was never
linked to the one at the server's. Both rules of the pair are named in one finding.

## Why it matters

Addresses are given out again. The next container that gets the address inherits the opening, through a network
whose ICC is off, and the second rule of the pair asks for a source port only: from that port the server's
address may open connections to any port of the client's.

## Example

    -A DOCKER -s 172.17.0.3/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
    -A DOCKER -s 172.17.0.2/32 -d 172.17.0.3/32 -i docker0 -o docker0 -p tcp -m tcp --sport 80 -j ACCEPT

## What to do

Delete both rules, or restart the engine, which builds chain DOCKER anew. Better, give up links for a network of
the two containers' own.

## Limits

That an address has gone to another container shows only in `docker inspect` of the containers; without it, a
pair whose addresses are both in use is not assessed. With ICC on such a pair opens nothing, and nothing is
said.

## References

- CWE-459, CWE-923
- CIS Docker Benchmark 1.8.0, 2.2
- https://github.com/moby/moby/issues/49728: rules of links that are gone come back with a reload of firewalld
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    LinkRule,
    Location,
    Network,
    NotAssessed,
    Severity,
    Share,
    rule,
)
from icclint_rules.lines import removal
from icclint_rules.links.link_pairs import openings, pairs, subject, untold, why_orphaned
from icclint_rules.proof import icc_claim, proof


@rule(
    id="link-orphaned",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def link_orphaned(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    yield from untold(host)
    for network in host.bridges:
        if network.icc is not False:
            continue
        opened = openings(effect, network)
        for pair in pairs(host, network):
            opening = next((opened[link.rule.span] for link in pair if link.rule.span in opened), None)
            reason = why_orphaned(host, network, pair[0])
            if opening is None or reason == "":
                continue
            if "Containers" in network.not_shown:
                reason = "the capture does not show which containers the network has"
                yield NotAssessed(subject(network, pair[0]), reason, Evidence.NETWORKS.value)
                continue
            if reason is None:
                yield NotAssessed(
                    subject(network, pair[0]),
                    "whether the containers at both addresses are still the linked ones shows in their inspection only",
                    Evidence.CONTAINERS.value,
                )
                continue
            yield orphan(host, effect, network, pair, opening, reason)


def orphan(host: Host, effect: Effect, network: Network, pair: list[LinkRule], opening: Share, reason: str) -> Finding:
    first, *others = pair
    return Finding(
        message=(
            f"The link from {first.client} to {first.server} port {first.port} on network {network.name!r} is "
            f"orphaned: {reason}, and its rules still accept"
        ),
        subject=subject(network, first),
        key=tuple(link.rule.text for link in pair),
        primary=Location(first.rule.span, "accepts for a link that is gone"),
        related=(
            *(Location(link.rule.span, "the other rule of the pair") for link in others),
            *(
                Location(endpoint.span, f"{endpoint.name} has {address}")
                for address in (first.client, first.server)
                if (endpoint := network.endpoint_of(address)) is not None
            ),
            icc_claim(network),
        ),
        remedy=tuple(dict.fromkeys(command for link in pair for command in removal(host, link.rule))),
        **proof(effect, opening),
    )
