"""Rules that can never match: others take every packet first, conditions exclude each other, or nothing leads there.

A rule is matched by what meets its own conditions and those of every rule that leads to its chain, unless a rule on the
way takes it first. One packet of that region is tried, with values that as few rules as possible ask for. If it
arrives, the rule lives. If another rule takes it, that rule's share is cut out of the region, and a packet of the rest
is tried. A region that is used up is dead, and the rules that took its packets are those that cover it.

What is not known never makes a rule dead: a condition without a model that hangs on the packet alone is a field of two
values, and one that answers anew each time may always hold, and may always fail.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import product
from operator import itemgetter
from typing import Literal

from icclint.ir import match as ir
from icclint.ir.base import by_identity
from icclint.ir.ruleset import BUILT_IN_CHAINS, Rule, Ruleset, Table
from icclint.packets.box import any_address
from icclint.packets.packet import ICMP, ICMPV6, PORT_PROTOCOLS, TCP
from icclint.packets.ranges import RangeSet

MOST_STEPS = 3_000_000
"""How much work any table may take, in rules met and fields cut, before the rules that are left are not assessed."""
MORE_STEPS = 30
"""How much more for each of its rules. Most take half of that, however many there are."""
STEPS_OF_A_PACKET = 10
"""What trying one more packet counts for."""
MOST_PIECES = 5_000
"""In how many pieces the packets of one rule may be tried."""
MOST_NESTED = 100
"""How deep chains may call each other."""
MOST_ALTERNATIVES = 64
"""In how many ways the conditions of one rule may be met."""


@dataclass(frozen=True, slots=True)
class DeadRule:
    """A rule that no packet matches.

    ``reason`` is ``unreachable`` where nothing leads to its chain, ``contradictory`` where its conditions and those of
    the rules that lead to it leave no packet, and ``shadowed`` where ``covered_by`` take every packet before it. Each
    of those takes at least one.
    """

    rule: Rule
    reason: Literal["shadowed", "contradictory", "unreachable"]
    covered_by: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """The dead rules of a table, and those of which nothing was found out in the time that there is."""

    dead: tuple[DeadRule, ...]
    not_assessed: tuple[Rule, ...]


def dead_rules(ruleset: Ruleset, table: Table) -> tuple[DeadRule, ...]:
    """The rules of a table that can never match, as far as the work budget goes."""
    return assess_rules(ruleset, table).dead


def assess_rules(ruleset: Ruleset, table: Table) -> Assessment:
    """Like `dead_rules`, and tells what was not assessed."""
    rules = [rule for chain in table.chains.values() for rule in chain.rules]
    calls = _Calls(table)
    if not calls.are_shallow():
        return Assessment((), tuple(rules))
    search = _Search(_Space(ruleset, table, rules), calls, table)
    dead: list[DeadRule] = []
    unknown: list[Rule] = []
    for chain in search.chains.values():
        for place in range(len(chain.rules)):
            try:
                found = search.judge(chain, place)
            except _GivenUpError:
                unknown.append(chain.rules[place].rule)
                continue
            if found is not None:
                dead.append(found)
    return Assessment(tuple(dead), tuple(unknown))


@dataclass(frozen=True, slots=True)
class Preemption:
    """A rule that accepts some new packets before another one is asked, which would drop them.

    ``way`` are the rules that lead to the one that accepts, and itself last.
    """

    way: tuple[Rule, ...]
    dropping: Rule

    @property
    def taker(self) -> Rule:
        """The rule that accepts."""
        return self.way[-1]


def preemptions(
    ruleset: Ruleset, table: Table, asked: Iterable[tuple[Rule, Rule]]
) -> tuple[tuple[Preemption, ...], bool]:
    """The rules that accept what others would drop, were these asked first; and whether all was looked at.

    ``asked`` are pairs of a rule that drops and the place up to which rules that accept are looked for, in the chain
    that is really asked first: the jump to the chain of the rule that drops, or that rule itself. Those that accept may
    stand in chains that rules before that place lead to.
    """
    calls = _Calls(table)
    if not calls.are_shallow():
        return (), False
    search = _Search(
        _Space(ruleset, table, [one for chain in table.chains.values() for one in chain.rules]), calls, table
    )
    found: list[Preemption] = []
    try:
        for dropping, before in asked:
            for chain, place in search.accepting(before):
                way = search.way_that_takes(dropping, before, chain, place)
                if way is not None:
                    found.append(Preemption(tuple(one.rules[at].rule for one, at in way), dropping))
    except _GivenUpError:
        return tuple(found), False
    return tuple(found), True


class _GivenUpError(Exception):
    """The budget is used up."""


# A region holds the packets that have, in each field that it names, one of the values. An empty one holds all packets.
_Region = Mapping[str, RangeSet]
_Values = Mapping[str, int]
"""One packet: a value for each field."""


def _common(*regions: _Region) -> _Region | None:
    """The packets that are in each of some regions; None if there are none."""
    found: dict[str, RangeSet] = {}
    for region in regions:
        for name, values in region.items():
            both = found[name] & values if name in found else values
            if not both:
                return None
            found[name] = both
    return found


def _holds(region: _Region, packet: _Values) -> bool:
    return all(packet[name] in values for name, values in region.items())


NO_INTERFACE, ANY_OTHER = 0, 1
"""The numbers of no interface at all, and of all that no rule's pattern fits."""

