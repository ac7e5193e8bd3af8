"""ICC is off on the default bridge; networks that users made say nothing of it, and have it on.

## What it detects

A default bridge with ICC off beside bridge networks whose options do not name `enable_icc`. One finding for the host.

## Why it matters

The engine's own `"icc": false` (or `--icc=false`) is about the default bridge and no other network. Whoever set it
"for Docker", as benchmarks ask, may believe that it holds for all; every network that `docker network create` or a
Compose file makes has ICC on. That is by design, and mostly as it should be, hence a note.

## Example

    # daemon.json
    {"icc": false}

    # docker network inspect apps
    "Options": {}

## What to do

Nothing, if the containers of those networks are meant to talk. Else make them with
`-o com.docker.network.bridge.enable_icc=false`; since 24.0 the engine has a default for networks to come:
`"default-network-opts": {"bridge": {"com.docker.network.bridge.enable_icc": "false"}}` in `daemon.json`.

## Limits

A network whose options name `enable_icc`, true or false, is taken to be meant so.

## References

- CWE-1188
- CIS Docker Benchmark 1.8.0, 2.2, which speaks of the default bridge only
- https://github.com/moby/moby/issues/24043: ICC off, and containers of another network reach each other
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    ENABLE_ICC,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    Profile,
    Severity,
    rule,
)
from icclint_rules.proof import icc_span


@rule(
    id="icc-off-on-default-bridge-only",
    severity=Severity.NOTE,
    profile=Profile.AUDIT,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def icc_off_on_default_bridge_only(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    default = next((network for network in host.bridges if network.default_bridge), None)
    silent = [n for n in host.bridges if not n.default_bridge and ENABLE_ICC not in n.options]
    if default is not None and default.icc is False and silent:
        names = ", ".join(network.name for network in silent)
        have = "which says nothing of it, has" if len(silent) == 1 else "which say nothing of it, have"
        yield Finding(
            message=f"ICC is off on the default bridge, which is no rule for others: {names}, {have} it on",
            subject=f"network {default.name}",
            key=tuple(network.name for network in silent),
            primary=Location(icc_span(default), "holds for this network alone"),
            related=tuple(Location(network.span_of("Name"), "has ICC on, by default") for network in silent),
        )
