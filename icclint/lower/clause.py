"""The options of a rule to what they ask for and what is done then, clause by clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from icclint.ir import match as ir
from icclint.lower.options import OptionTable, Support, option_table, plain_keyword
from icclint.lower.rewrite import rewrite_ends
from icclint.lower.values import (
    NUMBER,
    PROTOCOLS,
    address_number,
    ordered,
    protocol_number,
    range_of_ports,
    range_of_subnet,
)
from icclint.parse.dump import HIDDEN, Option

_MATCH_OF_PROTOCOL = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmp6", 132: "sctp", 136: "udplite"}
"""The match that `-p` loads without `-m` (iptables/xshared.c, find_proto)."""

_ICMP_NAMES: dict[int, dict[str, tuple[int, int | None]]] = {
    4: {
        "echo-reply": (0, None), "pong": (0, None), "destination-unreachable": (3, None),
        "network-unreachable": (3, 0), "host-unreachable": (3, 1), "protocol-unreachable": (3, 2),
        "port-unreachable": (3, 3), "fragmentation-needed": (3, 4), "source-quench": (4, None),
        "redirect": (5, None), "echo-request": (8, None), "ping": (8, None), "router-advertisement": (9, None),
        "router-solicitation": (10, None), "time-exceeded": (11, None), "ttl-exceeded": (11, None),
        "parameter-problem": (12, None), "timestamp-request": (13, None), "timestamp-reply": (14, None),
        "address-mask-request": (17, None), "address-mask-reply": (18, None),
    },
    6: {
        "destination-unreachable": (1, None), "packet-too-big": (2, None), "time-exceeded": (3, None),
        "ttl-exceeded": (3, None), "parameter-problem": (4, None), "echo-request": (128, None), "ping": (128, None),
        "echo-reply": (129, None), "pong": (129, None), "router-solicitation": (133, None),
        "router-advertisement": (134, None), "neighbour-solicitation": (135, None),
        "neighbor-solicitation": (135, None), "neighbour-advertisement": (136, None),
        "neighbor-advertisement": (136, None), "redirect": (137, None),
    },
}  # fmt: skip

_TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
_STATES = frozenset(("INVALID", "NEW", "ESTABLISHED", "RELATED", "UNTRACKED", "SNAT", "DNAT"))
_ADDRESS_TYPES = frozenset(
    (
        "UNSPEC",
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "ANYCAST",
        "MULTICAST",
        "BLACKHOLE",
        "UNREACHABLE",
        "PROHIBIT",
        "THROW",
        "NAT",
        "XRESOLVE",
    )
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the meaning of a rule hangs on besides its own text.

    ``targets`` are all that rules of this family jump to.
    """

    family: int
    variant: str | None
    table: str
    targets: frozenset[str] = frozenset()


@dataclass
class Clause:
    """Options that have a meaning together: those of a match extension or of the target, or one of iptables' own.

    ``owner`` is that of options.toml, ``head`` the option that names the extension, where one does.
    """

    owner: str
    head: Option | None = None
    options: list[Option] = field(default_factory=list)

    @property
    def pieces(self) -> list[Option]:
        """All of its options, as they were written."""
        return [self.head, *self.options] if self.head is not None else self.options


def clauses_of(options: Iterable[Option]) -> list[Clause]:
    """The clauses of a rule, in the order in which the kernel asks them: iptables' own options first.

    (net/ipv4/netfilter/ip_tables.c, ip_packet_match)
    """
    known = option_table()
    general: list[Clause] = []
    clauses: list[Clause] = []
    for option in options:
        keyword = plain_keyword(option.keyword)
        if option.name == "module":
            clauses.append(Clause(f"match.{option.values[0]}", option))
        elif option.name in ("jump", "goto"):
            clauses.append(Clause(f"target.{option.values[0]}", option))
        elif known.support("command", keyword) is not Support.UNRECOGNISED:
            general.append(Clause("command", options=[option]))
        else:
            _owner(general, clauses, keyword, known).options.append(option)
    return general + clauses


def _owner(general: list[Clause], clauses: list[Clause], keyword: str, known: OptionTable) -> Clause:
    """The clause that an option belongs to: the last one loaded that knows it, as in iptables' own parser."""
    for clause in reversed(clauses):
        if known.support(clause.owner, keyword) is not Support.UNRECOGNISED:
            return clause
    # `-p tcp` loads the protocol's own match without `-m`.
    protocol = next((o.values[0] for clause in general for o in clause.options if o.name == "protocol"), "")
    number = int(protocol) if NUMBER.fullmatch(protocol) else PROTOCOLS.get(protocol.lower(), 0)
    name = _MATCH_OF_PROTOCOL.get(number, "")
    if known.support(f"match.{name}", keyword) is not Support.UNRECOGNISED:
        clauses.append(Clause(f"match.{name}"))
    elif not clauses:
        clauses.append(Clause("command"))
    return clauses[-1]


