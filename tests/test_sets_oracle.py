"""`judge` against binary decision diagrams: the exact sets of packets that random rules deliver, drop and reject.

The oracle shares nothing with the engine. It reads no dump: each condition is drawn together with what it means, as a
function of the bits of a packet's header, and the tables are gone through with one diagram for all packets at once, in
place of boxes. What the capture does not tell is one more bit, so that equal diagrams mean the same packets for each
answer. Fields have their real widths, since a diagram of a range is as small as the range is simple.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from ipaddress import ip_network
from operator import and_, or_

from dd.bdd import BDD
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.packets.box import FIELDS, Box
from icclint.packets.firewall import firewall
from icclint.packets.judgement import Extent, Judgement, PacketClass
from icclint.packets.ranges import RangeSet
from icclint.packets.sets import judge
from icclint.packets.verdict import Verdict
from icclint.parse.kind import kind_of
from icclint.source import Document

WIDTHS = {
    "source": 32,
    "destination": 32,
    "protocol": 8,
    "source_port": 16,
    "destination_port": 16,
    "icmp": 16,
    "tcp_flags": 6,
}
MARK_BITS = 32
IN, OUT = "docker0", "br-1"
SOURCES, DESTINATIONS = "172.17.0.0/16", "172.18.0.0/16"
"""Apart, since no packet from an address to itself ever leaves its sender, and `extent` leaves those out."""


# -- diagrams --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """A set of packets. Equal sets have equal nodes, since the order of the bits is one."""

    bdd: BDD = field(repr=False, compare=False)
    node: int

    def __and__(self, other: Function) -> Function:
        return Function(self.bdd, self.bdd.apply("and", self.node, other.node))

    def __or__(self, other: Function) -> Function:
        return Function(self.bdd, self.bdd.apply("or", self.node, other.node))

    def __invert__(self) -> Function:
        return Function(self.bdd, -self.node)


class Packets:
    """Diagrams over the bits of a packet's header, and over one bit more for each answer that is not known."""

    def __init__(self) -> None:
        # Without dd's own counting of references, which is for diagrams that live long, and complains of the others.
        self.bdd = BDD()
        self.bdd.declare(*(f"{name}.{bit}" for name, width in WIDTHS.items() for bit in range(width)))
        self.all, self.none = Function(self.bdd, self.bdd.true), Function(self.bdd, self.bdd.false)
        self.answers: set[str] = set()
        self.range = cache(self._range)

    def within(self, name: str, *ranges: tuple[int, int]) -> Function:
        """The packets in which a field lies in one of some ranges."""
        return self.any(self.range(name, *ends) for ends in ranges)

    def any(self, sets: Iterable[Function]) -> Function:
        return reduce(or_, sets, self.none)

    def _range(self, name: str, first: int, last: int) -> Function:
        least = most = self.all
        # From the lowest bit up: a higher bit decides, or else those below it do.
        for weight in range(WIDTHS[name]):
            one = self._bit(name, weight)
            least = one & least if first >> weight & 1 else one | least
            most = ~one | most if last >> weight & 1 else ~one & most
        return least & most

    def bits(self, name: str, mask: int, value: int) -> Function:
        """The packets of whose field the bits of a mask have a value."""
        found = self.all
        for weight in range(WIDTHS[name]):
            if mask >> weight & 1:
                one = self._bit(name, weight)
                found &= one if value >> weight & 1 else ~one
        return found

    def _bit(self, name: str, weight: int) -> Function:
        return Function(self.bdd, self.bdd.var(f"{name}.{WIDTHS[name] - 1 - weight}"))

    def answer(self, key: str) -> Function:
        """That the answer to a question is yes which no capture holds."""
        if key not in self.answers:
            self.answers.add(key)
            self.bdd.declare(f"answer {key}")
        return Function(self.bdd, self.bdd.var(f"answer {key}"))

    def box(self, box: Box) -> Function:
        return reduce(and_, (self.within(name, *getattr(box, name).ranges) for name in FIELDS))

    def whatever_is_answered(self, found: Function) -> Function:
        """The packets that are in a set for each answer to each question."""
        return Function(self.bdd, self.bdd.forall([f"answer {key}" for key in self.answers], found.node))


