"""Ports that the engine opens on the host: who publishes them, and the rules that carry it out.

For each published port the engine writes a DNAT and an ACCEPT, into chain DOCKER of table nat and of table filter, and
starts a docker-proxy, which takes what comes to the host's own addresses without having been redirected, and hands
it to the container by a connection of its own (moby, cmd/docker-proxy; drivers/bridge/port_mapping_linux.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from icclint.docker.chains import native_bridge
from icclint.ir.base import once
from icclint.ir.container import Container
from icclint.ir.host import Host
from icclint.ir.match import Accept, AddressMatch, InterfaceMatch, Jump, PortMatch, ProtocolMatch, Rewrite
from icclint.ir.nftables import TableRules
from icclint.ir.ruleset import Chain, Rule
from icclint.source import Span

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}

Address = IPv4Address | IPv6Address


_PUBLISHED = ("DOCKER", "nat-prerouting-and-output")
"""The chains of an engine's DNAT rules, by iptables and by nftables itself."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A published port: packets to ``host_port`` of ``host_address`` are for the container.

    ``host_address`` is None for every address of the host, and ``::`` for every IPv6 one. ``span`` is where
    that is stated: the container's, or the DNAT.
    """

    protocol: int
    host_address: Address | None
    host_port: int
    address: Address
    port: int
    span: Span = field(compare=False)

    def listens_on(self, address: Address) -> bool:
        """Whether it is published at an address of the host."""
        if self.host_address is None:
            return True
        every = self.host_address.is_unspecified and self.host_address.version == address.version
        return every or self.host_address == address


@dataclass(frozen=True, slots=True)
class PortForward:
    """A DNAT of chain DOCKER. ``bridge`` is the one whose packets it leaves alone, None where it leaves none."""

    publication: Publication
    bridge: str | None
    rule: Rule


@dataclass(frozen=True, slots=True)
class PortOpening:
    """An ACCEPT of chain DOCKER that lets packets to one port of a container pass, whoever sends them."""

    protocol: int
    address: Address
    port: int
    bridge: str
    rule: Rule


@once
def publications(host: Host) -> tuple[Publication, ...]:
    """The published ports of a host, as its containers state them, or else the rules of table nat."""
    if host.containers is None:
        return tuple(dict.fromkeys(forward.publication for forward in port_forwards(host)))
    return tuple(dict.fromkeys(found for container in host.containers for found in _of_container(container)))


@once
def proxies(host: Host) -> tuple[Publication, ...]:
    """The published ports at which a docker-proxy listens; none where the engine runs none.

    ``--userland-proxy=false`` shows in table nat: the engine then redirects what goes to loopback too, so its jump in
    OUTPUT does not leave out ``127.0.0.0/8`` (setup_ip_tables_linux.go; nftabler/nftabler.go).
    """
    return () if _redirects_loopback(host) else publications(host)


@once
def port_forwards(host: Host) -> tuple[PortForward, ...]:
    """The DNATs of published ports, in every captured ruleset.

    The shape is ``[-d ADDRESS/32] [! -i BRIDGE] -p PROTO -m PROTO --dport PORT -j DNAT --to-destination C:PORT``
    (moby, libnetwork/drivers/bridge/internal/iptabler/port.go).
    """
    return tuple(
        forward for family, rule in _rules(host, "nat", "DOCKER") if (forward := _as_forward(family, rule)) is not None
    )


@once
def port_openings(host: Host) -> tuple[PortOpening, ...]:
    """The rules that open published ports, in every captured ruleset."""
    found = (as_port_opening(family, rule) for family, rule in _rules(host, "filter", "DOCKER"))
    return tuple(opening for opening in found if opening is not None)


def as_port_opening(family: int, rule: Rule) -> PortOpening | None:
    """The published port that a rule of chain DOCKER opens, or None for any other rule.

    The shape is ``-d C/32 ! -i BRIDGE -o BRIDGE -p PROTO -m PROTO --dport PORT -j ACCEPT`` (moby, iptabler/port.go);
    with nftables the chain is the bridge's, and the rule names no interface (nftabler/port.go).
    """
    native = native_bridge(rule.chain)
    if native is None and (rule.table, rule.chain) != ("filter", "DOCKER"):
        return None
    service = _service(rule)
    to = [m for m in rule.matches if isinstance(m, AddressMatch)]
    ways = {(m.side, m.negated): m.pattern for m in rule.matches if isinstance(m, InterfaceMatch)}
    single = len(to) == 1 and to[0].side == "destination" and not to[0].negated and len(set(to[0].ranges[0])) == 1
    bridge = native or ways.get(("out", False))
    if not isinstance(rule.target, Accept) or service is None or not single:
        return None
    if bridge is None or len(rule.matches) != (5 if native is None else 3):
        return None
    if native is None and ways.get(("in", True)) != bridge:
        return None
    return PortOpening(service[0], _address(to[0].ranges[0][0], family), service[1], bridge, rule)


def _redirects_loopback(host: Host) -> bool:
    jumps = [
        rule
        for _, rule in _rules(host, "nat", "OUTPUT")
        if isinstance(rule.target, Jump) and rule.target.chain in _PUBLISHED
    ]
    return bool(jumps) and not any(
        isinstance(match, AddressMatch) and match.negated for rule in jumps for match in rule.matches
    )


def _rules(host: Host, table: str, chain: str) -> Iterator[tuple[int, Rule]]:
    """The rules of a chain with their family, and those of nftables itself that an engine writes in its place."""
    for ruleset in host.rulesets:
        if table in ruleset.tables and chain in ruleset.tables[table].chains:
            for rule in ruleset.tables[table].chains[chain].rules:
                yield ruleset.family, rule
    for family in (4, 6):
        for rules in host.native_rules(family):
            for found in _native_chains(rules, table, chain):
                yield from ((family, rule) for rule in found.rules)


def _native_chains(rules: TableRules, table: str, chain: str) -> Iterator[Chain]:
    if (table, chain) == ("filter", "DOCKER"):
        yield from (found for found in rules.chains.values() if native_bridge(found.name) is not None)
    elif (table, chain) == ("nat", "DOCKER"):
        yield from (rules.chains[name] for name in _PUBLISHED if name in rules.chains)
    else:
        yield from (base.chain for base in rules.base_chains if (base.kind, base.hook) == (table, chain))


def _of_container(container: Container) -> Iterator[Publication]:
    # A container that several networks lead out of publishes by the first that does.
    places = sorted(container.attachments, key=lambda place: (not place.default_routes, place.network))
    addresses = [address for place in places for address in place.addresses]
    for published in container.published:
        if addresses and published.protocol in PROTOCOLS:
            yield Publication(
                PROTOCOLS[published.protocol],
                published.host_address,
                published.host_port,
                addresses[0],
                published.port,
                container.span,
            )


def _as_forward(family: int, rule: Rule) -> PortForward | None:
    target = rule.target
    service = _service(rule)
    if not isinstance(target, Rewrite) or target.of != "destination" or target.addresses is None or service is None:
        return None
    protocol, port = service
    bound = [m for m in rule.matches if isinstance(m, AddressMatch) and m.side == "destination" and not m.negated]
    left_out = [m.pattern for m in rule.matches if isinstance(m, InterfaceMatch) and m.side == "in" and m.negated]
    publication = Publication(
        protocol,
        _address(bound[0].ranges[0][0], family) if bound else None,
        port,
        _address(target.addresses[0], family),
        target.ports[0] if target.ports is not None else port,
        rule.span,
    )
    return PortForward(publication, left_out[0] if left_out else None, rule)


def _service(rule: Rule) -> tuple[int, int] | None:
    """The protocol and the one destination port that a rule asks for."""
    ports = [match for match in rule.matches if isinstance(match, PortMatch)]
    protocols = [match.number for match in rule.matches if isinstance(match, ProtocolMatch) and not match.negated]
    if len(ports) != 1 or not protocols or ports[0].side != "destination" or ports[0].negated:
        return None
    return protocols[0], ports[0].ranges[0][0]


def _address(number: int, family: int) -> Address:
    return IPv4Address(number) if family == 4 else IPv6Address(number)
