"""Table nat has a rule for an internal network: its containers' packets are masked, or a port of the host leads in.

## What it detects

A bridge network with `Internal` set, and in table nat a MASQUERADE or SNAT that asks for a source within its subnet, or
a DNAT to an address of it. Rules for wider ranges, such as an administrator's `-o eth0 -j MASQUERADE`, are not for it.

## Why it matters

For an internal network the engine writes nothing into table nat: nothing is to leave, and nothing can be published. So
such a rule was made by hand, or is left over from a network of the same subnet that was not internal. A masked packet
comes back, so the only thing left between the containers and the internet is one rule of table filter; a DNAT is the
way in that somebody wanted. Where packets get through, `internal-but-forwarded` says so too: medium.

## Example

    "Internal": true

    -A POSTROUTING -s 172.20.0.0/16 ! -o br-0123456789ab -j MASQUERADE

## What to do

Delete the rule. If the containers are to be reached or to reach out, give them a second network that is not internal.

## Limits

Only rules that name the network's own addresses.

## References

- CWE-459, CWE-668
- CIS Docker Benchmark 1.8.0, 5.9
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    AddressMatch,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Rewrite,
    Rule,
    Ruleset,
    Severity,
    rule,
)
from icclint_rules.lines import deletion, every_rule


@rule(
    id="internal-translated",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def internal_translated(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.internal:
            for ruleset, found in every_rule(host):
                if leads_in(network, ruleset.family, found) or leads_out(network, ruleset.family, found):
                    yield translated(network, ruleset, found)


def leads_in(network: Network, family: int, found: Rule) -> bool:
    """Whether a rule gives packets a destination on the network."""
    target = found.target
    return (
        isinstance(target, Rewrite)
        and target.of == "destination"
        and target.addresses is not None
        and within(network, family, target.addresses)
    )


def leads_out(network: Network, family: int, found: Rule) -> bool:
    """Whether a rule gives packets of the network, and only those, another source."""
    sources = [m for m in found.matches if isinstance(m, AddressMatch) and m.side == "source" and not m.negated]
    return (
        isinstance(found.target, Rewrite)
        and found.target.of == "source"
        and any(within(network, family, span) for match in sources for span in match.ranges)
    )


def within(network: Network, family: int, addresses: tuple[int, int]) -> bool:
    return any(
        int(subnet.network_address) <= addresses[0] and addresses[1] <= int(subnet.broadcast_address)
        for subnet in network.subnets_of(family)
    )


def translated(network: Network, ruleset: Ruleset, found: Rule) -> Finding:
    does = (
        "redirects packets into it" if leads_in(network, ruleset.family, found) else "gives its packets another source"
    )
    return Finding(
        message=f"Network {network.name!r} is internal, and yet a rule of table nat {does}: {found.text}",
        subject=f"network {network.name}",
        key=(f"IPv{ruleset.family}", found.text),
        primary=Location(found.span, "is for an internal network"),
        related=(Location(network.span_of("Internal"), f"network {network.name} says that it is internal"),),
        remedy=deletion(ruleset, found),
    )
