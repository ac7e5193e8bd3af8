"""Rulesets: what one variant of iptables holds for one address family."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.ir.match import AnyMatch, AnyTarget, InterfaceMatch
from icclint.source import Span


class Rule(Frozen):
    """One rule. ``number`` counts from 1 within its chain, as ``iptables --line-numbers`` does.

    ``text`` is the rule as ``iptables -S`` prints it; where a listing does not tell all of that, ``exact`` is False and
    what is not told stands in brackets.
    """

    table: str
    chain: str
    number: int
    # Values of ours already, and many rules share one.
    matches: Annotated[tuple[AnyMatch, ...], SkipValidation]
    target: Annotated[AnyTarget, SkipValidation]
    comment: str | None = None
    counters: tuple[int, int] | None = None
    text: str
    exact: bool = True
    span: Span


Interfaces = tuple[str | None, str | None]
"""The names that a rule asks for, in and out; None where it asks for none, or for no certain one."""


class LazyRules(Sequence[Rule]):
    """Rules that are made when they are looked at: a large dump has many, and most are about other bridges."""

    @abstractmethod
    def interfaces(self) -> Iterator[Interfaces]:
        """What each rule asks for, in order, which can be told without making it."""


class Chain(Frozen):
    """A chain. ``policy`` is None for chains that users made, and for built-in ones whose policy is not captured.

    ``span`` is the place of its policy or declaration, where there is one.
    """

    name: str
    policy: str | None
    span: Span | None
    rules: Annotated[Sequence[Rule], SkipValidation]

    def rules_for(self, interfaces: frozenset[str]) -> Iterator[Rule]:
        """The rules that can match a packet on these interfaces, in order: all but those that ask for another one."""
        asked = {None, *interfaces}
        places = [place for key, places in self._by_interfaces.items() if asked.issuperset(key) for place in places]
        return (self.rules[place] for place in sorted(places))

    @cached_property
    def _by_interfaces(self) -> Mapping[Interfaces, list[int]]:
        """The places of the rules by the exact names that they ask for."""
        asked = self.rules.interfaces() if isinstance(self.rules, LazyRules) else map(interfaces_of, self.rules)
        found: dict[Interfaces, list[int]] = {}
        for place, names in enumerate(asked):
            found.setdefault(names, []).append(place)
        return found


def interfaces_of(rule: Rule) -> Interfaces:
    """The names that a rule asks for."""
    names: dict[str, str] = {
        match.side: match.pattern
        for match in rule.matches
        if isinstance(match, InterfaceMatch) and not match.negated and not match.pattern.endswith("+")
    }
    return names.get("in"), names.get("out")


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
