"""The rules are those of a container's own network namespace, and say nothing about its host.

## What it detects

The chain DOCKER_OUTPUT or DOCKER_POSTROUTING in a dump that holds no chain of the engine's own. The engine writes
these two inside containers, to lead their DNS queries to its resolver at 127.0.0.11, and never on a host.

## Why it matters

Whatever else a report says of such a dump is about one container. That the rules keep nobody apart, or that there are
none of Docker's, is then no news, and the host's own rules were not looked at.

## Example

    *nat
    :DOCKER_OUTPUT - [0:0]
    -A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT

## What to do

Capture on the host. In a container that shares the host's network (`--network host`) the command shows the host's
rules too.

## Limits

An engine that runs in a container (Docker in Docker) writes its own chains beside those two; such a dump is what that
engine's networks are judged by, and is not reported.

## References

- moby, libnetwork/resolver_unix.go: the two chains
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import DOCKER_CHAINS, Effect, Evidence, Finding, Host, Location, NotAssessed, Severity, rule
from icclint_rules.lines import tool

RESOLVER_CHAINS = ("DOCKER_OUTPUT", "DOCKER_POSTROUTING")


@rule(
    id="captured-inside-container",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
)
def captured_inside_container(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        chains = {chain.name: chain for table in ruleset.tables.values() for chain in table.chains.values()}
        found = next((chains[name] for name in RESOLVER_CHAINS if name in chains), None)
        if found is None or not DOCKER_CHAINS.isdisjoint(chains):
            continue
        span = found.span or found.rules[0].span
        yield Finding(
            message=(
                f"The rules of {tool(ruleset)} were captured inside a container: chain {found.name} is that of the"
                " engine's resolver, which it never makes on a host"
            ),
            subject=f"rules of {tool(ruleset)}",
            key=(),
            primary=Location(span, "a chain that exists inside containers only"),
            remedy=(f"{tool(ruleset)}-save > {tool(ruleset)}-save.txt",),
        )
