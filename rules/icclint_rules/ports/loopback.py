"""Ports that are published on loopback, and packets from outside that get there: shared by two rules."""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import PROTOCOL_NAMES, Effect, Finding, Host, Location, NotAssessed, Publication
from icclint_rules.ports.ways import (
    Way,
    forward_of,
    host_port,
    named,
    questions,
    redirected_ways,
    stated_publications,
)
from icclint_rules.proof import proof, raw_is_captured, unknown


def loopback_publications(host: Host) -> list[Publication]:
    """The ports that are published on a loopback address of IPv4.

    For IPv6 there is nothing to guard: what comes from outside to ::1 is dropped before any table sees it
    (net/ipv6/ip6_input.c, ip6_rcv_core).
    """
    return [
        found
        for found in stated_publications(host)
        if found.host_address is not None and found.host_address.version == 4 and found.host_address.is_loopback
    ]


def leaks_at_loopback(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    """One finding for each port that somebody outside reaches by a packet to the loopback address itself."""
    for publication in loopback_publications(host):
        subject = f"port {host_port(publication)}"
        way = next(redirected_ways(effect, publication), None)
        if way is not None and not raw_is_captured(host, 4):
            reason = "table raw of iptables, where a rule may guard the port, was not captured"
            yield NotAssessed(subject, reason, "iptables-save")
        elif way is not None:
            yield leak_at_loopback(host, effect, publication, way)
        else:
            for _, judgement in questions(effect, publication):
                yield from unknown(judgement, subject)


def leak_at_loopback(host: Host, effect: Effect, publication: Publication, way: Way) -> Finding:
    port, name = host_port(publication), named(host, publication.address)
    forward = forward_of(host, publication)
    decided = way.share.decision
    passes = (Location(decided.span, "lets the packets pass"),) if decided.span is not None else ()
    label = "redirects packets that come from outside too" if forward else "publishes the port"
    may = "may be" if way.share.assumptions else "is"
    return Finding(
        message=(
            f"Port {port} of {name} is published on loopback only, and yet it {may} reached from outside by "
            f"{way.interface}: nothing drops packets to {publication.host_address} that come from there"
        ),
        subject=f"port {port}",
        key=(str(publication.address),),
        primary=Location(publication.span, label),
        related=passes,
        remedy=(guard(publication),),
        **proof(effect, way.share),
    )


def guard(publication: Publication) -> str:
    """The command that puts in the rule with which engines since 28.0.0 guard such a port."""
    protocol = PROTOCOL_NAMES[publication.protocol]
    return (
        f"iptables -t raw -A PREROUTING -d {publication.host_address}/32 ! -i lo -p {protocol} -m {protocol} "
        f"--dport {publication.host_port} -j DROP"
    )
