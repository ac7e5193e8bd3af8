"""Sets of ipset, which rules ask by ``-m set``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.source import Span

Dimension = Literal["address", "port"]

DIMENSIONS: Mapping[str, tuple[Dimension, ...]] = {
    "hash:ip": ("address",),
    "hash:net": ("address",),
    "bitmap:ip": ("address",),
    "bitmap:port": ("port",),
    "hash:ip,port": ("address", "port"),
    "hash:net,port": ("address", "port"),
    "hash:ip,port,ip": ("address", "port", "address"),
    "hash:ip,port,net": ("address", "port", "address"),
}
"""What members of each type that is understood are made of, in the order of the flags of ``--match-set``."""


@dataclass(frozen=True, slots=True)
class SetMember:
    """One member: a range of addresses (or two), and a protocol with its port, where its type has them.

    ``port`` is type * 256 + code for ICMP and ICMPv6, and 0 for protocols without ports. ``excluded`` takes its
    addresses out of a wider network of the set (``nomatch``).
    """

    addresses: tuple[tuple[int, int], ...]
    protocol: int | None = None
    port: int | None = None
    excluded: bool = False


class IpSet(Frozen):
    """One set. ``family`` is 4 or 6, or None for a type that has no addresses.

    ``members`` is None where they were not all understood, or their type is not; ``sets`` are the names of those that
    a ``list:set`` holds. Members with a timeout are those of the moment of the capture.
    """

    name: str
    type: str
    family: int | None
    members: Annotated[tuple[SetMember, ...] | None, SkipValidation]
    sets: tuple[str, ...]
    span: Span