_BOTH = RangeSet.of((0, 1))
_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
_NEW = RangeSet.single(_STATES.index("NEW"))
_NAMELESS = {"PREROUTING": ("out",), "INPUT": ("out",), "OUTPUT": ("in",)}
"""Which interface a hook is not told of (net/ipv4/netfilter/ip_tables.c, ip_packet_match)."""


class _Space:
    """The fields of the packets that the rules of a table can tell apart, and their values."""

    def __init__(self, ruleset: Ruleset, table: Table, rules: Iterable[Rule]) -> None:
        self.family = ruleset.family
        self.ways = by_identity(self._ways)
        rules = list(rules)
        strange = any(_may_do_anything(rule, table) for rule in rules)
        targets = {type(rule.target) for rule in rules}
        # Which rules a packet met before it is asked for its mark again is left aside: any change makes all unknown.
        self.marks_stay = not strange and targets.isdisjoint((ir.SetMark, ir.ForgetMark))
        self.opaque_stay = not strange
        # Only table raw can keep a packet from conntrack (net/netfilter/xt_CT.c).
        self.states_stay = ir.NoTrack not in targets and not (strange and table.name == "raw")
        self._number_interfaces(rules)
        address = any_address(self.family)
        self.domains: dict[str, RangeSet] = {
            "in": self.interfaces,
            "out": self.interfaces,
            "source": address,
            "destination": address,
            "protocol": RangeSet.of((0, 255)),
            "source_port": RangeSet.of((0, 65535)),
            "destination_port": RangeSet.of((0, 65535)),
            "icmp": RangeSet.of((0, 65535)),
            "tcp_flags": RangeSet.of((0, 63)),
            "state": RangeSet.of((0, len(_STATES) - 1)),
            "SNAT": _BOTH,
            "DNAT": _BOTH,
        }

    def _number_interfaces(self, rules: Iterable[Rule]) -> None:
        asked = {match.pattern for rule in rules for match in rule.matches if isinstance(match, ir.InterfaceMatch)}
        self.names = sorted(pattern for pattern in asked if not pattern.endswith("+"))
        # A name is as good as another that starts with the same patterns: one stands for each.
        self.prefixes = sorted(pattern[:-1] for pattern in asked if pattern.endswith("+"))
        self.interfaces = RangeSet.of((0, ANY_OTHER + len(self.names) + len(self.prefixes)))
        self._number = {name: number for number, name in enumerate(self.names, ANY_OTHER + 1)}
        self._fitting = {pattern: self._fit(pattern) for pattern in asked}

    def _fit(self, pattern: str) -> RangeSet:
        """The numbers of the interfaces that a pattern means."""
        if not pattern.endswith("+"):
            return RangeSet.single(self._number[pattern])
        start = pattern[:-1]
        if not start:
            # An empty name is no name, and starts with nothing too.
            return self.interfaces
        numbered = enumerate((*self.names, *self.prefixes), ANY_OTHER + 1)
        return RangeSet.single(*(number for number, name in numbered if name.startswith(start)))

    def at_hook(self, hook: str) -> _Region:
        """The packets that a built-in chain is called for."""
        named = self.interfaces - RangeSet.single(NO_INTERFACE)
        sides = {"in": named, "out": named}
        sides |= {side: RangeSet.single(NO_INTERFACE) for side in _NAMELESS.get(hook, ())}
        if hook == "POSTROUTING":
            # What the host sends came in by none, and br_netfilter tells of none.
            del sides["in"]
        return sides

    def conditions(self, rule: Rule) -> tuple[tuple[_Region, ...], tuple[_Region, ...]]:
        """The packets that a rule surely matches, and those that it may match, as unions of regions."""
        asked = [self.ways(match) for match in rule.matches]
        known = [ways for ways in asked if ways is not None]
        count = 1
        for ways in known:
            count *= len(ways)
        if count > MOST_ALTERNATIVES:
            return (), ({},)
        may = tuple(region for chosen in product(*known) if (region := self._all_of(chosen)) is not None)
        return (may if len(known) == len(asked) else ()), may

    def _all_of(self, regions: Iterable[_Region]) -> _Region | None:
        found = _common(*regions)
        if found is None:
            return None
        return {name: values for name, values in found.items() if values.ranges != self.domains[name].ranges}

    def _ways(self, match: ir.Match) -> tuple[_Region, ...] | None:
        """The ways to meet a condition, negation included; None where it may hold or fail each time it is asked."""
        match match:
            case ir.InterfaceMatch(side=side, pattern=pattern):
                return self._one_of(match, side, self._fitting[pattern])
            case ir.AddressMatch(side=side, ranges=ranges):
                return self._one_of(match, side, RangeSet.of(*ranges))
            case ir.ProtocolMatch(number=number):
                return self._one_of(match, "protocol", RangeSet.single(number))
            case ir.PortMatch():
                return self._port_ways(match)
            case ir.IcmpMatch(type=kind, code=code):
                codes = RangeSet.of((kind * 256, kind * 256 + 255) if code is None else (kind * 256 + code,) * 2)
                return self._of_protocol(self._one_of(match, "icmp", codes), ICMP if self.family == 4 else ICMPV6)
            case ir.TcpFlagsMatch(mask=mask, flags=flags):
                found = RangeSet.single(*(bits for bits in range(64) if bits & mask == flags))
                return self._of_protocol(self._one_of(match, "tcp_flags", found), TCP)
            case ir.StateMatch(states=states):
                return self._state_ways(match, states) if self.states_stay else None
            case ir.MarkMatch(value=value, mask=mask):
                return self._yes_or_no(match, f"mark {value:#x}/{mask:#x}") if self.marks_stay else None
            case ir.AddressTypeMatch(side=side, types=types):
                return self._yes_or_no(match, f"{side} of type {sorted(types)}")
            case ir.PhysdevMatch(what=what, pattern=pattern):
                return self._yes_or_no(match, f"physdev {what} {pattern}")
            case ir.OpaqueMatch(per_packet=True) if self.opaque_stay:
                return self._yes_or_no(match, f"match {match.text}")
            case ir.FragmentMatch():
                # There are fragments where the kernel does not track connections, and no dump of rules tells of that.
                return self._yes_or_no(match, "fragment")
            case _:
                return None

    def _one_of(self, match: ir.Match, name: str, values: RangeSet) -> tuple[_Region, ...]:
        wanted = self.domains[name] - values if match.negated else values
        return ({name: wanted},) if wanted else ()

    def _of_protocol(self, ways: tuple[_Region, ...], number: int) -> tuple[_Region, ...]:
        return tuple({**way, "protocol": RangeSet.single(number)} for way in ways)

    def _port_ways(self, match: ir.PortMatch) -> tuple[_Region, ...]:
        ports = RangeSet.of(*match.ranges)
        sides = ("source_port", "destination_port") if match.side == "either" else (f"{match.side}_port",)
        with_ports = {"protocol": RangeSet.single(*PORT_PROTOCOLS)}
        if not match.negated:
            return tuple({**with_ports, side: ports} for side in sides)
        others = self.domains["source_port"] - ports
        return (with_ports | dict.fromkeys(sides, others),) if others else ()

    def _state_ways(self, match: ir.Match, states: frozenset[str]) -> tuple[_Region, ...]:
        """conntrack tells one state of a packet, and of its connection which ends were changed (xt_conntrack.c)."""
        among = RangeSet.single(*(number for number, state in enumerate(_STATES) if state in states))
        changed = [end for end in ("SNAT", "DNAT") if end in states]
        if not match.negated:
            either: dict[str, RangeSet] = {**dict.fromkeys(changed, RangeSet.single(1)), "state": among}
            return tuple({name: values} for name, values in either.items() if values)
        others = self.domains["state"] - among
        return ({"state": others, **dict.fromkeys(changed, RangeSet.single(0))},) if others else ()

    def _yes_or_no(self, match: ir.Match, name: str) -> tuple[_Region, ...]:
        self.domains[name] = _BOTH
        return ({name: RangeSet.single(int(not match.negated))},)


