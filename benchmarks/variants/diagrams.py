"""The dead rules of a filter table by binary decision diagrams: what the packet engine is measured against.

It shares nothing with the engine, and reads only what `benchmarks.generate` writes. The values of a field that no
condition tells apart are one atom; atoms are numbered, and a diagram's variables are the bits of those numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import reduce
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple, TypeAlias

from oxidd.bcdd import BCDDFunction, BCDDManager

from benchmarks.measure import Call
from benchmarks.variants.packets import compare_dead

Set: TypeAlias = BCDDFunction
NODES_PER_RULE = 400
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
PROTOCOLS = ("tcp", "udp")
_FIELDS = {"-s": "source", "-d": "destination", "-i": "in", "-o": "out", "-p": "protocol"}
_FIELDS |= {"--dport": "destination_port", "--sport": "source_port", "--ctstate": "state"}
_ENDS = {"source": 1 << 32, "destination": 1 << 32, "source_port": 1 << 16, "destination_port": 1 << 16, "state": 5}
"""How many values a field has; those that are not named here have more than any rules ask for."""


class Condition(NamedTuple):
    """That a field has one of some values, or none of them: ``ends`` are half-open ranges of numbers."""

    field: str
    ends: tuple[tuple[int, int], ...]
    negated: bool


class Rule(NamedTuple):
    """A rule and the line that it stands in."""

    line: int
    conditions: tuple[Condition, ...]
    target: str


def diagrams(path: Path) -> Call:
    """The dead rules of a dump of table filter, from its lines."""
    return Call(lambda: path.read_text().splitlines(), dead_lines, lambda _, found: compare_dead(path, found))


def dead_lines(lines: Iterable[str]) -> set[int]:
    """The lines of the rules that no forwarded packet matches. Chains that nothing calls have no rules here."""
    chains = _read(lines)
    rules = [rule for chain in chains.values() for rule in chain]
    packets = _Packets([condition for rule in rules for condition in rule.conditions], len(rules))
    order = _callers_first(chains)
    # Of all packets that could enter a chain: those that meet each rule, and those that come out at its end.
    meeting: dict[str, list[Set]] = {}
    passing: dict[str, Set] = {}
    for name in reversed(order):
        left = packets.all
        meeting[name] = []
        for rule in chains[name]:
            found = left & packets.matching(rule)
            meeting[name].append(found)
            left &= ~found | passing[rule.target] if rule.target in chains else ~found
        passing[name] = left
    entering = defaultdict(lambda: packets.none, FORWARD=packets.all)
    dead = set()
    for name in order:
        for rule, found in zip(chains[name], meeting[name], strict=True):
            arriving = entering[name] & found
            if not arriving.satisfiable():
                dead.add(rule.line)
            elif rule.target in chains:
                entering[rule.target] |= arriving
    return dead


def _read(lines: Iterable[str]) -> dict[str, list[Rule]]:
    interfaces: dict[str, int] = {}
    chains: dict[str, list[Rule]] = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith(":"):
            chains[line[1:].split()[0]] = []
        elif line.startswith("-A"):
            _, chain, *words = line.split()
            chains[chain].append(Rule(number, tuple(_conditions(words, interfaces)), words[-1]))
    # Packets are forwarded, and those of other hooks meet none of these rules.
    return {name: chain for name, chain in chains.items() if name not in ("INPUT", "OUTPUT")}


def _conditions(words: list[str], interfaces: dict[str, int]) -> Iterator[Condition]:
    for before, option, value in zip(["", *words], words, words[1:], strict=False):
        if option in _FIELDS:
            yield Condition(_FIELDS[option], tuple(_ends(option, value, interfaces)), before == "!")


def _ends(option: str, value: str, interfaces: dict[str, int]) -> Iterator[tuple[int, int]]:
    match option:
        case "-s" | "-d":
            network = IPv4Network(value)
            yield int(network.network_address), int(network.broadcast_address) + 1
        case "-i" | "-o":
            number = interfaces.setdefault(value, len(interfaces) + 1)
            yield number, number + 1
        case "--dport" | "--sport":
            first, _, last = value.partition(":")
            yield int(first), int(last or first) + 1
        case _:
            for name in value.split(","):
                number = STATES.index(name) if option == "--ctstate" else PROTOCOLS.index(name) + 1
                yield number, number + 1


class _Packets:
    """Sets of packets by the atoms of their fields."""

    def __init__(self, conditions: Iterable[Condition], rules: int) -> None:
        cuts: dict[str, set[int]] = defaultdict(lambda: {0})
        for condition in conditions:
            cuts[condition.field].update(end for ends in condition.ends for end in ends)
        for field in cuts.keys() & _ENDS.keys():
            cuts[field].add(_ENDS[field])
        self._cuts = {field: sorted(found) for field, found in cuts.items()}
        self._manager = BCDDManager(max(1 << 16, rules * NODES_PER_RULE), max(1 << 14, rules * 40), 1)
        self.all, self.none = self._manager.true(), self._manager.false()
        self._bits: dict[str, list[Set]] = {}
        self._known: dict[Condition, Set] = {}
        for field, found in self._cuts.items():
            variables = self._manager.add_vars(max((len(found) - 1).bit_length(), 1))
            self._bits[field] = [self._manager.var(number) for number in variables]
        for field in self._cuts.keys() & _ENDS.keys():
            self.all &= self._below(field, self._cuts[field].index(_ENDS[field]))

    def matching(self, rule: Rule) -> Set:
        return reduce(lambda found, condition: found & self._meeting(condition), rule.conditions, self.all)

    def _meeting(self, condition: Condition) -> Set:
        if condition not in self._known:
            cuts = self._cuts[condition.field]
            found = self.none
            for first, end in condition.ends:
                below = self._below(condition.field, bisect_left(cuts, end))
                found |= below & ~self._below(condition.field, bisect_left(cuts, first))
            self._known[condition] = ~found if condition.negated else found
        return self._known[condition]

    def _below(self, field: str, atom: int) -> Set:
        """The packets whose atom has a smaller number."""
        bits = self._bits[field]
        if atom >> len(bits):
            return self._manager.true()
        found = self.none
        for weight, bit in enumerate(reversed(bits)):
            found = ~bit | found if atom >> weight & 1 else ~bit & found
        return found


def _callers_first(chains: dict[str, list[Rule]]) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for rule in chains[name]:
                if rule.target in chains:
                    visit(rule.target)
            order.append(name)

    visit("FORWARD")
    return order[::-1]
