"""Rules that the engine wrote for a bridge are still there, and no network has that bridge.

## What it detects

Rules that name a bridge of Docker's (`br-` and twelve digits of a network's id, or whatever a rule leads to chain
DOCKER for) that belongs to no network of `docker network inspect`, where that shows all networks. One finding for each
bridge.

## Why it matters

A crash, or a reload of firewalld on an engine up to 25.0.12 or from 26.0 to 28.0, leaves or revives rules of networks
that are gone. Those that ask for the missing bridge itself match nothing. Those that ask for *another* one than it
match everything: a MASQUERADE for a subnet, and since 28.0 a DROP for each address, that befall whoever has the subnet
or the address next. Nothing is opened by them, therefore low.

## Example

    -A POSTROUTING -s 172.30.0.0/24 ! -o br-07d21136efd3 -j MASQUERADE

    docker network ls: bridge, host, none, fresh (br-613af62a217f)

## What to do

Take the rules out, or restart the host: the engine cleans its own chains when it starts, but not PREROUTING, FORWARD
and POSTROUTING.

## Limits

Needs all networks, which are told by the two that every host has, `host` and `none`. A bridge that a person named (by
`com.docker.network.bridge.name`) is known as Docker's only by a rule that leads to chain DOCKER for it. What such rules
stop that Docker claims to let pass is reported with its packet, and then this is a part of that finding.

## References

- CWE-459
- https://github.com/moby/moby/issues/49728: rules of deleted networks come back
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    InterfaceMatch,
    Jump,
    Location,
    NotAssessed,
    Rule,
    Ruleset,
    Severity,
    rule,
)
from icclint_rules.lines import MOST_LINES, deletion, every_rule

# moby, bridge_linux.go: "br-" and the first twelve digits of the network's id.
_OF_NETWORK = re.compile(r"br-[0-9a-f]{12}")


@rule(
    id="rules-of-missing-bridge",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
    yields=True,
)
def rules_of_missing_bridge(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    missing: dict[str, list[tuple[Ruleset, Rule]]] = {}
    dockers = {bridge for _, one in every_rule(host) for bridge in bridges(one) if leads_to_docker(one)}
    known = {network.bridge for network in host.bridges}
    for ruleset, one in every_rule(host):
        for bridge in bridges(one):
            if bridge not in known and (bridge in dockers or _OF_NETWORK.fullmatch(bridge)):
                missing.setdefault(bridge, []).append((ruleset, one))
    for bridge, found in sorted(missing.items()):
        if shows_all_networks(host):
            yield left_behind(bridge, sorted(found, key=lambda pair: pair[1].span))
        else:
            reason = f"rules are for bridge {bridge}, and only some of the engine's networks were captured"
            yield NotAssessed(f"bridge {bridge}", reason, Evidence.NETWORKS.value)


def bridges(one: Rule) -> tuple[str, ...]:
    """The interfaces that a rule names, each once."""
    names = (match.pattern for match in one.matches if isinstance(match, InterfaceMatch))
    return tuple(dict.fromkeys(name for name in names if not name.endswith("+")))


def leads_to_docker(one: Rule) -> bool:
    """``-o BRIDGE -j DOCKER``, which engines write for each of their bridges."""
    return one.table == "filter" and isinstance(one.target, Jump) and one.target.chain == "DOCKER"


def shows_all_networks(host: Host) -> bool:
    """Whether all networks were captured: every engine has one of each of these drivers."""
    return {"host", "null"} <= {network.driver for network in host.networks or ()}


def left_behind(bridge: str, found: list[tuple[Ruleset, Rule]]) -> Finding:
    live = [(ruleset, one) for ruleset, one in found if applies_without(one, bridge)]
    shown = live or found
    still = ", and some of them still apply to packets" if live else ""
    return Finding(
        message=f"There are rules for bridge {bridge}, which no network has{still}",
        subject=f"bridge {bridge}",
        key=(),
        primary=Location(shown[0][1].span, f"is for {bridge}, which no network has"),
        related=tuple(Location(one.span, f"is for {bridge} too") for _, one in found if one is not shown[0][1])[
            :MOST_LINES
        ],
        remedy=tuple(command for ruleset, one in found[:MOST_LINES] for command in deletion(ruleset, one)),
    )


def applies_without(one: Rule, bridge: str) -> bool:
    """Whether a rule asks for other interfaces than the bridge only, so that it matches although there is none."""
    asked = [match for match in one.matches if isinstance(match, InterfaceMatch) and match.pattern == bridge]
    return all(match.negated for match in asked)