# -- rules, and what they mean ---------------------------------------------


@dataclass(frozen=True)
class Walk:
    """What conditions may ask for besides the header: the place of the rule, and the marks that packets bear by now.

    ``marks`` has, for each bit, lowest first, the packets in whose mark it is set.
    """

    packets: Packets
    place: str
    state: str
    marks: Sequence[Function]


Meaning = Callable[[Walk], Function]


@dataclass(frozen=True)
class Condition:
    """A condition as iptables prints it, and the packets for which it holds."""

    text: str
    meaning: Meaning


@dataclass(frozen=True)
class DrawnRule:
    chain: str
    conditions: tuple[Condition, ...]
    target: str

    @property
    def text(self) -> str:
        return " ".join(("-A", self.chain, *(condition.text for condition in self.conditions), self.target))


@dataclass(frozen=True)
class DrawnTable:
    """``policies`` are those of the built-in chains that it has."""

    name: str
    policies: Mapping[str, str]
    rules: tuple[DrawnRule, ...]

    @property
    def text(self) -> str:
        chains = [f":{hook} {policy} [0:0]" for hook, policy in self.policies.items()]
        chains += [f":{chain} - [0:0]" for chain in USER_CHAINS]
        return "\n".join([f"*{self.name}", *chains, *(rule.text for rule in self.rules), "COMMIT\n"])

    def rules_of(self, chain: str) -> list[tuple[int, DrawnRule]]:
        return [(place, rule) for place, rule in enumerate(self.rules) if rule.chain == chain]


USER_CHAINS = ("ONE", "TWO", "THREE")
"""Each may call those behind it."""


def condition(text: str, meaning: Meaning) -> SearchStrategy[Condition]:
    """A condition or its negation: `! ` stands before the last option of the text, marked by ``~``."""
    return st.sampled_from(
        (
            Condition(text.replace("~", ""), meaning),
            Condition(text.replace("~", "! "), lambda walk: ~meaning(walk)),
        )
    )


def constant(text: str, holds: bool) -> SearchStrategy[Condition]:
    return condition(text, lambda walk: walk.packets.all if holds else walk.packets.none)


def subnet(side: str, option: str, text: str) -> SearchStrategy[Condition]:
    network = ip_network(text)
    ends = int(network.network_address), int(network.broadcast_address)
    return condition(f"~{option} {text}", lambda walk: walk.packets.within(side, ends))


def ports(number: int, protocol: str, option: str, sides: Sequence[str], text: str) -> SearchStrategy[Condition]:
    """Ports, behind the protocol that the kernel demands; only what asks for the ports is negated."""
    ranges = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        ranges.append((int(first or 0), int(last or 65535) if colon else int(first)))

    def holds(walk: Walk) -> Function:
        return walk.packets.any(walk.packets.within(side, *ranges) for side in sides)

    return of_protocol(number, f"-p {protocol} {option} {text}", holds)


def of_protocol(number: int, text: str, holds: Meaning) -> SearchStrategy[Condition]:
    def bare(walk: Walk) -> Function:
        return walk.packets.within("protocol", (number, number))

    return st.sampled_from(
        (
            Condition(text.replace("~", ""), lambda walk: bare(walk) & holds(walk)),
            Condition(text.replace("~", "! "), lambda walk: bare(walk) & ~holds(walk)),
        )
    )


def mark(value: int, mask: int) -> SearchStrategy[Condition]:
    def holds(walk: Walk) -> Function:
        found = walk.packets.all
        for weight, one in enumerate(walk.marks):
            if mask >> weight & 1:
                found &= one if value >> weight & 1 else ~one
        return found

    return condition(f"-m mark ~--mark {value:#x}/{mask:#x}", holds)


def steady(text: str) -> SearchStrategy[Condition]:
    """A condition that is not modelled, and has one answer wherever it stands."""
    return condition(text, lambda walk: walk.packets.answer(text.replace("~", "")))


