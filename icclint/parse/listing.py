"""The output of ``iptables -L``: chains, and their rules in columns.

A row becomes the command that ``iptables -S`` prints for its rule, as far as the row tells it. Without ``-v`` it does
not show the interfaces, and without ``-n`` it shows names of addresses and services that only the host itself could
resolve: those are conditions that are there and not known. Shapes: iptables/xshared.c (print_header, print_fragment,
print_ifaces, print_rule_details) and iptables/iptables.c of iptables 1.4 to 1.8; 1.8.9 prints protocols as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from icclint.parse.dump import HIDDEN, Command, Option
from icclint.parse.grammar import parse
from icclint.source import Span

if TYPE_CHECKING:
    from lark import Token, Tree

    Branch = Tree[Token]

_COUNT = r"\d+[KMGTP]?"
CHAIN = re.compile(
    rf"\s*Chain (?P<chain>[^\s!-]\S*) \((?:policy (?P<policy>[A-Z]+)(?: {_COUNT} packets, {_COUNT} bytes)?"
    r"|\d+ references|ERROR obtaining refs)\)\s*"
)
"""The line above the rules of a chain."""
_HEADER = re.compile(
    r"\s*(?P<number>num\s+)?(?:pkts\s+bytes\s+)?target\s+prot\s+opt\s+(?P<interfaces>in\s+out\s+)?"
    r"source(?:\s+destination)?\s*"
)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a listing has only with ``--line-numbers``, and those that it has only with ``-v``."""

    number: bool
    verbose: bool


def columns_of(line: str) -> Columns | None:
    """The columns that a header names; None for any other line."""
    header = _HEADER.fullmatch(line)
    return Columns(header["number"] is not None, header["interfaces"] is not None) if header else None


class RowError(ValueError):
    """A line that is no row of a listing."""


def read_row(line: str, span: Span, chain: str, columns: Columns | None) -> tuple[Command, int | None]:
    """The rule that a row shows, and its family (4 or 6) if it shows an address, be it the one that stands for all.

    ``columns`` is None where the header is missing. Raises `RowError`.
    """
    row = _row(line, columns)
    options = (*_conditions(row), *_details(line, row))
    command = Command(
        kind="append",
        chain=chain,
        span=span,
        text=" ".join(["-A", chain, *(option.text for option in options)]),
        counters=_exact(row.counters),
        options=options,
    )
    return command, _family(row)


def is_read_in_full(row: Command) -> bool:
    """Whether all words of a row were understood."""
    return not any(_UNREAD in option.values for option in row.options)


@dataclass(frozen=True, slots=True)
class _Row:
    """The columns of a row. ``details`` is the index of the character at which the rest begins."""

    counters: tuple[str, ...]
    target: str | None
    protocol: str
    fragment: str | None
    interfaces: tuple[str, ...]
    source: str
    destination: str
    details: int


def _family(row: _Row) -> int | None:
    addresses = [word for word in (row.source, row.destination) if _ADDRESS.fullmatch(word)]
    families = [6 if ":" in address else 4 for address in addresses if "anywhere" not in address]
    return families[0] if families else None


_ANY_COLUMNS = tuple(Columns(number, verbose) for verbose, number in product((True, False), (False, True)))
_FRAGMENT = ("--", "-f", "!f")
_PROTOCOL = re.compile(r"!?[A-Za-z0-9][\w.+-]*")
_ADDRESS = re.compile(r"!?(?:[0-9A-Fa-f:.]+(?:/[0-9A-Fa-f:.]+)?|anywhere)")
_ADDRESS_OR_NAME = re.compile(r"!?[\w.:-]+(?:/[\w.:]+)?")


def _row(line: str, columns: Columns | None) -> _Row:
    """The row that a line is, in the first arrangement of columns that fits.

    A rule without a target leaves its column empty, and so do listings of IPv6 with the column ``opt``
    (iptables/xshared.c, print_fragment).
    """
    words = list(re.finditer(r"\S+", line))
    for some in (columns,) if columns else _ANY_COLUMNS:
        # With `opt` the rest is beyond doubt.
        for fragment, target in product((True, False), (True, False)):
            row = _arranged(words, some, target=target, fragment=fragment)
            if row is not None:
                return row
    raise RowError(line)


