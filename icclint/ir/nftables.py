"""Tables of nftables that iptables did not make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.ir.ruleset import Chain
from icclint.source import Span


class BaseChain(Frozen):
    """A chain that the kernel calls at a hook, named as iptables names it (``FORWARD``), in the order of priorities.

    Those of ``kind`` ``nat`` are asked for the first packet of a connection (man nft, CHAINS).
    """

    chain: Chain
    kind: Literal["filter", "nat", "route"]
    hook: str
    priority: int


class TableRules(Frozen):
    """What stands in a table: its base chains, and all chains by name."""

    base_chains: tuple[BaseChain, ...]
    chains: Annotated[Mapping[str, Chain], SkipValidation]


class NativeTable(Frozen):
    """A table of nftables that iptables did not make. ``family`` is nftables' word (``inet``, ``ip``, ...).

    ``rules`` is None where they are not read: those of tables that are not Docker's.
    """

    family: str
    name: str
    span: Span
    rules: TableRules | None = None
