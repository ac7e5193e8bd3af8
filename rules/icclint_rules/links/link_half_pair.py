"""A link has only one of the two rules that Docker writes for it.

## What it detects

In chain DOCKER, a rule in the shape of a link whose twin is missing: the client's way to the server without the
server's way back, or the way back alone.

## Why it matters

Docker writes and deletes the two together, so a half pair is the trace of an edit by hand, of a restored dump
or of an engine that was killed. The way back alone is worse than none: it lets the server open connections to
any port of the client from the linked port, while the link itself does not work.

## Example

    -A DOCKER -s 172.17.0.2/32 -d 172.17.0.3/32 -i docker0 -o docker0 -p tcp -m tcp --sport 80 -j ACCEPT

## What to do

Restart the engine, which writes both rules for links that exist; delete the rule if the link is gone.

## Limits

With only the way there, replies still pass by Docker's rule for established connections.

## References

- CWE-459
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Effect, Evidence, Finding, Host, LinkRule, Location, NotAssessed, Severity, rule
from icclint_rules.links.link_pairs import pairs, subject, untold


@rule(
    id="link-half-pair",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def link_half_pair(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    yield from untold(host)
    for network in host.bridges:
        for pair in pairs(host, network):
            if len({link.reply for link in pair}) == 1:
                yield Finding(
                    message=f"The {subject(network, pair[0])} has only its rule for {direction(pair[0])}",
                    subject=subject(network, pair[0]),
                    key=(pair[0].rule.text,),
                    primary=Location(pair[0].rule.span, "its twin is missing"),
                )


def direction(link: LinkRule) -> str:
    return "the way back" if link.reply else "the way there"
