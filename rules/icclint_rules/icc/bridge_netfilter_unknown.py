"""The rules keep the containers of a network apart, if bridge netfilter is on; the capture does not say whether it is.

## What it detects

A bridge network with ICC off whose DROP does its work in the dump, in a capture that has no word on
`net.bridge.bridge-nf-call-iptables` (or `-ip6tables`, for a network with IPv6).

## Why it matters

Without that setting the frames between two containers of one bridge never meet iptables, and the DROP is
without effect (see `bridge-netfilter-off`). So the ruleset alone does not prove the claim.

## Example

    -A FORWARD -i docker0 -o docker0 -j DROP

    # and no output of: sysctl net.bridge

## What to do

Capture `sysctl -a` beside the rules.

## Limits

Says nothing of networks whose rules let the packets pass anyway.

## References

- CWE-923
- CIS Docker Benchmark 1.8.0, 2.2
- https://github.com/moby/moby/issues/11404
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Assumption,
    Effect,
    Evidence,
    Extent,
    Finding,
    Host,
    Location,
    NotAssessed,
    Severity,
    Verdict,
    families,
    rule,
)
from icclint_rules.proof import icc_drop, icc_span


@rule(
    id="bridge-netfilter-unknown",
    severity=Severity.NOTE,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def bridge_netfilter_unknown(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is not False:
            continue
        for family in families(network):
            switch = effect.firewall(family).bridge_netfilter(network.bridge)
            stopped = effect.within(network, family).extent(Verdict.DROPPED) is not Extent.NONE
            if not (isinstance(switch, Assumption) and stopped):
                continue
            drop = icc_drop(host, network, family)
            yield Finding(
                message=(
                    f"Network {network.name!r} has ICC off, and the IPv{family} rules carry it out only if bridged "
                    "frames meet them, which the capture does not say"
                ),
                subject=f"network {network.name}",
                key=(f"IPv{family}",),
                primary=Location(icc_span(network), "holds only while bridge netfilter is on"),
                related=(Location(drop.span, "the DROP that needs it"),) if drop else (),
                assumptions=(switch,),
            )
