"""The rule for a link's replies asks for a source port only, so the server may connect to any port of its client.

## What it detects

A link of the default bridge with ICC off whose second rule lets new connections pass, from the linked port of the
server to every port of the client. One finding for each link.

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
from icclint_rules.lines import drop_before
from icclint_rules.links.link_pairs import named, pairs, subject, why_orphaned
from icclint_rules.proof import arriving, proof


@rule(
    id="link-return-way-open",
    severity=Severity.NOTE,
    profile=Profile.AUDIT,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def link_return_way_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is not False:
            continue
        opened = {share.decision.span: share for share in arriving(effect.within(network, 4))}
        for pair in pairs(host, network):
            back = pair[-1]
            whole = {link.reply for link in pair} == {False, True}
            if whole and back.rule.span in opened and not why_orphaned(host, network, back):
                yield return_way(host, effect, network, back, opened[back.rule.span])


def return_way(host: Host, effect: Effect, network: Network, back: LinkRule, share: Share) -> Finding:
    client, server = named(network, back.client), named(network, back.server)
    return Finding(
        message=(
            f"By the link from {client!r} to its port {back.port}, {server!r} may connect to every port of {client!r}: "
            "the rule for the replies asks for the source port, and for no connection"
        ),
        subject=subject(network, back),
        key=(back.rule.text,),
        primary=Location(back.rule.span, "accepts new connections too"),
        remedy=drop_before(host, back.rule, back.bridge, "-m conntrack --ctstate NEW "),
        **proof(effect, share),
    )
