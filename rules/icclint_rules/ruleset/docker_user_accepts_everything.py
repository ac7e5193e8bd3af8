"""A rule in DOCKER-USER accepts every packet, so that none of the engine's own rules decides anything.

## What it detects

A rule of DOCKER-USER without conditions whose verdict is ACCEPT, and that packets get to.

## Why it matters

What DOCKER-USER accepts is accepted: the rules for ICC, for internal networks, between networks, and for ports that
were not published all come later. Engines since 28.0 still stop some of it in table raw; those before stop nothing.
People write it in the belief that the chain only lets through what comes next.

## Example

    -A DOCKER-USER -i eth0 -s 198.51.100.0/24 -j DROP
    -A DOCKER-USER -j ACCEPT

## What to do

Write RETURN in place of ACCEPT, or leave the rule out: a packet that no rule of DOCKER-USER takes goes on to the
engine's rules.

## Limits

An ACCEPT with conditions is a hole of its size; where it breaks what Docker claims, that is reported with its packet,
by the rule about that claim. If that is so for this one, it is a part of those findings.

## References

- CWE-284, CWE-693
- CIS Docker Benchmark 1.8.0, 2.2, 5.30
- https://docs.docker.com/engine/network/packet-filtering-firewalls/
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Accept, Effect, Evidence, Finding, Host, Location, NotAssessed, Severity, rule
from icclint_rules.lines import deletion, rules_of, tool
from icclint_rules.ruleset.docker_user_after_return import is_called


@rule(
    id="docker-user-accepts-everything",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
    yields=True,
)
def docker_user_accepts_everything(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        first = next((one for one in rules_of(ruleset, "filter", "DOCKER-USER") if not one.matches), None)
        if first is None or not isinstance(first.target, Accept) or not is_called(ruleset):
            continue
        yield Finding(
            message=(
                f"Chain DOCKER-USER ({tool(ruleset)}) accepts every packet that gets to '{first.text}', and none of the"
                " engine's rules behind it decides anything"
            ),
            subject=f"chain DOCKER-USER ({tool(ruleset)})",
            key=(first.text,),
            primary=Location(first.span, "accepts every packet"),
            remedy=(*deletion(ruleset, first), f"{tool(ruleset)} -A DOCKER-USER -j RETURN"),
        )