BOTH = ("source_port", "destination_port")
PORT_TEXTS = ("80", "53,80", "1:79,443", "1024:", ":1023", "0:65535")
CONDITIONS: Mapping[str, SearchStrategy[Condition]] = {
    "source": st.sampled_from(("172.17.0.2/32", "172.17.0.0/25", "172.17.0.0/16", "172.17.128.0/17")).flatmap(
        lambda text: subnet("source", "-s", text)
    ),
    "destination": st.sampled_from(("172.18.0.3/32", "172.18.0.2/31", "172.16.0.0/12", "10.0.0.0/8")).flatmap(
        lambda text: subnet("destination", "-d", text)
    ),
    "range": condition(
        "-m iprange ~--src-range 172.17.0.2-172.17.0.9",
        lambda walk: walk.packets.within("source", (0xAC110002, 0xAC110009)),
    ),
    "interfaces": st.one_of(
        constant(f"~-i {IN}", True),
        constant("~-i docker+", True),
        constant("~-i eth0", False),
        constant(f"~-o {OUT}", True),
        constant("~-o docker+", False),
    ),
    "protocol": st.sampled_from((("tcp", 6), ("udp", 17), ("icmp", 1), ("47", 47))).flatmap(
        lambda both: condition(
            f"~-p {both[0]}", lambda walk, number=both[1]: walk.packets.within("protocol", (number, number))
        )
    ),
    "port": st.one_of(
        ports(6, "tcp", "-m tcp ~--dport", BOTH[1:], "80"),
        ports(6, "tcp", "-m tcp ~--sport", BOTH[:1], "1024:65535"),
        ports(17, "udp", "-m udp ~--dport", BOTH[1:], "53:80"),
    ),
    "multiport": st.tuples(st.sampled_from(("tcp", "udp")), st.sampled_from(PORT_TEXTS)).flatmap(
        lambda both: st.one_of(
            ports({"tcp": 6, "udp": 17}[both[0]], both[0], "-m multiport ~--dports", BOTH[1:], both[1]),
            ports({"tcp": 6, "udp": 17}[both[0]], both[0], "-m multiport ~--sports", BOTH[:1], both[1]),
            ports({"tcp": 6, "udp": 17}[both[0]], both[0], "-m multiport ~--ports", BOTH, both[1]),
        )
    ),
    "icmp": st.one_of(
        of_protocol(1, "-p icmp -m icmp ~--icmp-type 8", lambda walk: walk.packets.within("icmp", (0x800, 0x8FF))),
        of_protocol(1, "-p icmp -m icmp ~--icmp-type 3/3", lambda walk: walk.packets.within("icmp", (0x303, 0x303))),
    ),
    "flags": st.one_of(
        of_protocol(6, "-p tcp -m tcp ~--tcp-flags SYN,ACK SYN", lambda walk: walk.packets.bits("tcp_flags", 18, 2)),
        of_protocol(6, "-p tcp -m tcp ~--tcp-flags FIN,RST NONE", lambda walk: walk.packets.bits("tcp_flags", 5, 0)),
    ),
    "state": st.sampled_from(("NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID")).flatmap(
        lambda text: condition(
            f"-m conntrack ~--ctstate {text}",
            lambda walk: walk.packets.all if walk.state in text.split(",") else walk.packets.none,
        )
    ),
    "type": condition(
        "-m addrtype ~--dst-type LOCAL", lambda walk: walk.packets.within("destination", (0xAC120001, 0xAC120001))
    ),
    "mark": st.sampled_from(((1, 1), (2, 3), (0, 3), (1, 0xFFFFFFFF))).flatmap(lambda both: mark(*both)),
    "steady": st.one_of(steady("-m set ~--match-set bad src"), steady("-m dscp ~--dscp 0x01")),
    # Each rule has an answer of its own.
    "free": st.just(
        Condition("-m limit --limit 5/sec", lambda walk: walk.packets.answer(f"-m limit --limit 5/sec @ {walk.place}"))
    ),
}
NEW_MARKS = {
    "-j MARK --set-xmark 0x1/0xffffffff": (1, 0xFFFFFFFF),
    "-j MARK --set-xmark 0x2/0x3": (2, 3),
    "-j MARK --xor-mark 0x1": (1, 0),
    "-j MARK --and-mark 0x2": (0, 0xFFFFFFFD),
}
"""The value and the mask of each: the mark becomes ``(mark & ~mask) ^ value``."""
ENDS = {"-j DROP": Verdict.DROPPED, "-j REJECT": Verdict.REJECTED, "-j NFQUEUE": Verdict.UNKNOWN}


