"""The rules of a link are still there although ICC is on: they do nothing now, and open a hole when it goes off.

## What it detects

A rule in the shape of a link in chain DOCKER, for a bridge whose network has ICC on. One finding for each link.

## Why it matters

Engines write such rules while ICC is off, and no others: with ICC on everything passes anyway. So these are from
before, brought back by a reload of firewalld or by `iptables-restore`. The day somebody turns ICC off, they
accept packets for addresses that other containers may have by then. Nothing is open today that was not, hence a note.

## Example

    "com.docker.network.bridge.enable_icc": "true"

    -A DOCKER -s 172.17.0.3/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT

## What to do

Delete them, or restart the engine, which builds chain DOCKER anew.

## Limits

A rule of exactly that shape that somebody wrote by hand is taken for a link's.

## References

- CWE-459
- https://github.com/moby/moby/issues/49728: rules of links that are gone come back with a reload of firewalld
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Effect, Evidence, Finding, Host, Location, NotAssessed, Profile, Severity, rule
from icclint_rules.lines import removal
from icclint_rules.links.link_pairs import pairs, subject, untold
from icclint_rules.proof import icc_claim


@rule(
    id="link-left-with-icc-on",
    severity=Severity.NOTE,
    profile=Profile.AUDIT,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def link_left_with_icc_on(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    yield from untold(host)
    for network in host.bridges:
        for pair in pairs(host, network) if network.icc is True else ():
            first, *others = (link.rule for link in pair)
            yield Finding(
                message=(
                    f"The {subject(network, pair[0])} has left its rules behind on network {network.name!r}, which "
                    "has ICC on: they open nothing until it goes off"
                ),
                subject=subject(network, pair[0]),
                key=tuple(link.rule.text for link in pair),
                primary=Location(first.span, "no engine writes it while ICC is on"),
                related=(*(Location(other.span, "so is this") for other in others), icc_claim(network)),
                remedy=tuple(dict.fromkeys(command for link in pair for command in removal(host, link.rule))),
            )