def matches_of(clause: Clause, around: Surroundings) -> Iterator[ir.Match]:
    """What a clause asks for. What is not understood becomes opaque, never nothing."""
    if clause.owner.startswith("target."):
        return
    known = option_table()
    told = [(option, known.support(clause.owner, plain_keyword(option.keyword))) for option in clause.options]
    modelled = [option for option, support in told if support is Support.MODELLED]
    unmodelled = [(option, support) for option, support in told if support not in (Support.MODELLED, Support.NO_EFFECT)]
    opaque = [option for option, _ in unmodelled]
    states: set[Support] = {support for _, support in unmodelled}
    if not clause.options and clause.head is not None:
        states = {known.bare(clause.owner)} - {Support.MODELLED, Support.NO_EFFECT}
    elif clause.owner != "command" and states and (known.is_entangled(clause.owner) or Support.UNRECOGNISED in states):
        # What one option says may change the meaning of its neighbours, so that all of them are one unknown.
        modelled, opaque = [], clause.options
    if _ports_may_be_merged(clause):
        modelled, opaque, states = [], clause.options, {Support.PER_PACKET}
    for option in modelled:
        yield from _one_match(option, around)
    if states:
        # Table raw comes before connection tracking and routing, so that the same text may mean another thing there.
        steady = states == {Support.PER_PACKET} and around.table != "raw"
        per_packet = steady and not known.written_by(clause.owner) & around.targets
        question = None if known.written_by(clause.owner) & around.targets else _question(clause, opaque)
        yield _opaque(clause, opaque, per_packet=per_packet, question=question)


_SIDES: dict[str, Literal["source", "destination"]] = {"src": "source", "dst": "destination"}


def _question(clause: Clause, options: list[Option]) -> ir.SetQuestion | None:
    """What a match asks a set, where it asks nothing else (counters, members that are excepted)."""
    if clause.owner != "match.set" or len(options) != 1 or len(options[0].values) != 2:
        return None
    name, flags = options[0].values
    words = flags.split(",")
    if plain_keyword(options[0].keyword) not in ("--match-set", "--set") or not _SIDES.keys() >= set(words):
        return None
    return ir.SetQuestion(name=name, sides=tuple(_SIDES[word] for word in words))


def _opaque(
    clause: Clause,
    options: list[Option],
    *,
    per_packet: bool,
    question: ir.SetQuestion | None = None,
) -> ir.OpaqueMatch:
    """Some options of one match, which say one thing together."""
    pieces = ([clause.head] if clause.head else []) + options
    text = " ".join(piece.text for piece in pieces)
    # A lone negated option is the opposite of the same option without its `!`. It is not where the match asks for
    # more than its option does: both `--ahspi 1` and `! --ahspi 1` are false where there is no such header.
    negated = len(options) == 1 and options[0].negated and option_table().bare(clause.owner) is not Support.PER_PACKET
    return ir.OpaqueMatch(
        negated=negated,
        text=text.replace("! ", "", 1) if negated else text,
        per_packet=per_packet,
        question=question,
    )


def _ports_may_be_merged(clause: Clause) -> bool:
    """Whether the kernel may hold another rule than the dump prints: one for two negated ports.

    iptables-nft 1.8.8 to 1.8.10 compares two single ports at once, so that the rule matches where either differs, not
    where both do (iptables/nft.c, add_nft_tcpudp). Dumps of all versions print such a rule alike.
    """
    ports = [option for option in clause.options if option.name in ("source_port", "destination_port")]
    single = [option for option in ports if option.negated and ":" not in option.values[0]]
    return clause.owner in ("match.tcp", "match.udp") and len(single) == 2


def shown_with(around: Surroundings) -> str:
    """The command that shows all of a rule, where a dump does not."""
    tool = "iptables" if around.family == 4 else "ip6tables"
    return f"{tool} {'' if around.table == 'filter' else f'-t {around.table} '}-S"


