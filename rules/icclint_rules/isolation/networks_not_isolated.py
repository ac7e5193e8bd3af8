"""Containers of one bridge network reach those of another, which Docker keeps apart.

## What it detects

Two bridge networks, neither of them internal, on a host where a new connection from a container of one passes
to the own address of a container of the other. Each rule or policy that lets packets into a network is one
finding, whichever networks they come from.

## Why it matters

Networks of their own are how people keep an application's parts, and different applications, apart. Docker
isolates them by pairs of rules, by the chains DOCKER-ISOLATION-STAGE-1 and -2, or, since 28, by a DROP at the
end of chain DOCKER and one in table raw; a reload of firewalld, a flush, or an ACCEPT in DOCKER-USER undoes
that.

## Example

    -A DOCKER-USER -s 10.0.0.0/8 -j ACCEPT
    -A DOCKER-ISOLATION-STAGE-1 -i br-aaaaaaaaaaaa ! -o br-aaaaaaaaaaaa -j DOCKER-ISOLATION-STAGE-2

## What to do

Take the accepting rule out or narrow it. If Docker's own rules are missing, restart the engine.

## Limits

Published ports, which are meant to be reached by the host's address, are another matter. A network whose
gateway mode is `routed` or `nat-unprotected` is opened on purpose, so what Docker's own chain lets into it is
not reported.

## References

- CWE-653, CWE-668
- CIS Docker Benchmark 1.8.0, 5.30
- CVE-2025-54410: a reload of firewalld takes the rules away that keep bridges apart (up to 25.0.12, and 26.0 to 27.5)
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
    closes_containers,
    families,
    rule,
)
from icclint_rules.isolation.barrier import cause
from icclint_rules.proof import (
    arriving,
    opened_on_purpose,
    place,
    proof,
    raw_is_captured,
    raw_not_captured,
    unknown,
    which,
)


@rule(
    id="networks-not-isolated",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def networks_not_isolated(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    networks = [network for network in host.bridges if not network.internal]
    told: dict[NotAssessed, None] = {}
    for target in networks:
        found: dict[tuple[object, ...], list[tuple[Network, Judgement, Share]]] = {}
        for source in networks:
            if source.bridge == target.bridge:
                continue
            for family in set(families(source)) & set(families(target)):
                judgement = effect.between(source, target, family)
                for share in arriving(judgement):
                    if guard_unknown(host, family, share):
                        told[raw_not_captured(target, family)] = None
                    elif not opened_on_purpose(target, family, share):
                        key = (family, share.decision.span, share.decision.text)
                        found.setdefault(key, []).append((source, judgement, share))
                told |= dict.fromkeys(unknown(judgement, f"network {target.name}"))
        yield from (opening(host, effect, target, ways) for ways in found.values())
    yield from told


def guard_unknown(host: Host, family: int, share: Share) -> bool:
    """Whether the packets pass in chain DOCKER, by the rule of a published port, and table raw may stop them before."""
    decided = share.decision.rule
    in_docker = decided is not None and decided.chain == "DOCKER"
    return in_docker and closes_containers(host, family) and not raw_is_captured(host, family)


def opening(host: Host, effect: Effect, target: Network, ways: list[tuple[Network, Judgement, Share]]) -> Finding:
    source, judgement, share = ways[0]
    family = judgement.packets.family
    others = f" and those of {len(ways) - 1} other networks" if len(ways) > 1 else ""
    claim = Location(target.span_of("Name"), f"network {target.name} is one of its own")
    why = cause(host, effect, target, share)
    reach = "may reach" if share.assumptions else "reach"
    return Finding(
        message=(
            f"Containers of network {source.name!r}{others} {reach} those of {target.name!r}"
            f"{' over IPv6' if family == 6 else ''}{which(judgement, share)}: "
            f"{share.decision.text} lets the packets pass{why.words}"
        ),
        subject=f"network {target.name}",
        key=(f"IPv{family}", share.decision.text),
        primary=Location(place(share.decision, claim.span), "lets packets of other networks in"),
        related=(
            claim,
            Location(source.span_of("Name"), f"network {source.name}, where the packet comes from"),
            *why.places,
        ),
        remedy=why.remedy,
        **proof(effect, share),
    )
