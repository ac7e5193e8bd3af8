"""The rule for a link's replies asks for a source port only, so the server may connect to any port of its client.

## What it detects

A link of the default bridge with ICC off whose second rule lets new connections pass, from the linked port of the
server to every port of the client. One finding for each network, with the packet of one link.

## Why it matters

`docker run --link db web` is read as "web may connect to db". The engine writes two rules for it, and the one for the
way back accepts whatever comes from port 5432 of db, the first packet of a connection too. A server that is taken over
binds that port and reaches every service of its client. It is how engines of all generations do it, hence a note.

## Example

    -A DOCKER -s 172.17.0.3/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 5432 -j ACCEPT
    -A DOCKER -s 172.17.0.2/32 -d 172.17.0.3/32 -i docker0 -o docker0 -p tcp -m tcp --sport 5432 -j ACCEPT

## What to do

Drop new connections from that port in DOCKER-USER, ahead of the engine's rule; the replies pass by connection tracking.
Better, give up links for networks.

## Limits

Links whose containers are gone are left to `link-orphaned`. Binding the port takes the service that has it now to end,
or a container that shares the address.

## References

- CWE-923, CWE-284
- moby, daemon/libnetwork/drivers/bridge/internal/iptabler/link.go
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
    Profile,
    Severity,
    Share,
    rule,
)
from icclint_rules.lines import MOST_LINES, drop_before
from icclint_rules.links.link_pairs import named, openings, pairs, untold, why_orphaned
from icclint_rules.proof import proof


@rule(
    id="link-return-way-open",
    severity=Severity.NOTE,
    profile=Profile.AUDIT,
    needs={Evidence.IPTABLES, Evidence.NETWORKS, Evidence.CONTAINERS},
    since="0.1",
)
def link_return_way_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    yield from untold(host)
    for network in host.bridges:
        if network.icc is not False:
            continue
        opened = openings(effect, network)
        replies = [pair[-1] for pair in pairs(host, network) if {link.reply for link in pair} == {False, True}]
        ways = [link for link in replies if link.rule.span in opened and why_orphaned(host, network, link) == ""]
        if ways:
            yield return_ways(host, effect, network, ways, opened[ways[0].rule.span])


def return_ways(host: Host, effect: Effect, network: Network, ways: list[LinkRule], share: Share) -> Finding:
    shown = ways[:MOST_LINES]
    names = ", ".join(described(network, way) for way in shown)
    more = f" and {len(ways) - len(shown)} more" if len(ways) > len(shown) else ""
    return Finding(
        message=(
            f"By the links of network {network.name!r} servers may connect to every port of their clients "
            f"({names}{more}): the rules for replies ask for the source port, and for no connection"
        ),
        subject=f"network {network.name}",
        key=tuple(way.rule.text for way in ways),
        primary=Location(shown[0].rule.span, "accepts new connections too"),
        related=tuple(Location(way.rule.span, "so does this") for way in shown[1:]),
        remedy=tuple(
            command
            for way in shown
            for command in drop_before(host, way.rule, way.bridge, "-m conntrack --ctstate NEW ")
        ),
        **proof(effect, share),
    )


def described(network: Network, way: LinkRule) -> str:
    return f"{named(network, way.server)} from port {way.port} to {named(network, way.client)}"