def _may_do_anything(rule: Rule, table: Table) -> bool:
    absent = isinstance(rule.target, ir.Jump) and rule.target.chain not in table.chains
    return absent or isinstance(rule.target, ir.UnknownTarget)


@dataclass
class _Calls:
    """Which rules lead to which chains."""

    table: Table
    callers: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    entries: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name, chain in self.table.chains.items():
            for place, rule in enumerate(chain.rules):
                if isinstance(rule.target, ir.Jump | ir.Goto) and rule.target.chain in self.table.chains:
                    self.callers.setdefault(rule.target.chain, []).append((name, place))
        built_in = frozenset(BUILT_IN_CHAINS.get(self.table.name, ())) & self.table.chains.keys()
        # What the dump leaves out may call any chain.
        self.entries = built_in if self.table.complete else frozenset(self.table.chains)

    def are_shallow(self) -> bool:
        """Whether no chain leads back to itself, which the kernel refuses, and none too deep to be followed."""
        left = dict(self.callers)
        for _ in range(MOST_NESTED):
            ready = [name for name, calls in left.items() if all(caller not in left for caller, _ in calls)]
            if not ready:
                break
            for name in ready:
                del left[name]
        return not left

    def reached(self) -> frozenset[str]:
        """The chains that rules lead to, whatever these ask for."""
        callees: dict[str, set[str]] = {}
        for name, calls in self.callers.items():
            for caller, _ in calls:
                callees.setdefault(caller, set()).add(name)
        seen: set[str] = set()
        ahead = list(self.entries)
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                ahead += callees.get(name, ())
        return frozenset(seen)


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """A rule with the packets that it surely matches and those that it may match."""

    rule: Rule
    surely: tuple[_Region, ...]
    may: tuple[_Region, ...]

    @property
    def target(self) -> ir.Target:
        return self.rule.target


