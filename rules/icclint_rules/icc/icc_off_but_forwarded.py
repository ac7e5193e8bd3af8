"""A bridge network has ICC off, and yet its containers can open connections to each other over IPv4.

## What it detects

A network of the bridge driver whose `com.docker.network.bridge.enable_icc` is false, on a host where a new
connection between two addresses of that network is accepted: by a rule that comes before Docker's DROP, or by
the policy because the DROP is missing. Each rule that accepts is one finding, with the exact packets that it
lets pass, and with what brought it there: DOCKER-USER, a mark, a chain of another program, an engine that ran
before. The rules of links (`docker run --link`) are left to `link-orphaned`, those of a swarm's published ports to
`icc-off-ingress-port`.

## Why it matters

Docker carries out `icc=false` with a single `-i BRIDGE -o BRIDGE -j DROP`, which engines up to 28.0 append to
the end of FORWARD. Whatever accepts a packet earlier wins over it: a broad rule in DOCKER-USER, a firewall's
own chain, a rule put in by hand. Two such rules are copied from guide to guide: `-i docker0 -o docker0 -j ACCEPT`
in DOCKER-USER, from those that make ufw and Docker agree, and `-m physdev --physdev-is-bridged -j ACCEPT` in
FORWARD, from those about virtual machines on a bridge. The network still says that its containers are isolated, and
so does every check that reads only that.

## Example

    -A DOCKER-USER -i docker0 -o docker0 -j ACCEPT
    -A DOCKER-FORWARD -i docker0 -o docker0 -j DROP

## What to do

Take the accepting rule out, or narrow it so that it leaves the bridge pair out (`! -o BRIDGE`, or RETURN in
place of ACCEPT in DOCKER-USER). If the DROP is missing, restart the engine, which puts it back. What a program
wrote, the engine itself (for gateway mode routed, for a mark) or ufw, it would write again; drop the bridge pair in
DOCKER-USER instead. If the traffic is wanted, make the network with ICC on, so that the claim and the rules agree.

## Limits

Speaks of the packets that iptables sees. Whether bridged frames reach iptables at all is what
`bridge-netfilter-off` looks at, IPv6 is `icc-off-ipv6-open`, and frames that are neither IPv4 nor IPv6 never
meet any of these rules. Sources outside the network's subnets, which only a container with forged addresses
sends from, are not considered.

## References

- CWE-923, CWE-284
- CIS Docker Benchmark 1.8.0, 2.2 (2.1 up to 1.2.0): network traffic between containers on the default bridge
- https://github.com/moby/moby/issues/18911: an ACCEPT ahead of the DROP
- https://github.com/chaifeng/ufw-docker: the rules for ufw
- https://wiki.libvirt.org/Networking.html: the rule for bridged frames
- moby, iptabler/network.go of libnetwork's bridge driver: the DROP itself
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Effect, Evidence, Finding, Host, Network, NotAssessed, Severity, rule
from icclint_rules.icc.icc_leak import icc_leaks


@rule(
    id="icc-off-but-forwarded",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def icc_off_but_forwarded(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is False and has_ipv4(network):
            yield from icc_leaks(host, effect, network, 4)


def has_ipv4(network: Network) -> bool:
    return bool(network.subnets_of(4)) or not network.ipv6
