"""The host has bridge networks, and its iptables tables hold no rule or chain of the engine's.

## What it detects

At least one network of the bridge driver, beside a whole table filter for IPv4 without any chain that an engine makes
and without any rule for one of the networks' bridges. All variants of iptables that were captured count, and so do the
tables of the engine's nftables backend.

## Why it matters

Either the engine runs with `--iptables=false`, and then nothing carries out what its networks claim: `icc=false`,
`--internal`, networks of their own and unpublished ports are words only. Or a flush took its rules away. Or the dump is
of another host, of another moment, or of another variant of iptables than the engine writes to, and then the report is
not about this host.

## Example

    *filter
    :INPUT ACCEPT [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    COMMIT

## What to do

Look at `docker info` and daemon.json for `iptables: false`, and let the engine write its rules. Restart it after a
flush. Capture `iptables-legacy-save` and `nft list ruleset` too where the engine may write there.

## Limits

The rules of a rootless engine are in a network namespace of its own, and have to be captured there (`nsenter` to the
process of RootlessKit). Where the rules of nftables were not captured, the rule cannot tell.

## References

- CWE-693, CWE-1188
- CIS Docker Benchmark 1.8.0, 2.4 (2.3 up to 1.2.0): Docker is allowed to make changes to iptables
- https://github.com/moby/moby/issues/4737 and https://github.com/moby/moby/issues/22054
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    DOCKER_CHAINS,
    Effect,
    Evidence,
    Finding,
    Host,
    InterfaceMatch,
    Location,
    NotAssessed,
    Ruleset,
    Severity,
    generations,
    rule,
)
from icclint_rules.lines import MOST_LINES
from icclint_rules.ruleset.captured_inside_container import RESOLVER_CHAINS


@rule(
    id="no-docker-rules",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
    yields=True,
)
def no_docker_rules(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    rulesets = host.rulesets_of(4)
    if not host.bridges or any(is_docker(host, ruleset) for ruleset in rulesets) or uses_nftables(host):
        return
    if not all("filter" in ruleset.tables and ruleset.tables["filter"].complete for ruleset in rulesets):
        yield NotAssessed("host", "the dump holds only a part of table filter", "iptables-save")
    elif host.legacy_warning is not None and all(ruleset.variant != "legacy" for ruleset in rulesets):
        yield NotAssessed("host", "the engine's rules may be in the legacy tables", "iptables-legacy-save")
    elif host.native_tables is None:
        yield NotAssessed("host", "the engine's rules may be in tables of nftables", "nft list ruleset")
    else:
        yield nothing_of_docker(host, rulesets[0])


def is_docker(host: Host, ruleset: Ruleset) -> bool:
    """Whether a ruleset holds a chain that an engine makes on hosts or in containers, or a rule for a bridge of it."""
    bridges = {network.bridge for network in host.bridges}
    chains = [chain for table in ruleset.tables.values() for chain in table.chains.values()]
    return any(chain.name in DOCKER_CHAINS or chain.name in RESOLVER_CHAINS for chain in chains) or any(
        isinstance(match, InterfaceMatch) and match.pattern in bridges
        for chain in chains
        for one in chain.rules
        for match in one.matches
    )


def uses_nftables(host: Host) -> bool:
    return any(mark.rule is None for mark in generations(host))


def nothing_of_docker(host: Host, ruleset: Ruleset) -> Finding:
    forward = ruleset.tables["filter"].chains.get("FORWARD")
    networks = [Location(n.span_of("Name"), f"network {n.name} has bridge {n.bridge}") for n in host.bridges]
    span = forward.span if forward is not None else None
    count = len(host.bridges)
    return Finding(
        message=(
            f"The engine has {count} bridge network{'s' if count > 1 else ''}, and iptables holds none of its rules:"
            " it runs with --iptables=false, they were flushed, or they are elsewhere"
        ),
        subject="host",
        key=(),
        primary=Location(span or networks[0].span, "there is no rule of Docker's: nothing carries out what it claims"),
        related=tuple(networks[:MOST_LINES]),
        remedy=("docker info --format '{{json .}}' > docker-info.json", "systemctl restart docker"),
    )
