"""A network is labelled `com.example.egress=none`, and yet its containers open connections out of the host.

## What it detects

A bridge network with the label `com.example.egress` set to `none`, on a host where a new connection from a container
of it to an address beyond one of the host's interfaces is accepted. Each rule or policy that lets it out is one
finding.

## Why it matters

Docker's own way to keep containers from the outside is `--internal`, which takes away their default route and their
published ports as well. Who wants to publish ports and yet no way out writes a DROP into DOCKER-USER by hand. The label
says which networks that is meant for; nothing but this rule asks whether the DROP is still there, and still first.

## Example

    docker network create --label com.example.egress=none shop

    -A DOCKER-USER -i br-0123456789ab ! -o br-0123456789ab -m conntrack --ctstate NEW -j DROP

## What to do

Put the DROP back, ahead of whatever accepts the packets. For a network without published ports, `--internal` does the
same and needs no rule of your own.

## Limits

The label is this package's own idea: a network without it is left alone. Packets that table nat sends elsewhere, to a
proxy on the host for instance, are left out.

## References

- CWE-923
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Judgement,
    Location,
    Network,
    NotAssessed,
    Severity,
    Share,
    Verdict,
    describe,
    families,
    rule,
)

LABEL = "com.example.egress"


@rule(
    id="egress-open",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1.0",
)
def egress_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.labels.get(LABEL) == "none":
            for family in families(network):
                # What lets packets out by one interface mostly lets them out by all.
                yield from dict(ways_out(effect, network, family)).values()


def ways_out(effect: Effect, network: Network, family: int) -> Iterator[tuple[str, Finding | NotAssessed]]:
    """What is to be said of connections out of the host, each with the rule or policy that it is about."""
    subject = f"network {network.name}"
    for interface in effect.outside_interfaces:
        judgement = effect.outbound(network, interface, family)
        for share in judgement.shares(Verdict.DELIVERED):
            if share.end is None:
                yield share.decision.text, opening(effect, network, judgement, share)
        for share in judgement.shares(Verdict.UNKNOWN):
            reason = f"whether packets leave by {interface} is not known: {share.decision.text}"
            yield share.decision.text, NotAssessed(subject, reason, share.decision.capture_with)


def opening(effect: Effect, network: Network, judgement: Judgement, share: Share) -> Finding:
    family, interface = judgement.packets.family, judgement.packets.out_interface
    claim = Location(network.span_of("Labels", LABEL), "says that nothing gets out")
    words = describe(share.boxes, judgement.packets)
    tool, bridge = effect.firewall(family).tool, network.bridge
    return Finding(
        message=(
            f"Network {network.name!r} is labelled {LABEL}=none, but its containers "
            f"{'may ' if share.assumptions else ''}reach out by {interface} over IPv{family}"
            f"{f' ({words})' if words else ''}: {share.decision.text}"
        ),
        subject=f"network {network.name}",
        key=(f"IPv{family}", share.decision.text),
        primary=Location(share.decision.span or claim.span, "lets the packets out"),
        related=(claim,),
        packet=share.witness,
        trace=effect.trace(share),
        assumptions=share.assumptions,
        remedy=(f"{tool} -I DOCKER-USER -i {bridge} ! -o {bridge} -m conntrack --ctstate NEW -j DROP",),
    )
