"""Ports that Swarm publishes are accepted before DOCKER-USER is asked.

## What it detects

A jump to DOCKER-INGRESS in FORWARD ahead of the one to DOCKER-USER.

## Why it matters

What DOCKER-INGRESS accepts, the published ports of services, no restriction in DOCKER-USER can stop. 17.06.0 put its
chain there; on other engines something else moved the jumps. Where DOCKER-USER holds a rule that is passed by,
`docker-user-bypassed` reports that; this one is for those who are about to write one, therefore a note.

## Example

    -A FORWARD -j DOCKER-INGRESS
    -A FORWARD -j DOCKER-USER

## What to do

Restart the engine, which puts DOCKER-USER first, or upgrade it from 17.06.0.

## Limits

Since 28.0.1 DOCKER-INGRESS is called from DOCKER-FORWARD, behind DOCKER-USER.

## References

- CWE-696
- https://github.com/moby/libnetwork/issues/1827
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    Profile,
    Rule,
    Ruleset,
    Severity,
    rule,
)
from icclint_rules.lines import rules_of, tool


@rule(
    id="ingress-before-docker-user",
    severity=Severity.NOTE,
    needs={Evidence.IPTABLES},
    since="0.1",
    profile=Profile.AUDIT,
)
def ingress_before_docker_user(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        ingress, user = jump(ruleset, "DOCKER-INGRESS"), jump(ruleset, "DOCKER-USER")
        if ingress is None or user is None or user.number < ingress.number:
            continue
        yield Finding(
            message=(
                f"FORWARD ({tool(ruleset)}) leads to DOCKER-INGRESS before DOCKER-USER, which cannot stop the ports"
                " that Swarm publishes"
            ),
            subject=f"chain FORWARD ({tool(ruleset)})",
            key=(),
            primary=Location(ingress.span, "accepts published ports of services"),
            related=(Location(user.span, "is asked later"),),
            remedy=(f"{tool(ruleset)} -D FORWARD -j DOCKER-USER", f"{tool(ruleset)} -I FORWARD -j DOCKER-USER"),
        )


def jump(ruleset: Ruleset, chain: str) -> Rule | None:
    jumps = (one for one in rules_of(ruleset, "filter", "FORWARD") if isinstance(one.target, Jump | Goto))
    return next((one for one in jumps if getattr(one.target, "chain", None) == chain), None)