_PINNED = ("in", "out", "source", "destination", "protocol", "source_port", "destination_port")
"""The fields by which rules are found. Docker's rules ask for one address or one interface each."""


class _Chain:
    """The rules of a chain, found by the values that they ask for."""

    def __init__(self, name: str, rules: list[_Rule], known: Mapping[str, object]) -> None:
        self.name = name
        self.rules = rules
        # Rules are grouped by which fields they pin, and to how many bits; within a group by the values.
        self._groups: dict[tuple[tuple[str, int], ...], dict[tuple[int, ...], list[int]]] = {}
        # Where a packet may leave the chain and still come back to the caller.
        self.ways_out: list[int] = []
        for place, rule in enumerate(rules):
            if isinstance(rule.target, ir.Return | ir.Goto):
                self.ways_out.append(place)
            if _changes_the_way(rule.target, known):
                self._enter(place, rule)

    def _enter(self, place: int, rule: _Rule) -> None:
        for region in rule.may:
            pins = [(name, *_block(region[name])) for name in _PINNED if name in region]
            pinned = [(name, value, bits) for name, value, bits in pins if bits is not None]
            group = self._groups.setdefault(tuple((name, bits) for name, _, bits in pinned), {})
            places = group.setdefault(tuple(value >> bits for _, value, bits in pinned), [])
            if places[-1:] != [place]:
                places.append(place)

    def candidates(self, packet: _Values) -> Iterator[int]:
        """The places of rules that may match a packet and change its way, in order. Some of them do not match."""
        found = []
        for shape, group in self._groups.items():
            places = group.get(tuple([packet[name] >> bits for name, bits in shape]))
            if places is not None:
                found.append(places)
        return iter(found[0]) if len(found) == 1 else merge(*found)