def _one_match(option: Option, around: Surroundings) -> Iterator[ir.Match]:
    common: dict[str, Any] = {
        "negated": option.negated,
        "text": option.text,
    }
    if option.name == HIDDEN:
        # The same name is the same address wherever it stands; of interfaces nothing at all is shown.
        steady = bool(option.values)
        yield ir.OpaqueMatch(**(common | {"negated": False}), per_packet=steady, shown_with=shown_with(around))
        return
    try:
        if not option.typed:
            raise ValueError(option.values[0])
        yield from _modelled(option, around.family, common)
    except ValueError:
        # Negation is part of the text here, so the unknown answer already includes it.
        yield ir.OpaqueMatch(**(common | {"negated": False}), per_packet=True)


def _modelled(option: Option, family: int, common: dict[str, Any]) -> Iterator[ir.Match]:
    value = option.values[0] if option.values else ""
    # Names of the grammar's rules, which the models check again.
    side: Any
    what: Any
    match option.name:
        case "source" | "destination":
            subnets = value.split(",")
            if option.negated and len(subnets) > 1:
                raise ValueError(value)
            ranges = tuple(range_of_subnet(text, family) for text in subnets)
            yield ir.AddressMatch(side=option.name, ranges=ranges, **common)
        case "source_range" | "destination_range":
            side = option.name.removesuffix("_range")
            first, _, last = value.partition("-")
            ends = (address_number(first, family), address_number(last or first, family))
            yield ir.AddressMatch(side=side, ranges=(ordered(*ends),), **common)
        case "in_interface" | "out_interface":
            side = option.name.removesuffix("_interface")
            yield ir.InterfaceMatch(side=side, pattern=value, **common)
        case "protocol":
            if value not in ("all", "ip", "0"):
                yield ir.ProtocolMatch(number=protocol_number(value), **common)
            elif option.negated:
                raise ValueError(value)
        case "source_port" | "destination_port":
            side = option.name.removesuffix("_port")
            yield ir.PortMatch(side=side, ranges=(range_of_ports(value),), **common)
        case "multiport_source" | "multiport_destination" | "multiport_either":
            side = option.name.removeprefix("multiport_")
            yield ir.PortMatch(side=side, ranges=tuple(range_of_ports(part) for part in value.split(",")), **common)
        case "icmp_type":
            # Type 255 is every type to ipt_icmp.c.
            if value not in (("any", "255") if family == 4 else ()):
                kind, code = _icmp(value, family)
                yield ir.IcmpMatch(type=kind, code=code, **common)
            elif option.negated:
                raise ValueError(value)
        case "tcp_flags":
            mask, flags = (_flags(word) for word in option.values)
            yield ir.TcpFlagsMatch(mask=mask, flags=flags, **common)
        case "syn":
            yield ir.TcpFlagsMatch(mask=_flags("FIN,SYN,RST,ACK"), flags=_flags("SYN"), **common)
        case "state":
            yield ir.StateMatch(states=_words(value, _STATES), **common)
        case "source_type" | "destination_type":
            side = option.name.removesuffix("_type")
            types = _words(value, _ADDRESS_TYPES)
            if family == 6 and len(types) > 1:
                # IPv4 asks whether an address is of any of the types, IPv6 now and then of all (xt_addrtype.c).
                raise ValueError(value)
            yield ir.AddressTypeMatch(side=side, types=types, **common)
        case "mark":
            number, mask = _number_and_mask(value)
            yield ir.MarkMatch(value=number, mask=mask, **common)
        case "physdev_in" | "physdev_out":
            what = option.name.removeprefix("physdev_")
            yield ir.PhysdevMatch(what=what, pattern=value, **common)
        case "physdev_is_in" | "physdev_is_out" | "physdev_is_bridged":
            what = option.name.removeprefix("physdev_").replace("_", "-")
            yield ir.PhysdevMatch(what=what, **common)
        case "fragment":
            yield ir.FragmentMatch(**common)
        case _:
            raise ValueError(option.name)


def target_of(chain: str, clauses: Sequence[Clause], around: Surroundings) -> ir.Target:
    """What a rule of a chain does with the packets that it matches."""
    known = option_table()
    targets = [clause for clause in clauses if clause.head is not None and clause.head.name in ("jump", "goto")]
    if not targets:
        strange = any(
            known.support(clause.owner, plain_keyword(option.keyword)) is Support.UNRECOGNISED
            for clause in clauses
            for option in clause.options
        )
        # iptables-nft prints a rule that nftables itself made, with a map of verdicts, as a bare `-A CHAIN`.
        native = not clauses and around.variant != "legacy"
        # An option that we do not know may be the target itself, abbreviated as getopt allows.
        kind = ir.UnknownTarget if strange or native else ir.Continue
        return kind(text="")
    clause = targets[-1]
    head = clause.head
    assert head is not None
    common: dict[str, Any] = {"text": " ".join(piece.text for piece in clause.pieces)}
    name = head.values[0]
    if len(targets) > 1:
        return ir.UnknownTarget(**common)
    if head.name == "goto":
        return ir.Goto(chain=name, **common)
    verdict = known.verdict(name, {option.keyword for option in clause.options})
    if verdict is None:
        return ir.UnknownTarget(**common) if clause.options else ir.Jump(chain=name, **common)
    if any(known.support(clause.owner, option.keyword) is Support.UNRECOGNISED for option in clause.options):
        return ir.UnknownTarget(**common)
    if verdict.startswith("rewrite"):
        ends = rewrite_ends(name, {o.keyword: o.values[0] for o in clause.options if o.values}, around.family)
        return _rewrite(verdict, chain, common | ends)
    return _extension(verdict, clause, common)


