"""A published port is open to the outside although the host's firewall refuses it.

## What it detects

A host on which ufw or firewalld has its chains in INPUT, and a port that a container publishes, not on loopback:
packets from outside get to the container, and the same packets, were they for a service of the host's own, would be
refused by INPUT. Not reported where ufw or firewalld itself lets them pass FORWARD.

## Why it matters

`ufw status` says that a port is closed, and it is open: what is redirected to a container is forwarded and never meets
INPUT, where these firewalls filter. That is how Docker works on every host and no rule is broken, so it is in the audit
profile; but it is the surprise that people ask about most, and what they took for closed is on the internet: medium.

## Example

    -A INPUT -j ufw-before-input
    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80

## What to do

Publish at the address that is meant (`-p 127.0.0.1:8080:80`), or filter where forwarded packets pass: in DOCKER-USER,
where the port that was asked for is `-m conntrack --ctorigdstport 8080`.

## Limits

Only for firewalls whose chains are in the dump; firewalld with its nftables backend has tables of its own.

## References

- CWE-693, CWE-1327
- CIS Docker Benchmark 1.8.0, 5.9, 5.14
- https://github.com/moby/moby/issues/4737, https://github.com/moby/moby/issues/22054: published ports and ufw
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    PROTOCOL_NAMES,
    Decision,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    Profile,
    Publication,
    Severity,
    Verdict,
    rule,
)
from icclint_rules.ports.ways import Way, host_port, named, redirected_ways, stated_publications
from icclint_rules.proof import proof, tool

FIREWALLS = {"ufw": "ufw-before-input", "firewalld": "INPUT_ZONES"}
"""A chain of each firewall that packets for the host meet (ufw, before.rules; firewalld, core/ipXtables.py)."""
OWN_CHAINS = ("ufw-", "ufw6-", "FWD", "FORWARD_")
"""How the names of their chains begin in which they let forwarded packets pass."""


@rule(
    id="published-port-past-firewall",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
    profile=Profile.AUDIT,
)
def published_port_past_firewall(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for publication in stated_publications(host):
        found = firewall(host, publication.address.version)
        loopback = publication.host_address is not None and publication.host_address.is_loopback
        if found is None or loopback:
            continue
        for way in redirected_ways(effect, publication):
            refusal = refused(effect, publication, way)
            if refusal is not None and not let_in(way):
                yield past(host, effect, publication, way, refusal, found)
                break


def firewall(host: Host, family: int) -> str | None:
    """The firewall whose chain packets for the host meet."""
    chains = {
        name
        for ruleset in host.rulesets_of(family)
        if "filter" in ruleset.tables
        for name in ruleset.tables["filter"].chains
    }
    return next((name for name, chain in FIREWALLS.items() if chain in chains), None)


def refused(effect: Effect, publication: Publication, way: Way) -> Decision | None:
    """What would refuse some of the packets if they were for a service of the host's own; None where nothing would."""
    packets = way.judgement.packets
    judgement = effect.to_port_untranslated(
        way.interface, packets.box.destination.least, publication.protocol, publication.host_port, packets.family
    )
    let_pass = [box for share in judgement.shares(Verdict.DELIVERED) for box in share.boxes]
    refusals = judgement.shares(Verdict.REJECTED) + judgement.shares(Verdict.DROPPED)
    if not refusals or not any(box.minus(let_pass) for box in way.share.boxes):
        return None
    return refusals[0].decision


def let_in(way: Way) -> bool:
    """Whether the firewall itself lets the forwarded packets pass."""
    decided = way.share.decision.rule
    return decided is not None and decided.chain.startswith(OWN_CHAINS)


def past(host: Host, effect: Effect, publication: Publication, way: Way, refusal: Decision, firewall: str) -> Finding:
    port, protocol = host_port(publication), PROTOCOL_NAMES[publication.protocol]
    refusing = (Location(refusal.span, "would refuse the packets"),) if refusal.span is not None else ()
    return Finding(
        message=(
            f"Port {port} of {named(host, publication.address)} is open to the outside by {way.interface}, past "
            f"{firewall}: {refusal.text} would refuse it, but packets for a container never meet INPUT"
        ),
        subject=f"port {port}",
        key=(str(publication.address), firewall),
        primary=Location(publication.span, "published past the firewall"),
        related=refusing,
        remedy=(
            f"{tool(way.judgement.packets.family)} -I DOCKER-USER -i {way.interface} -p {protocol} "
            f"-m conntrack --ctorigdstport {publication.host_port} --ctdir ORIGINAL -j DROP",
        ),
        **proof(effect, way.share),
    )
