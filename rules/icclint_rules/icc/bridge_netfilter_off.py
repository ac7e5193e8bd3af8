"""A bridge network has ICC off, but frames between its containers never meet iptables: bridge netfilter is off.

## What it detects

A bridge network with ICC off on a host where `net.bridge.bridge-nf-call-iptables` is 0 (or
`net.bridge.bridge-nf-call-ip6tables`, for a network with IPv6), or where a full list of settings does not have
it, since the module br_netfilter is not loaded. `lsmod` can tell that too, where it shows the module `bridge` and
not the other one.

## Why it matters

Two containers of one network sit on two ports of one bridge. Their frames are switched, not routed, and
iptables sees them only while br_netfilter hands them over. With the setting at 0 the DROP stands in the dump,
untouched and without effect. Docker writes 1 once, when the network is made; a later `sysctl -p`, or another
program, can put it back.

## Example

    net.bridge.bridge-nf-call-iptables = 0

## What to do

Set it to 1 and keep it there: `net.bridge.bridge-nf-call-iptables = 1` in a file of `/etc/sysctl.d`, and
br_netfilter in `/etc/modules-load.d`.

## Limits

A bridge can be told to call iptables by a switch of its own, `nf_call_iptables`, which Docker never sets; where
`ip -d link` was not captured the finding supposes that it is off, and says so.

## References

- CWE-923, CWE-693
- CIS Docker Benchmark 1.8.0, 2.2
- https://github.com/moby/moby/issues/12071, https://github.com/moby/moby/issues/11404: ICC off without bridge netfilter
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Assumption,
    Decision,
    Effect,
    Evidence,
    Extent,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Severity,
    Verdict,
    families,
    rule,
)
from icclint_rules.proof import icc_claim, icc_drop, icc_span


@rule(
    id="bridge-netfilter-off",
    severity=Severity.HIGH,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def bridge_netfilter_off(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is not False:
            continue
        for family in families(network):
            switch = effect.firewall(family).bridge_netfilter(network.bridge)
            if isinstance(switch, Decision):
                # Frames that the bridge itself keeps apart need no rule.
                if effect.within(network, family).extent(Verdict.DELIVERED) is not Extent.NONE:
                    yield unseen(host, network, family, switch)
            elif isinstance(switch, Assumption) and host.sysctls is None:
                yield NotAssessed(
                    f"network {network.name}", "no setting of the kernel was captured", Evidence.SYSCTLS.value
                )


def unseen(host: Host, network: Network, family: int, switch: Decision) -> Finding:
    drop = icc_drop(host, network, family)
    tool = "ip6tables" if family == 6 else "iptables"
    return Finding(
        message=(
            f"Network {network.name!r} has ICC off, but IPv{family} frames between its containers never "
            f"meet the rules: {switch.text}"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}",),
        primary=Location(switch.span or icc_span(network), "bridged frames pass by iptables"),
        related=(icc_claim(network), *((Location(drop.span, "the DROP, never consulted"),) if drop else ())),
        assumptions=() if _is_shown(host, network) else (_own_switch_off(network, tool),),
        remedy=(f"sysctl -w net.bridge.bridge-nf-call-{tool}=1",),
    )


def _is_shown(host: Host, network: Network) -> bool:
    """Whether the bridge's own switches were captured; one that is on had made the decision another one."""
    return any(switch.bridge == network.bridge for switch in host.bridge_switches)


def _own_switch_off(network: Network, tool: str) -> Assumption:
    return Assumption(
        key=f"bridge switch {network.bridge}",
        holds=True,
        text=f"the bridge's own switch nf_call_{tool} is off, as by default",
        capture_with=f"ip -d link show {network.bridge}",
    )