def _arranged(words: Sequence[re.Match[str]], columns: Columns, *, target: bool, fragment: bool) -> _Row | None:
    rest = [word[0] for word in words]
    number = [rest.pop(0) for _ in range(columns.number) if rest]
    counters = [rest.pop(0) for _ in range(2 * columns.verbose) if rest]
    needed = target + 1 + fragment + 2 * columns.verbose + 2
    if len(rest) < needed or not all(re.fullmatch(_COUNT, word) for word in number + counters):
        return None
    told = rest.pop(0) if target else None
    protocol = rest.pop(0)
    flag = rest.pop(0) if fragment else None
    interfaces = [rest.pop(0) for _ in range(2 * columns.verbose)]
    source, destination, *others = rest
    address = _ADDRESS_OR_NAME if fragment else _ADDRESS
    if not (
        _PROTOCOL.fullmatch(protocol)
        and (flag is None or flag in _FRAGMENT)
        and address.fullmatch(source)
        and address.fullmatch(destination)
    ):
        return None
    details = words[len(words) - len(others) - 1].end()
    return _Row(tuple(counters), told, protocol, flag, tuple(interfaces), source, destination, details)


def _exact(counters: Sequence[str]) -> tuple[int, int] | None:
    # Without -x, what is larger than 99999 is rounded (libxtables, xtables_print_num), and no counter has more than
    # 64 bits.
    numbers = [int(word) for word in counters if re.fullmatch(r"[0-9]{1,20}", word)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _option(name: str, keyword: str, *values: str, negated: bool = False, text: str | None = None) -> Option:
    spelt = " ".join([*(["!"] if negated else []), keyword, *values])
    return Option(name, keyword, negated, values, True, text or spelt)


def _conditions(row: _Row) -> Iterator[Option]:
    """The conditions that have columns of their own, in the order in which ``iptables -S`` prints them."""
    yield from _address("source", "-s", row.source)
    yield from _address("destination", "-d", row.destination)
    if row.interfaces:
        yield from _interface("in_interface", "-i", row.interfaces[0])
        yield from _interface("out_interface", "-o", row.interfaces[1])
    else:
        yield _option(HIDDEN, "-i", text="[interfaces not shown]")
    negated, protocol = _negation(row.protocol)
    if negated or protocol not in ("0", "all"):
        yield _option("protocol", "-p", _PROTOCOLS.get(protocol, protocol), negated=negated)
    if row.fragment is not None and row.fragment != "--":
        yield _option("fragment", "-f", negated=row.fragment.startswith("!"))


# As `iptables -S` prints them whatever /etc/protocols says (libxtables, xtables_chain_protos).
_PROTOCOLS = {
    "1": "icmp", "6": "tcp", "17": "udp", "33": "dccp", "50": "esp", "51": "ah", "58": "ipv6-icmp", "132": "sctp",
    "136": "udplite",
}  # fmt: skip


def _negation(text: str) -> tuple[bool, str]:
    return text.startswith("!"), text.removeprefix("!")


def _address(name: str, keyword: str, word: str) -> Iterator[Option]:
    negated, address = _negation(word)
    if address == "anywhere" or not _ADDRESS.fullmatch(address):
        if address != "anywhere" or negated:
            yield _option(HIDDEN, keyword, address, negated=negated)
    elif negated or address not in ("0.0.0.0/0", "::/0"):
        length = "" if "/" in address else "/128" if ":" in address else "/32"
        yield _option(name, keyword, address + length, negated=negated)


def _interface(name: str, keyword: str, word: str) -> Iterator[Option]:
    negated, interface = _negation(word)
    # What stands for all is `*` with -n, and `any` without.
    if negated or interface not in ("*", "any"):
        yield _option(name, keyword, interface, negated=negated)


_UNREAD = "[unread]"


@dataclass(slots=True)
class _Rule:
    """What the words behind the columns say, while they are read: conditions first, then what the target is told."""

    target: str
    loaded: str | None = None
    conditions: list[Option] = field(default_factory=list)
    orders: list[Option] = field(default_factory=list)

    def match(self, module: str, name: str, keyword: str, *values: str, negated: bool) -> None:
        self.load(module)
        self.conditions.append(_option(name, keyword, *values, negated=negated))

    def load(self, module: str) -> None:
        if self.loaded != module:
            self.conditions.append(_option("module", "-m", module))
            self.loaded = module

    def order(self, targets: Sequence[str], words: Sequence[str], keyword: str, *values: str) -> None:
        if self.target not in targets:
            raise RowError(keyword)
        name = "set_mark" if self.target == "MARK" else "notrack" if keyword == "--notrack" else "other"
        text = None if values or keyword in _BARE else f"[{' '.join(words)}]"
        self.orders.append(_option(name, keyword, *values, text=text))

    def unread(self, words: Sequence[str]) -> None:
        text = " ".join(words)
        self.conditions.append(_option("module", "-m", _UNREAD, text=f"[{text}]"))
        if self.target in _TOLD:
            self.orders.append(_option("other", _UNREAD, text=f"[{text}]"))


# Options that have no value; of others without one it was not worth reading.
_BARE = ("--notrack", "--random", "--random-fully", "--persistent")
# Targets whose options decide what becomes of the packet.
_TOLD = ("CONNMARK", "CT", "DNAT", "HL", "MARK", "MASQUERADE", "NETMAP", "REDIRECT", "SET", "SNAT", "TTL")


def _details(line: str, row: _Row) -> tuple[Option, ...]:
    """The matches that a row shows behind its columns, its target, and what the target is told."""
    rule = _Rule(row.target or "")
    clear, doubtful = _clear_part(line[row.details :])
    jump = "jump"
    try:
        for part in _parsed(clear):
            words = [str(token) for token in ([part] if isinstance(part, str) else part.children)]
            # A token is a str, and a tree is not.
            if isinstance(part, str):
                jump = "goto"
            elif part.data == "unread":
                rule.unread(words)
            else:
                _READERS[str(part.data)](rule, words)
    except ValueError:
        rule = _Rule(rule.target)
        doubtful = line[row.details :]
    if doubtful.strip():
        rule.unread([doubtful.strip()])
    if row.target is None:
        return tuple(rule.conditions)
    keyword = "-g" if jump == "goto" else "-j"
    return (*rule.conditions, _option(jump, keyword, row.target), *rule.orders)


def _clear_part(text: str) -> tuple[str, str]:
    """The part before a comment that may end early, or hold another one: what is a comment in it, nobody can tell."""
    if text.count("/*") > 1 or text.count("*/") > 1:
        start = text.find("/*")
        return (text[:start], text[start:]) if start >= 0 else ("", text)
    return text, ""


def _parsed(text: str) -> list[Branch | Token]:
    return parse("listing", text).children


def _spelt(words: Sequence[str]) -> tuple[bool, str]:
    """The negation and the value behind a keyword."""
    return words[1] == "!", words[-1]


def _port(name: str, keyword: str) -> Callable[[_Rule, Sequence[str]], None]:
    def read(rule: _Rule, words: Sequence[str]) -> None:
        if rule.loaded not in _WITH_PORTS:
            raise RowError(keyword)
        _ports(rule, rule.loaded, words, name, keyword)

    return read


def _multiport(name: str, keyword: str) -> Callable[[_Rule, Sequence[str]], None]:
    return lambda rule, words: _ports(rule, "multiport", words, name, keyword)


def _ports(rule: _Rule, module: str, words: Sequence[str], name: str, keyword: str) -> None:
    negated, value = _spelt(words)
    numbers = re.sub(r"[A-Za-z][\w.+-]*|\d+[A-Za-z][\w.+-]*", lambda name: SERVICES.get(name[0], name[0]), value)
    shape = re.fullmatch(r"[0-9:,]+", numbers)
    rule.match(module, name if shape else HIDDEN, keyword, numbers, negated=negated)


_WITH_PORTS = ("tcp", "udp", "udplite", "sctp", "dccp")
SERVICES: Mapping[str, str] = {
    "ftp-data": "20", "ftp": "21", "ssh": "22", "telnet": "23", "smtp": "25", "domain": "53", "bootps": "67",
    "bootpc": "68", "tftp": "69", "http": "80", "pop3": "110", "sunrpc": "111", "ntp": "123", "netbios-ns": "137",
    "netbios-dgm": "138", "netbios-ssn": "139", "snmp": "161", "bgp": "179", "ldap": "389", "https": "443",
    "microsoft-ds": "445", "isakmp": "500", "submission": "587", "ldaps": "636", "imaps": "993", "pop3s": "995",
    "openvpn": "1194", "mysql": "3306", "postgresql": "5432", "mdns": "5353",
}  # fmt: skip
"""Service names that stand for one port in every protocol and in every /etc/services, by IANA's registry.

Others are left unknown: ``http-alt`` is 8080 on one host and 8008 on another, ``syslog`` and ``shell`` share 514.
"""


def _flags(rule: _Rule, words: Sequence[str]) -> None:
    negated, value = _spelt(words)
    mask, _, flags = value.partition("/")
    rule.match("tcp", "tcp_flags", "--tcp-flags", _flag_names(mask), _flag_names(flags), negated=negated)


_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def _flag_names(text: str) -> str:
    if not text.startswith("0x"):
        return text
    bits = int(text, 16)
    if bits >= 1 << len(_FLAGS):
        raise RowError(text)
    return ",".join(name for bit, name in enumerate(_FLAGS) if bits & (1 << bit)) or "NONE"


def _icmp(rule: _Rule, words: Sequence[str]) -> None:
    coded = words.index("code") if "code" in words else None
    negated, kind = _spelt(words[:coded])
    value = kind if coded is None else f"{kind}/{words[-1]}"
    if words[0] in ("icmptype", "icmp"):
        # 255 is any of them (net/ipv4/netfilter/ip_tables.c, icmp_type_code_match).
        value = "any" if value == "255" else value
        rule.match("icmp", "icmp_type", "--icmp-type", value, negated=negated)
    else:
        rule.match("icmp6", "icmp_type", "--icmpv6-type", value, negated=negated)


def _simple(module: str, name: str, keyword: str) -> Callable[[_Rule, Sequence[str]], None]:
    def read(rule: _Rule, words: Sequence[str]) -> None:
        negated, value = _spelt(words)
        rule.match(module, name, keyword, value, negated=negated)

    return read


def _state(rule: _Rule, words: Sequence[str]) -> None:
    negated = words[0].startswith("!")
    module, keyword = ("conntrack", "--ctstate") if words[0].endswith("ctstate") else ("state", "--state")
    rule.match(module, "state", keyword, words[1], negated=negated)


def _physdev(name: str) -> Callable[[_Rule, Sequence[str]], None]:
    def read(rule: _Rule, words: Sequence[str]) -> None:
        values = words[1:]
        keyword = f"--{name.replace('_', '-')}"
        rule.match("physdev", name, keyword, *values, negated="!" in words[0])

    return read


def _limit_interface(rule: _Rule, words: Sequence[str]) -> None:
    if rule.loaded != "addrtype":
        raise RowError(words[0])
    side = words[0].rpartition("-")[2]
    rule.match("addrtype", "other", f"--limit-iface-{side}", negated=False)


def _match_set(rule: _Rule, words: Sequence[str]) -> None:
    values = words[1:]
    rule.match("set", "other", "--match-set", *values, negated=words[0].startswith("!"))


def _limit(rule: _Rule, words: Sequence[str]) -> None:
    rule.match("limit", "other", "--limit", words[1], negated=False)
    rule.match("limit", "other", "--limit-burst", words[3], negated=False)


def _comment(rule: _Rule, words: Sequence[str]) -> None:
    said = words[0].removeprefix("/*").removesuffix("*/").removeprefix(" ").removesuffix(" ")
    rule.load("comment")
    quoted = re.sub(r"([\\\"'])", r"\\\1", said)
    text = f"--comment {said}" if re.fullmatch(r"[\w-]+", said, re.ASCII) else f'--comment "{quoted}"'
    rule.conditions.append(_option("text", "--comment", said, text=text))


def _to(rule: _Rule, words: Sequence[str]) -> None:
    keyword = {"DNAT": "--to-destination", "SNAT": "--to-source"}.get(rule.target, "--to")
    rule.order(("DNAT", "SNAT", "NETMAP"), words, keyword, words[1])


def _set_mark(rule: _Rule, words: Sequence[str]) -> None:
    how = words[0].removeprefix("MARK ")
    # What is printed as `set` has every bit in its mask (extensions/libxt_MARK.c, mark_tg_print).
    keyword = {"set": "--set-xmark", "xset": "--set-xmark"}.get(how, f"--{how}-mark")
    rule.order(("MARK",), words, keyword, words[1] + ("/0xffffffff" if how == "set" else ""))


def _connmark(rule: _Rule, words: Sequence[str]) -> None:
    how = words[0].split()[1]
    keyword = {"set": "--set-xmark", "xset": "--set-xmark"}.get(how, f"--{how}-mark")
    rule.order(("CONNMARK",), words, keyword)


_SPREAD = ("DNAT", "SNAT", "MASQUERADE", "REDIRECT")
_READERS: Mapping[str, Callable[[_Rule, Sequence[str]], None]] = {
    "protocol": lambda rule, words: rule.load(words[0]),
    "source_port": _port("source_port", "--sport"),
    "destination_port": _port("destination_port", "--dport"),
    "tcp_flags": _flags,
    "icmp_type": _icmp,
    "multiport_source": _multiport("multiport_source", "--sports"),
    "multiport_destination": _multiport("multiport_destination", "--dports"),
    "multiport_either": _multiport("multiport_either", "--ports"),
    "source_range": _simple("iprange", "source_range", "--src-range"),
    "destination_range": _simple("iprange", "destination_range", "--dst-range"),
    "state": _state,
    "source_type": _simple("addrtype", "source_type", "--src-type"),
    "destination_type": _simple("addrtype", "destination_type", "--dst-type"),
    "limit_interface": _limit_interface,
    "mark": _simple("mark", "mark", "--mark"),
    "physdev_in": _physdev("physdev_in"),
    "physdev_out": _physdev("physdev_out"),
    "physdev_is_in": _physdev("physdev_is_in"),
    "physdev_is_out": _physdev("physdev_is_out"),
    "physdev_is_bridged": _physdev("physdev_is_bridged"),
    "match_set": _match_set,
    "limit": _limit,
    "comment": _comment,
    "reject_with": lambda rule, words: rule.order(("REJECT",), words, "--reject-with", words[1]),
    "to": _to,
    "to_ports": lambda rule, words: rule.order(("REDIRECT", "MASQUERADE"), words, "--to-ports", words[1]),
    "spread": lambda rule, words: rule.order(_SPREAD, words, f"--{words[0]}"),
    "set_mark": _set_mark,
    "connmark": _connmark,
    # What is logged changes no verdict.
    "log": lambda rule, words: rule.order(
        ("LOG", "NFLOG"), words, "--log-prefix" if rule.target == "LOG" else "--nflog-prefix"
    ),
    "notrack": lambda rule, words: rule.order(("CT", "NOTRACK"), words, "--notrack"),
}
"""How each detail of the grammar becomes options of ``iptables -S``."""