class _Callers:
    """The rules that lead to a chain, found by the interfaces that they ask for: to Docker's there is one a bridge."""

    def __init__(self, calls: Iterable[tuple[_Chain, int]]) -> None:
        asking = [(chain, place, asked) for chain, place in calls for asked in chain.rules[place].may]
        self._groups: dict[tuple[int | None, ...], list[tuple[int, _Chain, int, _Region]]] = {}
        for number, (chain, place, asked) in enumerate(asking):
            key = tuple(_only(asked, side) for side in ("in", "out"))
            self._groups.setdefault(key, []).append((number, chain, place, asked))
        self._asked = [{key[end] for key in self._groups} for end in (0, 1)]

    def of(self, region: _Region) -> Iterator[tuple[_Chain, int, _Region]]:
        """Those that packets of a region may meet, in order, each with the packets that it asks for."""
        wanted = [_only(region, side) for side in ("in", "out")]
        # A rule that asks for another interface leads no packet of these on.
        either = [
            asked if name is None else asked & {None, name} for name, asked in zip(wanted, self._asked, strict=True)
        ]
        groups = (
            (self._groups.get(key, []) for key in product(*either)) if wanted != [None, None] else self._groups.values()
        )
        found = sorted((call for group in groups for call in group), key=itemgetter(0))
        return (call[1:] for call in found)


def _only(region: _Region, name: str) -> int | None:
    """The one value of a field that a region's packets have, if it is one."""
    values = region.get(name)
    return values.only if values is not None else None


def _changes_the_way(target: ir.Target, known: Mapping[str, object]) -> bool:
    """Whether a packet that matches may not get to the next rule. What may as well go on does not count."""
    if isinstance(target, ir.Jump):
        return target.chain in known
    return isinstance(target, ir.Accept | ir.Drop | ir.Reject | ir.Rewrite | ir.Return | ir.Goto)


def _block(values: RangeSet) -> tuple[int, int | None]:
    """The first value and the size, in bits, of a set that is an aligned block, such as a subnet; else no size."""
    first, last = values.ranges[0]
    bits = (last - first).bit_length()
    is_block = len(values.ranges) == 1 and last - first + 1 == 1 << bits and not first & (last - first)
    return first, bits if is_block else None


class _Picker:
    """Chooses values of fields that as few rules as possible ask for: no other rule stands in such a packet's way."""

    def __init__(self, domains: Mapping[str, RangeSet], rules: Iterable[_Rule]) -> None:
        steps: dict[str, dict[int, int]] = {name: {values.least: 0} for name, values in domains.items()}
        for rule in rules:
            for region in rule.may:
                for name, values in region.items():
                    # What asks for all values but some asks for none of them.
                    few = values.size * 2 <= domains[name].size
                    for first, last in values.ranges if few else ():
                        steps[name][first] = steps[name].get(first, 0) + 1
                        steps[name][last + 1] = steps[name].get(last + 1, 0) - 1
        self._edges: dict[str, list[int]] = {}
        self._asked: dict[str, list[int]] = {}
        for name, changes in steps.items():
            self._edges[name] = sorted(changes)
            asked = 0
            self._asked[name] = [asked := asked + changes[edge] for edge in self._edges[name]]
        self._usual = {name: self._value(name, values) for name, values in domains.items()}

    def packet(self, region: _Region) -> _Values:
        """A packet of a region."""
        return self._usual | {name: self._value(name, values) for name, values in region.items()}

    def _value(self, name: str, values: RangeSet) -> int:
        only = values.only
        if only is not None:
            return only
        # Any value will do, so the first few ranges are enough to choose from.
        return min((self._of_range(name, first, last) for first, last in values.ranges[:4]))[1]

    def _of_range(self, name: str, first: int, last: int) -> tuple[int, int]:
        """How many rules ask for the best value of a range, and that value."""
        edges, asked = self._edges[name], self._asked[name]
        start = bisect_right(edges, first) - 1
        if first == last:
            return asked[start], first
        best = min(range(start, bisect_right(edges, last)), key=asked.__getitem__)
        return asked[best], max(first, edges[best])


@dataclass(frozen=True, slots=True)
class _Stuck:
    """Why a packet does not arrive: ``taker`` ends its way.

    The same holds for all packets that match each rule of ``matched``, but for those that some rule of ``ways_out``
    leads past the taker: in each chain the rules before a place, some of which were tried.
    """

    taker: _Rule
    matched: tuple[_Rule, ...]
    ways_out: tuple[tuple[_Chain, int], ...] = ()
    tried: tuple[_Rule, ...] = ()


_Way = tuple[tuple[_Chain, int], ...]
"""How packets get to a rule: in each chain the place up to which all rules must let them pass."""


