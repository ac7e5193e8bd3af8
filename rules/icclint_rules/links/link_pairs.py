"""Links, and the rules that carry them out: shared by the rules of this family."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from icclint.api import Effect, Host, LinkRule, Network, NotAssessed, Share, Span, hidden_link, link_rules
from icclint_rules.proof import arriving


def pairs(host: Host, network: Network) -> list[list[LinkRule]]:
    """The links of a bridge, each with the one or two rules that carry it out, the client's own first."""
    found: dict[object, list[LinkRule]] = {}
    for link in link_rules(host):
        if link.bridge == network.bridge:
            found.setdefault(link.pair, []).append(link)
    return [sorted(pair, key=lambda link: link.reply) for pair in found.values()]


def untold(host: Host) -> Iterator[NotAssessed]:
    """That a dump does not tell whether there are links."""
    shown_with = hidden_link(host)
    if shown_with is not None:
        reason = "the dump does not show all conditions of rules in chain DOCKER that look like those of links"
        yield NotAssessed("links", reason, shown_with)


def openings(effect: Effect, network: Network) -> dict[Span | None, Share]:
    """What lets new connections pass between the containers of a network, by the line that does."""
    return {share.decision.span: share for share in arriving(effect.within(network, 4))}


def why_orphaned(host: Host, network: Network, link: LinkRule) -> str | None:
    """Why a link is an orphan; empty where it is none, None where the capture cannot tell."""
    if "Containers" in network.not_shown:
        return None
    gone = [str(address) for address in (link.client, link.server) if network.endpoint_of(address) is None]
    if gone:
        return f"no container of the network has {' or '.join(gone)}"
    if host.containers is None:
        return None
    client, server = network.endpoint_of(link.client), network.endpoint_of(link.server)
    assert client is not None
    assert server is not None
    linked = next((c.links for c in host.containers if c.id == client.container), None)
    if linked is None:
        return None
    if server.name in linked:
        return ""
    return f"{link.server} is {server.name!r} now, which {client.name!r} is not linked to"


def named(network: Network, address: IPv4Address) -> str:
    endpoint = network.endpoint_of(address)
    return endpoint.name if endpoint else str(address)


def subject(network: Network, link: LinkRule) -> str:
    return f"link {named(network, link.client)} -> {named(network, link.server)}"