# Verdicts of options.toml that no option has a word on.
_PLAIN: dict[str, type[ir.Target]] = {
    "accept": ir.Accept,
    "drop": ir.Drop,
    "reject": ir.Reject,
    "return": ir.Return,
    "continue": ir.Continue,
    "no-track": ir.NoTrack,
    "forget-mark": ir.ForgetMark,
}


def _extension(verdict: str, clause: Clause, common: dict[str, Any]) -> ir.Target:
    match verdict:
        case "set-mark":
            return _set_mark(clause, common)
        case "set-ttl":
            return _set_ttl(clause, common)
        case _:
            return _PLAIN.get(verdict, ir.UnknownTarget)(**common)


def _rewrite(verdict: str, chain: str, common: dict[str, Any]) -> ir.Target:
    """Of NETMAP the hook says which end it is (net/netfilter/xt_NETMAP.c); a user's chain may be called by any."""
    if verdict == "rewrite-source" or (verdict == "rewrite-prefix" and chain in ("POSTROUTING", "INPUT")):
        return ir.Rewrite(of="source", **common)
    if verdict == "rewrite-destination" or chain in ("PREROUTING", "OUTPUT"):
        return ir.Rewrite(of="destination", **common)
    return ir.UnknownTarget(text=common["text"])


def _set_ttl(clause: Clause, common: dict[str, Any]) -> ir.Target:
    """The kernel throws a packet away whose TTL is 1 where it is to be forwarded."""
    said = {option.keyword.rpartition("-")[2]: option.values[0] for option in clause.options if option.values}
    lives = "inc" in said or (NUMBER.fullmatch(said.get("set", "")) and int(said["set"]) > 1)
    return ir.Continue(**common) if lives else ir.UnknownTarget(**common)


def _set_mark(clause: Clause, common: dict[str, Any]) -> ir.Target:
    """The value and mask that libxt_MARK.c gives the kernel for each of its options."""
    for option in clause.options:
        if option.name != "set_mark" or not option.typed:
            continue
        try:
            value, mask = _number_and_mask(option.values[0])
        except ValueError:
            break
        match option.keyword:
            case "--set-mark":
                mask |= value
            case "--and-mark":
                value, mask = 0, ~value & 0xFFFFFFFF
            case "--or-mark":
                mask = value
            case "--xor-mark":
                mask = 0
        return ir.SetMark(value=value, mask=mask, **common)
    return ir.ForgetMark(**common)


def comment_of(clauses: Iterable[Clause]) -> str | None:
    """What the comments of a rule say."""
    comments = [o.values[0] for clause in clauses for o in clause.options if o.keyword == "--comment"]
    return " ".join(comments) if comments else None


def _icmp(text: str, family: int) -> tuple[int, int | None]:
    if text in _ICMP_NAMES[family]:
        return _ICMP_NAMES[family][text]
    kind, slash, code = text.partition("/")
    if not NUMBER.fullmatch(kind) or (slash and not NUMBER.fullmatch(code)) or max(int(kind), int(code or 0)) > 255:
        raise ValueError(text)
    return int(kind), int(code) if slash else None


def _flags(text: str) -> int:
    bits = 0
    for word in text.split(","):
        if word not in _TCP_FLAGS:
            raise ValueError(text)
        bits |= _TCP_FLAGS[word]
    return bits


def _words(text: str, allowed: frozenset[str]) -> frozenset[str]:
    words = frozenset(text.split(","))
    if not words <= allowed:
        raise ValueError(text)
    return words


def _number_and_mask(text: str) -> tuple[int, int]:
    value, _, mask = text.partition("/")
    numbers = int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
    if max(numbers) > 0xFFFFFFFF:
        raise ValueError(text)
    return numbers