class _Search:
    """Looks for a packet that matches a rule."""

    def __init__(self, space: _Space, calls: _Calls, table: Table) -> None:
        compiled = {
            name: [_Rule(rule, *space.conditions(rule)) for rule in chain.rules] for name, chain in table.chains.items()
        }
        self.chains = {name: _Chain(name, rules, compiled) for name, rules in compiled.items()}
        self.space = space
        self.calls = calls
        self.callers = {
            name: _Callers((self.chains[caller], place) for caller, place in found)
            for name, found in calls.callers.items()
        }
        self.reached = calls.reached()
        self.picker = _Picker(space.domains, (rule for rules in compiled.values() for rule in rules))
        self.hooks = {name: space.at_hook(name) for name in BUILT_IN_CHAINS.get(table.name, ())}
        self.steps = 0
        self.most_steps = MOST_STEPS + MORE_STEPS * sum(map(len, compiled.values()))

    def judge(self, chain: _Chain, place: int) -> DeadRule | None:
        """Whether and why a rule is dead. Raises `_GivenUpError` where that takes too long."""
        rule = chain.rules[place]
        if chain.name not in self.reached:
            return DeadRule(rule.rule, "unreachable")
        takers: dict[int, Rule] = {}
        if any(self._arrives(start, way, takers) for start, way in self._ways_to(chain, place)):
            return None
        if not takers:
            return DeadRule(rule.rule, "contradictory")
        return DeadRule(rule.rule, "shadowed", tuple(sorted(takers.values(), key=lambda taker: taker.span)))

    def way_that_takes(self, dropping: Rule, before: Rule, chain: _Chain, place: int) -> _Way | None:
        """The way on which new packets get to a rule which another one would drop, see `preemptions`; None without."""
        home = self.chains[dropping.chain]
        # Rules of its own chain may take packets from the one that drops, too.
        then: _Way = ((home, dropping.number - 1),) if dropping.chain != before.chain else ()
        for start, way in self._ways_to(chain, place):
            entry, entered = way[0]
            if entry.name != before.chain or entered >= before.number - 1:
                continue
            for asked in home.rules[dropping.number - 1].may:
                both = _common(start, {**asked, "state": asked.get("state", _NEW) & _NEW})
                if both is not None and self._arrives(both, (*way, *then), {}):
                    return way
        return None

    def accepting(self, before: Rule) -> Iterator[tuple[_Chain, int]]:
        """The rules that accept, before another one of its chain and in the chains that those before it lead to."""
        yield from self._accepting_in(self.chains[before.chain], before.number - 1, set())

    def _accepting_in(self, chain: _Chain, end: int, seen: set[str]) -> Iterator[tuple[_Chain, int]]:
        for place, rule in enumerate(chain.rules[:end]):
            match rule.target:
                case ir.Accept():
                    yield chain, place
                case ir.Jump(chain=name) | ir.Goto(chain=name) if name in self.chains and name not in seen:
                    seen.add(name)
                    inner = self.chains[name]
                    yield from self._accepting_in(inner, len(inner.rules), seen)

    def _arrives(self, start: _Region, way: _Way, takers: dict[int, Rule]) -> bool:
        """Whether some packet of a region gets to the end of a way; ``takers`` gets the rules that take others."""
        pieces = 0
        pending = [iter((start,))]
        while pending:
            region = next(pending[-1], None)
            if region is None:
                pending.pop()
                continue
            pieces += 1
            if pieces > MOST_PIECES:
                raise _GivenUpError
            self._count(STEPS_OF_A_PACKET)
            packet = self.picker.packet(region)
            stuck = self._stuck(way, packet)
            if stuck is None:
                return True
            takers[id(stuck.taker)] = stuck.taker.rule
            pending.append(self._rest(region, stuck, packet))
        return False

    def _ways_to(self, chain: _Chain, place: int) -> Iterator[tuple[_Region, _Way]]:
        for region in chain.rules[place].may:
            yield from self._ways_back(chain, region, ((chain, place),))

    def _ways_back(self, chain: _Chain, region: _Region, way: _Way) -> Iterator[tuple[_Region, _Way]]:
        """The ways from the built-in chains to a chain, each with the packets of a region that take it."""
        if chain.name in self.calls.entries:
            entering = _common(region, self.hooks.get(chain.name, {}))
            if entering is not None:
                yield entering, way
        callers = self.callers.get(chain.name)
        for caller, place, asked in callers.of(region) if callers is not None else ():
            self._count()
            called = _common(region, asked)
            if called is not None:
                yield from self._ways_back(caller, called, ((caller, place), *way))

    def _count(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > self.most_steps:
            raise _GivenUpError

    def _matching(self, chain: _Chain, packet: _Values, end: int) -> Iterator[tuple[int, _Rule]]:
        """The rules before a place that may match a packet and change its way, in order."""
        for place in chain.candidates(packet):
            if place >= end:
                return
            self._count()
            rule = chain.rules[place]
            if any(_holds(region, packet) for region in rule.may):
                yield place, rule

    def _stuck(self, way: _Way, packet: _Values) -> _Stuck | None:
        """Why a packet does not get to the end of a way; None if it may."""
        for chain, end in way:
            for _, rule in self._matching(chain, packet, end):
                if not rule.surely:
                    continue
                if not isinstance(rule.target, ir.Jump):
                    return _Stuck(rule, (rule,))
                inside = self._stuck_in(self.chains[rule.target.chain], packet)
                if inside is not None:
                    return _Stuck(inside.taker, (rule, *inside.matched), inside.ways_out, inside.tried)
        return None

    def _stuck_in(self, chain: _Chain, packet: _Values) -> _Stuck | None:
        """Why a packet does not come back from a chain; None if it may."""
        tried: list[tuple[_Rule, _Stuck]] = []
        for place, rule in self._matching(chain, packet, len(chain.rules)):
            match rule.target:
                case ir.Return():
                    return None
                case ir.Jump(chain=name) | ir.Goto(chain=name):
                    if name not in self.chains:
                        return None
                    inside = self._stuck_in(self.chains[name], packet)
                    leaves = isinstance(rule.target, ir.Goto)
                    if inside is None and leaves:
                        return None
                    if inside is None:
                        continue
                    if rule.surely:
                        return _joined(rule, chain, place, inside, tried)
                    if leaves:
                        tried.append((rule, inside))
                case _ if rule.surely:
                    return _joined(rule, chain, place, None, tried)
        return None

    def _rest(self, region: _Region, stuck: _Stuck, packet: _Values) -> Iterator[_Region]:
        """What is left of a region without the packets that are stuck like this one."""
        taken = region
        for rule in stuck.matched:
            asked = next(way for way in rule.surely if _holds(way, packet))
            yield from self._outside(taken, asked)
            both = _common(taken, asked)
            assert both is not None, "the packet is in both"
            taken = both
        yield from self._let_out([taken], stuck)

    def _let_out(self, taken: list[_Region], stuck: _Stuck) -> Iterator[_Region]:
        """The packets of some regions that leave a chain before the one that takes the others."""
        for chain, end in stuck.ways_out:
            for place in chain.ways_out:
                if place >= end or not taken:
                    break
                if chain.rules[place] in stuck.tried:
                    continue
                for asked in chain.rules[place].may:
                    self._count()
                    let_out = [both for part in taken if (both := _common(part, asked)) is not None]
                    if let_out:
                        yield from let_out
                        taken = [rest for part in taken for rest in self._outside(part, asked)]

    def _outside(self, region: _Region, other: _Region) -> Iterator[_Region]:
        """The packets of a region that are not in the other, as disjoint regions."""
        inside = dict(region)
        for name, values in other.items():
            self._count()
            known = inside.get(name, self.space.domains[name])
            outside = known - values
            if outside:
                yield {**inside, name: outside}
            both = known & values
            if not both:
                return
            inside[name] = both


def _joined(
    rule: _Rule, chain: _Chain, place: int, inside: _Stuck | None, tried: Iterable[tuple[_Rule, _Stuck]]
) -> _Stuck:
    """A packet is stuck at a rule, or in the chain that it leads to; whatever else might have led it away is, too."""
    found = inside or _Stuck(rule, ())
    others = [stuck for _, stuck in tried]
    return _Stuck(
        found.taker,
        (rule, *found.matched, *(one for stuck in others for one in stuck.matched)),
        ((chain, place), *found.ways_out, *(one for stuck in others for one in stuck.ways_out)),
        (*(goto for goto, _ in tried), *found.tried, *(one for stuck in others for one in stuck.tried)),
    )