EXCLUSIVE = ("protocol", "port", "multiport", "icmp", "flags")
"""Kinds of conditions that each bring their own ``-p``."""


@st.composite
def drawn_rule(draw: DrawFn, chain: str, kinds: Sequence[str], targets: Sequence[str]) -> DrawnRule:
    callable_chains = USER_CHAINS[USER_CHAINS.index(chain) + 1 :] if chain in USER_CHAINS else USER_CHAINS
    ways = [f"{word} {called}" for called in callable_chains for word in ("-j", "-g")]
    target = draw(st.sampled_from(targets) | st.sampled_from(ways or targets))
    # What ends the way of every packet would leave nothing to the rules behind it.
    asked = draw(st.lists(st.sampled_from(kinds), min_size=target not in ways, max_size=2, unique=True))
    exclusive = [kind for kind in asked if kind in EXCLUSIVE]
    return DrawnRule(chain, tuple(draw(CONDITIONS[kind]) for kind in asked if kind not in exclusive[1:]), target)


@st.composite
def drawn_tables(draw: DrawFn) -> tuple[DrawnTable, ...]:
    """Tables mangle and filter, in the order in which a packet meets them at FORWARD.

    All rules of a host ask for a few kinds of things and have a few kinds of targets, so that they get in each other's
    way.
    """
    kinds = draw(st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=2, max_size=4, unique=True))
    marks = list(NEW_MARKS) if "mark" in kinds else []
    others = ["-j ACCEPT", "-j DROP", "-j RETURN", "-j LOG", "-j REJECT", "-j NFQUEUE"]
    targets = marks + draw(st.lists(st.sampled_from(others), min_size=2, max_size=4, unique=True))
    tables = []
    for name, most in (("mangle", 2), ("filter", 4)):
        possible = [target for target in targets if name == "filter" or target != "-j REJECT"]
        policy = draw(st.sampled_from(("ACCEPT", "DROP") if name == "filter" else ("ACCEPT",)))
        rules: list[DrawnRule] = []
        for chain in ("FORWARD", *USER_CHAINS):
            one = drawn_rule(chain, kinds, possible)
            rules += draw(st.lists(one, min_size=most - 1, max_size=most))
        tables.append(DrawnTable(name, {"FORWARD": policy}, tuple(rules)))
    return tuple(tables)


# -- the oracle ------------------------------------------------------------


@dataclass
class Oracle:
    """What becomes of all packets in some tables, one after the other."""

    packets: Packets
    state: str
    ends: dict[Verdict, Function] = field(default_factory=dict)
    marks: list[Function] = field(default_factory=list)

    def judge(self, tables: Sequence[DrawnTable], start: Function) -> Mapping[Verdict, Function]:
        self.ends = dict.fromkeys(Verdict, self.packets.none)
        self.marks = [self.packets.none] * MARK_BITS
        # The first line names the program.
        alive, line = start, 2
        for table in tables:
            # The rules follow the name of the table and its chains.
            first = line + 1 + len(table.policies) + len(USER_CHAINS)
            accepted: list[Function] = []
            left = self._chain(table, "FORWARD", alive, accepted, first)
            if table.policies["FORWARD"] == "DROP":
                self.ends[Verdict.DROPPED] |= left
                left = self.packets.none
            alive = self.packets.any((left, *accepted))
            line = first + len(table.rules) + 1
        self.ends[Verdict.DELIVERED] = alive
        return self.ends

    def _chain(self, table: DrawnTable, chain: str, alive: Function, accepted: list[Function], first: int) -> Function:
        """The packets that come back from a chain."""
        back = self.packets.none
        for place, rule in table.rules_of(chain):
            walk = Walk(self.packets, f"iptables-save.txt:{first + place}", self.state, tuple(self.marks))
            matched = reduce(and_, (one.meaning(walk) for one in rule.conditions), alive)
            missed = alive & ~matched
            word, _, rest = rule.target.partition(" ")
            if rest in USER_CHAINS:
                returned = self._chain(table, rest, matched, accepted, first)
                if word == "-g":
                    back |= returned
                    alive = missed
                else:
                    alive = missed | returned
            elif rule.target in NEW_MARKS:
                self._mark(matched, *NEW_MARKS[rule.target])
            elif rule.target == "-j ACCEPT":
                accepted.append(matched)
                alive = missed
            elif rule.target == "-j RETURN":
                back |= matched
                alive = missed
            elif rule.target in ENDS:
                self.ends[ENDS[rule.target]] |= matched
                alive = missed
        return back | alive

    def _mark(self, matched: Function, value: int, mask: int) -> None:
        for weight, old in enumerate(self.marks):
            kept = self.packets.none if mask >> weight & 1 else old
            new = ~kept if value >> weight & 1 else kept
            self.marks[weight] = (matched & new) | (~matched & old)


