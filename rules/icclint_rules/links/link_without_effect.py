"""A container is linked to another one of a network that has ICC off, and yet cannot connect to it.

## What it detects

A link between two running containers of one bridge network with ICC off, over which no connection at all gets from
the client to the server: since the network is one that users made, for which no engine writes the rules of links;
since the rules stand where no packet gets to them, behind a DROP; or since they are not there.

## Why it matters

The client finds the server's name and then waits for an answer that never comes. It fails closed, hence low; but what
people do next is to turn ICC on.

The DROP in front is what engines up to 1.6 wrote when ICC was turned off while they had rules already, and what
`iptables -I FORWARD` or a DROP in DOCKER-USER makes of any engine's.

## Example

    -A FORWARD -i docker0 -o docker0 -j DROP
    -A FORWARD -o docker0 -j DOCKER
    -A DOCKER -s 172.17.0.3/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT

## What to do

On a network that users made: give the two a network of their own, with ICC on. On the default bridge: move the DROP
behind the jump to DOCKER, or start the server and then the client again, which writes missing rules.

## Limits

On the default bridge a server without exposed ports has no rules for its links, so nothing is said of it. A link that
works for one port counts as working. Links of which only the rules are captured, without the containers, are known
where both addresses are in use.

## References

- CWE-440
- https://github.com/moby/moby/issues/31453: links have rules on the default bridge only
- https://github.com/moby/moby/pull/11526: rules of links behind the DROP
- moby, daemon/libnetwork/drivers/bridge/bridge_linux.go, link
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from icclint.api import (
    Container,
    Effect,
    Endpoint,
    Evidence,
    Finding,
    Host,
    Judgement,
    LinkRule,
    Location,
    Network,
    NotAssessed,
    Severity,
    Share,
    Span,
    Verdict,
    rule,
)
from icclint_rules.links.link_pairs import openings, pairs, why_orphaned
from icclint_rules.proof import icc_claim, icc_span, place, proof, unknown

Ends = tuple[Endpoint, Endpoint]
"""The client and the server of a link."""


@rule(
    id="link-without-effect",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def link_without_effect(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is not False:
            continue
        written, stated = by_rules(host, network), by_containers(host, network)
        # There may be thousands of links, and one look at them all tells which rules let packets pass.
        opened = openings(effect, network)
        working = {ends for ends, links in written.items() if any(lets_in(link, opened) for link in links)}
        ends_of_links = (written.keys() | stated.keys()) - working
        for client, server in sorted(ends_of_links, key=lambda ends: (ends[0].name, ends[1].name)):
            places = written.get((client, server), []), stated.get((client, server))
            yield from assess(effect, network, client, server, *places)
        if host.containers is None and len(network.endpoints) > 1:
            reason = "which containers are linked shows in their inspection, and rules tell of some links only"
            yield NotAssessed(f"network {network.name}", reason, Evidence.CONTAINERS.value)


def lets_in(link: LinkRule, opened: Collection[Span | None]) -> bool:
    """Whether a rule of a link lets its client connect."""
    return not link.reply and link.rule.span in opened


def by_rules(host: Host, network: Network) -> dict[Ends, list[LinkRule]]:
    """Who is linked to whom by the word of rules, and which."""
    found: dict[Ends, list[LinkRule]] = {}
    for pair in pairs(host, network):
        client, server = network.endpoint_of(pair[0].client), network.endpoint_of(pair[0].server)
        if client is not None and server is not None and not why_orphaned(host, network, pair[0]):
            found.setdefault((client, server), []).extend(pair)
    return found


def by_containers(host: Host, network: Network) -> dict[Ends, Span]:
    """Who is linked to whom by the word of running containers, and where that stands."""
    running = {endpoint.container: endpoint for endpoint in network.endpoints}
    servers = {c.name: running[c.id] for c in host.containers or () if c.id in running and promises(network, c)}
    return {
        (running[container.id], servers[name]): container.span
        for container in host.containers or ()
        if container.id in running
        for name in linked_to(network, container) & servers.keys()
    }


def promises(network: Network, server: Container) -> bool:
    """Whether a link to a container promises a port: the engine writes its rules for those that it exposes."""
    return bool(server.exposed) or not network.default_bridge


def linked_to(network: Network, container: Container) -> frozenset[str]:
    """The names that a container is linked to on a network."""
    if network.default_bridge:
        return container.links
    there = frozenset(name for place in container.attachments if place.network == network.name for name in place.links)
    return there | (container.links if container.network_mode in (network.name, network.id) else frozenset())


def assess(
    effect: Effect, network: Network, client: Endpoint, server: Endpoint, written: list[LinkRule], stated: Span | None
) -> Iterator[Finding | NotAssessed]:
    ends = client.address(4), server.address(4)
    if ends[0] is None or ends[1] is None:
        return
    judgement = effect.linked(network, ends[0], ends[1])
    stopped = stops(judgement)
    if stopped is not None:
        yield without_effect(effect, network, client, server, stopped, written, stated)
    yield from unknown(judgement, f"link {client.name} -> {server.name}")


def stops(judgement: Judgement) -> Share | None:
    """What stops the packets of a link; None where the rules let any of them pass, or may.

    That frames may pass unseen by all rules is an assumption of the finding, and no merit of the link.
    """
    passing = judgement.shares(Verdict.DELIVERED) + judgement.shares(Verdict.UNKNOWN)
    stopped = judgement.shares(Verdict.DROPPED) + judgement.shares(Verdict.REJECTED)
    return stopped[0] if stopped and all(share.decision.by == "setting" for share in passing) else None


def without_effect(
    effect: Effect,
    network: Network,
    client: Endpoint,
    server: Endpoint,
    stopped: Share,
    written: list[LinkRule],
    stated: Span | None,
) -> Finding:
    decided = f"{'rule' if stopped.decision.by == 'rule' else 'the'} {stopped.decision.text}"
    cannot = "may not be able to" if stopped.assumptions else "cannot"
    claim = Location(stated, f"is linked to {server.name}") if stated else None
    stop = Location(place(stopped.decision, icc_span(network)), "stops what the link is for")
    # Where there are rules, it is what stands before them that is to be questioned; else it is the link.
    first, *others = (claim, stop) if claim and not written else (stop, *((claim,) if claim else ()))
    proven = proof(effect, stopped)
    if first is claim:
        # The packet's way ends elsewhere.
        proven["trace"] = None
    return Finding(
        message=(
            f"{client.name!r} is linked to {server.name!r} on network {network.name!r}, which has ICC off, but "
            f"{cannot} connect to it: {why(network, written)}, and {decided} stops the packets"
        ),
        subject=f"link {client.name} -> {server.name}",
        key=(network.name, stopped.decision.text),
        primary=first,
        related=(*others, *(Location(link.rule.span, "never reached") for link in written), icc_claim(network)),
        **proven,
    )


def why(network: Network, written: list[LinkRule]) -> str:
    if not network.default_bridge:
        return "links have rules on the default bridge only"
    return "no packet gets to its rules" if written else "its rules are not there"
