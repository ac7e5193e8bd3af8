"""What the kernel knows of its interfaces, its addresses and the ways to others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from icclint.ir.base import Frozen
from icclint.source import Span


class Interface(Frozen):
    """One network interface of the host; ``addresses`` are its own, each with its prefix, the primary one first.

    ``master`` is the bridge that it is a port of.
    """

    name: str
    master: str | None
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    span: Span


class Route(Frozen):
    """One route of table main.

    ``kind`` is the kernel's: ``unicast`` sends by ``interface`` (and ``gateway``, if there is one); ``blackhole``,
    ``unreachable`` and ``prohibit`` send nothing. Of equally long prefixes the least ``metric`` counts.
    """

    destination: IPv4Network | IPv6Network
    kind: str
    interface: str | None
    gateway: IPv4Address | IPv6Address | None
    metric: int
    span: Span
