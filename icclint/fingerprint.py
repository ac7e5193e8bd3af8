"""Identity of findings: the same as long as the same thing is wrong, on whatever line it stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from icclint.docker.overlay import vnis
from icclint.ir.host import Host
from icclint.ir.network import Subnet

VERSION = "icclintFinding/v1"


# An IPv4 address, so that a port or the end of a range may follow it, or any other word of a rule: an interface's name,
# an IPv6 or MAC address, a number.
_WORD = re.compile(r"(?<![\w.])\d+(?:\.\d+){3}(?:/\d+)?(?![\w.])|[0-9A-Za-z_:][0-9A-Za-z_.:-]*(?:/\d+)?")

# Names that the engine makes up: of bridges, and of its ends of the pairs that lead into containers.
_MADE_UP = re.compile(r"(br)-[0-9a-f]{12}|(veth)[0-9a-f]{7}")


class Identity:
    """What findings of one host are known again by."""

    def __init__(self, host: Host) -> None:
        self._names = _names(host)
        self._subnets = tuple((subnet, network.name) for network in host.networks or () for subnet in network.subnets)

    def fingerprint(self, rule: str, subject: str, key: Iterable[str]) -> str:
        """SHA-256, in hex, over the rule, the canonical subject and key; neither path nor line nor message count.

        Nor does the order of the key: engines list containers by identifier, which a redeploy shuffles.
        """
        parts = (VERSION, rule, self.canonical(subject), *sorted(map(self.canonical, key)))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def canonical(self, text: str) -> str:
        """A text with names in place of what changes when networks and containers are made anew.

        Bridges, subnets, gateways and VNIs are named by their network, addresses by their container, or, where no
        container has them, by the network that they belong to. Two such addresses of one network cannot be told apart.
        """
        return _WORD.sub(lambda word: self._names.get(word[0]) or self._nameless(word[0]), text)

    def _nameless(self, word: str) -> str:
        """A word that names nothing captured: made up by the engine, addresses of a network, or just a word."""
        if made_up := _MADE_UP.fullmatch(word):
            return f"<{made_up[1] or made_up[2]}>"
        if "." not in word and ":" not in word:
            return word
        try:
            addresses = ip_network(word, strict=False)
        except ValueError:
            return word
        if addresses.num_addresses == 1 and (name := self._names.get(str(addresses.network_address))):
            return name
        return next((f"<address:{name}>" for subnet, name in self._subnets if _holds(subnet, addresses)), word)


def _holds(subnet: Subnet, addresses: Subnet) -> bool:
    return addresses.network_address in subnet and addresses.broadcast_address in subnet


def _names(host: Host) -> dict[str, str]:
    names: dict[str, str] = {}
    for network in host.networks or ():
        if network.bridge:
            names[network.bridge] = f"<bridge:{network.name}>"
        names |= {str(subnet): f"<subnet:{network.name}>" for subnet in network.subnets}
        names |= {str(gateway): f"<gateway:{network.name}>" for gateway in network.gateways}
        # Both are how a rule asks for a VNI: with -m bpf, and with -m u32, where it is the upper three of four bytes.
        names |= {form: f"<vni:{network.name}>" for vni in vnis(network) for form in (str(vni), f"{vni << 8:#x}")}
        for endpoint in network.endpoints:
            name = lasting_name(endpoint.name)
            names |= {str(address): f"<container:{name}>" for address in endpoint.addresses}
            if endpoint.mac is not None:
                names[endpoint.mac] = f"<mac:{name}>"
    return names | dict(_chosen_ports(host))


# A task of a service is called SERVICE.SLOT.TASK, or SERVICE.NODE.TASK where it is global (moby/swarmkit,
# api/naming/naming.go); an identifier has 25 digits to the base 36 (identity/randomid.go). Compose calls what
# `compose run` starts PROJECT-SERVICE-run-ID (docker/compose, pkg/compose/run.go), and did so with underscores before.
_TASK = re.compile(r"\.(?:\d+|[0-9a-z]{25})\.[0-9a-z]{25}$|[-_]run[-_][0-9a-f]{12}$")


def lasting_name(container: str) -> str:
    """A container's name without what is new in it each time that Swarm or Compose starts one for the same purpose."""
    return _TASK.sub("", container)


_CHOSEN = range(32768, 61000)
"""Where the kernel, and with it the engine, takes a port from that nobody asked for (net.ipv4.ip_local_port_range)."""


def _chosen_ports(host: Host) -> Iterator[tuple[str, str]]:
    for container in host.containers or ():
        for port in container.published:
            if port.host_port in _CHOSEN:
                yield str(port.host_port), f"<port:{lasting_name(container.name)}:{port.port}>"
