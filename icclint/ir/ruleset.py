"""Rulesets: what one variant of iptables holds for one address family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.ir.match import AnyMatch, AnyTarget
from icclint.source import Span


class Rule(Frozen):
    """One rule. ``number`` counts from 1 within its chain, as ``iptables --line-numbers`` does."""

    table: str
    chain: str
    number: int
    matches: tuple[AnyMatch, ...]
    target: AnyTarget
    comment: str | None = None
    counters: tuple[int, int] | None = None
    text: str
    span: Span


class Chain(Frozen):
    """A chain. ``policy`` is None for chains that users made, and for built-in ones whose policy is not captured.

    ``rules`` is a sequence that hands out `Rule` values when they are looked at, so that a large dump need not
    become as many models. ``span`` is the place of its policy or declaration, where there is one.
    """

    name: str
    policy: str | None
    span: Span | None
    rules: Annotated[Sequence[Rule], SkipValidation]


class Table(Frozen):
    """A table. ``complete`` is False where the dump may lack chains (``iptables -S CHAIN``, a cut dump)."""

    name: str
    document: str
    complete: bool
    chains: Annotated[Mapping[str, Chain], SkipValidation]


class Ruleset(Frozen):
    """The tables of one family (4 or 6) and one variant (``nft`` or ``legacy``; None if the text does not tell).

    ``all_tables`` tells that a table that is missing here holds no rules: iptables-save prints every table that
    exists. Otherwise a missing table was just not captured.
    """

    family: int
    variant: str | None
    tables: Annotated[Mapping[str, Table], SkipValidation]
    all_tables: bool


BUILT_IN_CHAINS: Mapping[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
"""Which chains the kernel calls, by table (man iptables, TABLES)."""
