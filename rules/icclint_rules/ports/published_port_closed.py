"""A published port is redirected to its container, and the packets are dropped: the rule that opens it is missing.

## What it detects

A DNAT in chain DOCKER, to an address that a container has, whose packets from outside pass through chain DOCKER of
table filter and meet no ACCEPT there, so that Docker's own DROP at its end or the policy of FORWARD drops them; also
where the ACCEPT stands behind that DROP.

## Why it matters

The engine writes the two rules together, so one without the other is the trace of an edit by hand, of a restored dump
or of an engine that was killed. The service is down, for all but the host's own programs; nothing is exposed, so the
severity is low.

## Example

    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80

without

    -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT

## What to do

Restart the container, or the engine.

## Limits

Packets that another rule drops, in DOCKER-USER or in a firewall's own chain, are dropped on purpose. Where nothing
leads to chain DOCKER at all, that is `chain-never-reached`.

## References

- CWE-459
- https://github.com/moby/moby/issues/49498: rules in another order in 28.0.0
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    ENGINE_CHAINS,
    Drop,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    PortForward,
    Severity,
    Share,
    Verdict,
    port_forwards,
    port_openings,
    rule,
)
from icclint_rules.ports.ways import holder, host_port, named, network_of, questions, redirected_ways
from icclint_rules.proof import proof


@rule(
    id="published-port-closed",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def published_port_closed(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for forward in doubtful(host):
        to = forward.publication
        network = network_of(host, to.address)
        # What is published on loopback is not for packets from outside.
        loopback = to.host_address is not None and to.host_address.is_loopback
        if network is None or network.internal or loopback or holder(host, to.address) is None:
            continue
        share = next(dropped_for_want_of_an_opening(effect, forward), None)
        if share is not None and next(redirected_ways(effect, to), None) is None:
            yield closed(host, effect, network, forward, share)


def doubtful(host: Host) -> Iterator[PortForward]:
    """The published ports without an opening ahead of every DROP of chain DOCKER; the others are open."""
    chains = [ruleset.tables["filter"].chains.get("DOCKER") for ruleset in host.rulesets if "filter" in ruleset.tables]
    drops = [one.number for chain in chains if chain is not None for one in chain.rules if isinstance(one.target, Drop)]
    opened = {
        (o.address, o.protocol, o.port) for o in port_openings(host) if o.rule.number < min(drops, default=1 << 32)
    }
    for forward in port_forwards(host):
        to = forward.publication
        if (to.address, to.protocol, to.port) not in opened:
            yield forward


def dropped_for_want_of_an_opening(effect: Effect, forward: PortForward) -> Iterator[Share]:
    """Packets of a published port that come through chain DOCKER and are dropped by nobody's rule but the engine's."""
    to = (int(forward.publication.address), forward.publication.port)
    for _, judgement in questions(effect, forward.publication):
        for share in judgement.shares(Verdict.DROPPED):
            decided = share.decision
            ours = decided.by == "policy" or (decided.rule is not None and decided.rule.chain in ENGINE_CHAINS)
            through = any(
                step.matched and step.effect == "to chain DOCKER" and step.table == "filter"
                for step in effect.trace(share).steps
            )
            if ours and through and share.end is not None and (share.end.address, share.end.port) == to:
                yield share


def closed(host: Host, effect: Effect, network: Network, forward: PortForward, share: Share) -> Finding:
    to = forward.publication
    late = [o for o in port_openings(host) if (o.address, o.protocol, o.port) == (to.address, to.protocol, to.port)]
    why = "the rule that opens it comes too late" if late else "no rule of chain DOCKER opens it"
    dropped = (Location(share.decision.span, "drops the packets"),) if share.decision.span is not None else ()
    return Finding(
        message=(
            f"Port {host_port(to)} of the host is published by {named(host, to.address)} on network {network.name!r}, "
            f"and packets to it are dropped: {why}"
        ),
        subject=f"port {host_port(to)}",
        key=(str(to.address),),
        primary=Location(forward.rule.span, "redirects packets that are dropped then"),
        related=(*dropped, *(Location(opening.rule.span, "is not reached") for opening in late)),
        remedy=("systemctl restart docker",),
        **proof(effect, share),
    )
