"""Containers, as ``docker inspect`` states them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from icclint.ir.base import Frozen
from icclint.source import Span


class PublishedPort(Frozen):
    """A port of a container that the engine opens on the host.

    ``host_address`` is None for every address, and ``::`` for every IPv6 one.
    """

    protocol: str
    host_address: IPv4Address | IPv6Address | None
    host_port: int
    port: int


class Attachment(Frozen):
    """A container's place on a network, in its own words; ``default_routes`` are the families it leads out in.

    ``links`` are the names of those that it was linked to there, on a network that users made.
    """

    network: str
    links: frozenset[str]
    addresses: tuple[IPv4Address | IPv6Address, ...]
    default_routes: frozenset[int]


class Container(Frozen):
    """One container, running or not.

    ``links`` are the names of those that it was started with ``--link`` to. ``network_mode`` is the engine's word
    (``host``, ``none``, ``container:ID``, or a network). ``exposed`` are the ports that it says it serves, such as
    ``80/tcp``, published or not. ``raw_sockets`` tells whether it has the capability NET_RAW, None where that is not
    stated.
    """

    id: str
    name: str
    links: frozenset[str]
    network_mode: str
    exposed: frozenset[str]
    raw_sockets: bool | None
    attachments: tuple[Attachment, ...]
    published: tuple[PublishedPort, ...]
    span: Span