# -- the comparison --------------------------------------------------------


def host_of(tables: Sequence[DrawnTable]) -> Host:
    """A host of which the save holds these tables, with no others of nftables, that has one address, 172.18.0.1."""
    header = "# Generated by iptables-save v1.8.13 (nf_tables) on Wed Nov 25 03:19:59 2026\n"
    documents = [
        Document("iptables-save.txt", (header + "".join(table.text for table in tables)).encode()),
        Document("nft-ruleset.txt", b""),
        Document("ip-addr.txt", b"1: br-1: <UP> mtu 1500\n    inet 172.18.0.1/16 scope global br-1\n"),
    ]
    host, gaps = lower_host("host", [(document, kind_of(document)) for document in documents])
    assert gaps == ()
    return host


def packets_of(state: str) -> PacketClass:
    """All that is forwarded from one bridge's subnet to the other's."""
    source, destination = (ip_network(text) for text in (SOURCES, DESTINATIONS))
    box = Box(
        source=RangeSet.of((int(source.network_address), int(source.broadcast_address))),
        destination=RangeSet.of((int(destination.network_address), int(destination.broadcast_address))),
    )
    return PacketClass(4, IN, OUT, bridged=False, box=box, state=state)


def engines_answer(packets: Packets, key: str) -> Function:
    """The bit of an answer as the engine names it: it tells the column too, and which condition of the rule it is."""
    return packets.answer(re.sub(r"(@ [^:]+:\d+):\d+ \d+$", r"\1", key.removeprefix("match ")))


def judged(packets: Packets, judgement: Judgement) -> Mapping[Verdict, Function]:
    """What becomes of all packets as the engine says. No packet may be in two outcomes for one set of answers."""
    found = dict.fromkeys(Verdict, packets.none)
    seen = packets.none
    for outcome in judgement.outcomes:
        here = packets.box(outcome.box)
        for assumption in outcome.assumptions:
            yes = engines_answer(packets, assumption.key)
            here &= yes if assumption.holds else ~yes
        assert here & seen == packets.none, outcome
        seen |= here
        found[outcome.verdict] |= here
    return found


def compare(tables: Sequence[DrawnTable], state: str) -> None:
    packets, asked = Packets(), packets_of(state)
    judgement = judge(firewall(host_of(tables), 4), asked)
    everything = packets.box(asked.box)
    expected = Oracle(packets, state).judge(tables, everything)
    found = judged(packets, judgement)
    assert {verdict for verdict in Verdict if found[verdict] != expected[verdict]} == set()
    for verdict in Verdict:
        sure = packets.whatever_is_answered(expected[verdict])
        shares = [share for share in judgement.shares(verdict) if not share.assumptions]
        boxes = [packets.box(box) for share in shares for box in share.boxes]
        assert packets.any(boxes) == sure
        assert judgement.extent(verdict) is extent(packets, expected[verdict], sure, everything)


def extent(packets: Packets, met: Function, sure: Function, everything: Function) -> Extent:
    if met == packets.none:
        return Extent.NONE
    if sure == everything:
        return Extent.ALL
    return Extent.UNKNOWN if sure == packets.none else Extent.SOME


@settings(
    derandomize=True,
    deadline=None,
    max_examples=300,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(drawn_tables(), st.sampled_from(("NEW", "ESTABLISHED", "INVALID")))
def test_the_sets_of_random_rules_are_exact(tables: tuple[DrawnTable, ...], state: str) -> None:
    compare(tables, state)
