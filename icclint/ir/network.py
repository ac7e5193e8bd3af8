"""Docker networks, as ``docker network inspect`` states them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.source import Span

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


class Endpoint(Frozen):
    """A container's place on a network. ``container`` is the key that Docker lists it under."""

    name: str
    container: str
    addresses: tuple[Address, ...]
    mac: str | None
    span: Span

    def address(self, family: int) -> Address | None:
        """Its address of that family, or None."""
        return next((address for address in self.addresses if address.version == family), None)


class Network(Frozen):
    """One network.

    ``bridge`` is the interface of a bridge network: its ``bridge.name`` option, else ``br-`` and the first twelve
    characters of the id (moby, libnetwork/drivers/bridge/bridge_linux.go). ``icc`` is what the driver makes of
    ``enable_icc``: None for drivers that have no such thing, else True unless the option parses as false.
    ``not_shown`` names the members of its inspection that the capture does not hold, since they were cut away or may
    have changed since; then ``endpoints`` are empty, and ``icc`` is None. ``options`` are the driver's as written.
    ``spans`` gives the place of what was stated, by the path of its keys; `span_of` falls back to the whole network.
    """

    name: str
    id: str
    driver: str
    scope: str
    internal: bool
    ipv6: bool
    bridge: str | None
    icc: bool | None
    default_bridge: bool
    options: Annotated[Mapping[str, str], SkipValidation]
    labels: Annotated[Mapping[str, str], SkipValidation]
    subnets: tuple[Subnet, ...]
    gateways: tuple[Address, ...]
    endpoints: tuple[Endpoint, ...]
    not_shown: frozenset[str] = frozenset()
    spans: Annotated[Mapping[tuple[str | int, ...], Span], SkipValidation]

    def span_of(self, *path: str | int) -> Span:
        """Where a key and its value stand; the network's name where they are not stated."""
        return self.spans.get(path) or self.spans.get(("Name",)) or self.spans[()]

    def endpoint_of(self, address: Address) -> Endpoint | None:
        """The endpoint that has an address; of several the first."""
        return self._holders.get(address)

    @cached_property
    def _holders(self) -> Mapping[Address, Endpoint]:
        return {address: endpoint for endpoint in reversed(self.endpoints) for address in endpoint.addresses}

    def subnets_of(self, family: int) -> tuple[Subnet, ...]:
        """Its subnets of one family."""
        return tuple(subnet for subnet in self.subnets if subnet.version == family)
