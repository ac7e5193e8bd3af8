"""The policy of FORWARD is ACCEPT, on an engine that relies on it for the ports that were not published.

## What it detects

The policy ACCEPT of FORWARD for IPv4 beside rules of an engine up to 27.5.

## Why it matters

Up to 27.5 the engine writes no rule against packets from outside to a container's own address: what keeps them out is
the policy DROP, which it sets only if it turns on `net.ipv4.ip_forward` itself. On a host that has it on already (a
router, Kubernetes, `sysctl.conf`) the policy stays ACCEPT, and whoever has a route to the containers' subnet, such as a
neighbour who adds one, reaches every port of every container. That is by design of these engines, and what the sender
needs, a route, lies outside the host; therefore a note.

## Example

    :FORWARD ACCEPT [0:0]
    -A FORWARD -j DOCKER-ISOLATION-STAGE-1

## What to do

Set the policy: `iptables -P FORWARD DROP`, after a look at what else the host forwards. Engines since 28.0 drop such
packets by rules of their own.

## Limits

A broad rule at the end of FORWARD that drops the rest does what the policy would; this note does not look for one.

## References

- CWE-1188, CWE-668
- https://github.com/moby/moby/issues/14041, https://github.com/moby/moby/pull/48724
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Effect, Evidence, Finding, Host, Location, NotAssessed, Profile, Severity, generations, rule
from icclint_rules.lines import tool

OWN_DROPS = (28,)
"""The first release that drops what is sent to ports that were not published."""


@rule(
    id="forward-policy-accept",
    severity=Severity.NOTE,
    needs={Evidence.IPTABLES},
    since="0.1",
    profile=Profile.AUDIT,
    yields=True,
)
def forward_policy_accept(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    marks = generations(host)
    if not marks or any(mark.generation.end is None or mark.generation.end > OWN_DROPS for mark in marks):
        return
    for ruleset in host.rulesets_of(4):
        # The engine's variant alone: in the other one, nothing is of Docker.
        own = "filter" in ruleset.tables and "DOCKER" in ruleset.tables["filter"].chains
        forward = ruleset.tables["filter"].chains.get("FORWARD") if own else None
        if forward is not None and forward.policy == "ACCEPT" and forward.span is not None:
            yield Finding(
                message=(
                    f"The policy of FORWARD is ACCEPT, and Docker Engine {marks[0].generation.name} has no other rule"
                    " that keeps packets from outside from ports that were not published"
                ),
                subject=f"chain FORWARD ({tool(ruleset)})",
                key=(),
                primary=Location(forward.span, "lets packets pass that no rule decides on"),
                remedy=(f"{tool(ruleset)} -P FORWARD DROP",),
            )
