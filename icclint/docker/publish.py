"""Ports that the engine opens on the host, and who listens there.

Besides the rules in table nat the engine starts a docker-proxy for each published port, which takes what comes to the
host's own addresses without having been redirected, and hands it to the container by a connection of its own (moby,
cmd/docker-proxy; libnetwork/drivers/bridge/port_mapping_linux.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from icclint.ir.container import Container
from icclint.ir.host import Host
from icclint.ir.match import AddressMatch, Jump, PortMatch, ProtocolMatch, Rewrite
from icclint.ir.ruleset import Rule

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A docker-proxy: where it listens, and to whom it hands on.

    ``host_address`` is None for every address of the host, and ``::`` for every IPv6 one.
    """

    protocol: int
    host_address: IPv4Address | IPv6Address | None
    host_port: int
    address: IPv4Address | IPv6Address
    port: int

    def listens_on(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether it takes what comes to an address of the host."""
        if self.host_address is None:
            return True
        every = self.host_address.is_unspecified and self.host_address.version == address.version
        return every or self.host_address == address


def proxies(host: Host) -> tuple[Proxy, ...]:
    """The docker-proxies of a host, as far as its containers or else its rules tell; none where the engine runs none.

    ``--userland-proxy=false`` shows in table nat: the engine then redirects what goes to loopback too, so its jump in
    OUTPUT does not leave out ``127.0.0.0/8`` (setup_ip_tables_linux.go).
    """
    if _redirects_loopback(host):
        return ()
    if host.containers is None:
        return tuple(dict.fromkeys(_of_rules(host)))
    return tuple(dict.fromkeys(proxy for container in host.containers for proxy in _of_container(container)))


def _redirects_loopback(host: Host) -> bool:
    jumps = [
        rule for rule in _nat_rules(host, "OUTPUT") if isinstance(rule.target, Jump) and rule.target.chain == "DOCKER"
    ]
    return bool(jumps) and not any(
        isinstance(match, AddressMatch) and match.negated for rule in jumps for match in rule.matches
    )


def _nat_rules(host: Host, chain: str) -> Iterator[Rule]:
    for ruleset in host.rulesets:
        if "nat" in ruleset.tables and chain in ruleset.tables["nat"].chains:
            yield from ruleset.tables["nat"].chains[chain].rules


def _of_container(container: Container) -> Iterator[Proxy]:
    # A container that several networks lead out of publishes by the first that does.
    places = sorted(container.attachments, key=lambda place: (not place.default_routes, place.network))
    addresses = [address for place in places for address in place.addresses]
    for published in container.published:
        if addresses and published.protocol in PROTOCOLS:
            yield Proxy(
                PROTOCOLS[published.protocol],
                published.host_address,
                published.host_port,
                addresses[0],
                published.port,
            )


def _of_rules(host: Host) -> Iterator[Proxy]:
    for rule in _nat_rules(host, "DOCKER"):
        target = rule.target
        ports = [match for match in rule.matches if isinstance(match, PortMatch) and match.side == "destination"]
        protocols = [match.number for match in rule.matches if isinstance(match, ProtocolMatch)]
        if not isinstance(target, Rewrite) or target.addresses is None or not ports or not protocols:
            continue
        bound = [m for m in rule.matches if isinstance(m, AddressMatch) and m.side == "destination" and not m.negated]
        wide = 4 if target.addresses[0] < 1 << 32 else 6
        port = ports[0].ranges[0][0]
        yield Proxy(
            protocols[0],
            _address(bound[0].ranges[0][0], wide) if bound else None,
            port,
            _address(target.addresses[0], wide),
            target.ports[0] if target.ports is not None else port,
        )


def _address(number: int, family: int) -> IPv4Address | IPv6Address:
    return IPv4Address(number) if family == 4 else ip_address(IPv6Address(number))
