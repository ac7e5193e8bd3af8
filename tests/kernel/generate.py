"""Small random rulesets, and packets for them."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from icclint.ir.ruleset import BUILT_IN_CHAINS
from icclint.packets.packet import SYN, TCP, UDP
from tests.kernel.lab import HOOKS, HOST, HOST_ROUTES, MOST, ROUTES, STATIONS, WORLD, A, B, C, Probe, Route, probe
from tests.kernel.vocabulary import DCCP, GRE, ICMPS, SCTP, UDPLITE, gateway, words

ALL_HOOKS = {table: BUILT_IN_CHAINS[table] for table in HOOKS}
USER_CHAINS = ("ONE", "TWO", "THREE")
"""Each may call those behind it."""
PORTS = (1, 53, 80, 81, 443, 1000, 1024, 65535)
PORT_RANGES = ("53", "80", "80:81", ":1023", "1024:", "1000:1024")
PORT_LISTS = ("53", "80,443", "1:80,1000", "53,81:1024")
MARKS = ("0x0", "0x1", "0x2", "0x3", "0x1/0x1", "0x0/0x2", "0x10/0xf0")
NEW_MARKS = (
    "--set-mark 0x1", "--set-mark 0x10", "--set-mark 0x2/0x3", "--set-xmark 0x3/0x1",
    "--and-mark 0xfe", "--or-mark 0x12", "--xor-mark 0x3",
)  # fmt: skip
FLAGS = ("ALL SYN", "SYN,ACK SYN", "ALL NONE", "FIN,RST NONE", "ALL ALL")
STATES = ("NEW", "INVALID", "UNTRACKED", "ESTABLISHED", "NEW,UNTRACKED", "RELATED,ESTABLISHED", "INVALID,NEW")
ICMP_TYPES = {4: ("8", "0", "8/0", "3/3", "any"), 6: ("128", "129", "128/0", "1/4", "135")}
ICMP_KINDS = {4: ((8, 0), (8, 1), (0, 0), (3, 3), (13, 0)), 6: ((128, 0), (128, 1), (129, 0), (1, 4), (135, 0))}


@st.composite
def rulesets(draw: DrawFn, family: int) -> str:
    """Rules in all tables."""
    # The host's answers to what it rejects pass OUTPUT and POSTROUTING, where they may be dropped, and are counted.
    rejects = draw(st.booleans())
    # To `judge`, which asks for no ports of bridges, each rule about them forks every packet.
    kinds = sorted(_KINDS.keys() - ({"port of a bridge"} if draw(st.integers(0, 3)) else set()))
    lines: list[str] = []
    for table, hooks in ALL_HOOKS.items():
        lines += [f"*{table}", *(f":{chain} -" for chain in USER_CHAINS)]
        busy = [hook for hook in hooks if not (rejects and hook in ("OUTPUT", "POSTROUTING"))]
        # Most packets should get as far as filter.
        drops = {"filter": 3, "nat": 0}.get(table, 1)
        lines += [f":{hook} {'DROP' if draw(st.integers(0, 9)) < drops else 'ACCEPT'}" for hook in busy]
        least, most = (3, 8) if table == "filter" else (1, 3)
        for chain in (*busy, *USER_CHAINS):
            for _ in range(draw(st.integers(least, most))):
                lines.append(f"-A {chain} {draw(_rule(family, table, chain, kinds, rejects))}")
    return "\n".join(lines)


@st.composite
def _rule(draw: DrawFn, family: int, table: str, chain: str, kinds: Sequence[str], rejects: bool) -> str:
    asked = draw(st.lists(st.sampled_from(kinds), min_size=draw(st.integers(0, 1)), max_size=2, unique=True))
    matches = " ".join(draw(_KINDS[kind](family, chain)) for kind in asked)
    # iptables-nft prints what it cannot read as a rule without anything, so there is always something.
    targets = ["" if asked else "-j LOG", "-j LOG", *(f"-j MARK {mark}" for mark in NEW_MARKS)]
    if asked:
        targets += ["-j ACCEPT", "-j RETURN"] * 2
        targets += ["-j DROP"] if table != "nat" else []
    if table == "raw":
        targets += ["-j NOTRACK", "-j CT --notrack"]
    if table == "nat":
        # Nobody knows by which port a bridge sends what has a new destination.
        targets += _translations(family, chain, named="-p " in matches) if "port of a bridge" not in kinds else []
    if table == "filter" and rejects and asked:
        targets += ["-j REJECT"] * 2
        if "-p tcp" in matches and "! -p tcp" not in matches:
            targets.append("-j REJECT --reject-with tcp-reset")
    callable_chains = USER_CHAINS[USER_CHAINS.index(chain) + 1 :] if chain in USER_CHAINS else USER_CHAINS
    targets += [f"{jump} {called}" for called in callable_chains for jump in ("-j", "-j", "-g")]
    return f"{matches} {draw(st.sampled_from(targets))}"


def _translations(family: int, chain: str, named: bool) -> list[str]:
    """New ends, of those protocols only that the host answers with silence where it is one of them."""
    own, *others = (str(ip_address(station.addresses[family][0])) for station in (HOST, B, C, WORLD))
    if chain == "POSTROUTING":
        return ["-j MASQUERADE", f"-j SNAT --to-source {own}"]
    if chain not in ("PREROUTING", "OUTPUT"):
        return []
    served = f"{own}:80" if family == 4 else f"[{own}]:80"
    to_host = ["-p udp -j REDIRECT --to-ports 8080", f"-p udp -j DNAT --to-destination {served}"] if not named else []
    prefix = f"{others[0]}/{31 if family == 4 else 127}"
    return [*to_host, f"-j NETMAP --to {prefix}", *(f"-j DNAT --to-destination {address}" for address in others)]


@st.composite
def _pattern(draw: DrawFn, patterns: Sequence[str]) -> str:
    """One of some options, each of whose ``[!]`` is a negation or nothing."""
    start, *rest = draw(st.sampled_from(patterns)).split("[!]")
    return start + "".join(draw(st.sampled_from(("", "!"))) + part for part in rest)


def _addresses(family: int, chain: str) -> SearchStrategy[str]:
    singles = [str(ip_address(a)) for station in STATIONS for a in station.addresses[family]]
    wide = words(family)["net"]
    ranges = [f"{ip_address(A.addresses[family][0])}-{ip_address(gateway(family) + 2)}"]
    choices = [f"[!] {side} {address}" for side in ("-s", "-d") for address in (*singles, wide)]
    choices += [f"-m iprange [!] --{side}-range {r}" for side in ("src", "dst") for r in ranges]
    return _pattern(choices)


_UNTOLD = {"-i": ("OUTPUT", "POSTROUTING"), "-o": ("PREROUTING", "INPUT")}
"""Where iptables refuses to ask, since it must be in vain; chains that are called from there may ask."""


def _interfaces(family: int, chain: str) -> SearchStrategy[str]:
    sides = [side for side, hooks in _UNTOLD.items() if chain not in hooks]
    return _pattern([f"[!] {side} {name}" for side in sides for name in ("br0", "br1", "eth0", "lo", "br+", "e+")])


def _protocols(family: int, chain: str) -> SearchStrategy[str]:
    icmp, icmp_type = words(family)["icmp"], words(family)["icmp_type"]
    choices = [f"[!] -p {name}" for name in ("tcp", "udp", icmp, "47", "sctp")]
    for name in ("tcp", "udp", "sctp", "dccp"):
        choices += [f"-p {name} [!] --{side}port {ports}" for side in "sd" for ports in PORT_RANGES]
    for name in ("tcp", "udp", "udplite"):
        choices += [f"-p {name} -m multiport [!] --{side}ports {p}" for side in ("s", "d", "") for p in PORT_LISTS]
    choices += [f"-p tcp [!] --tcp-flags {flags}" for flags in FLAGS] + ["-p tcp [!] --syn"]
    # Any type at all cannot be negated.
    choices += [f"-p {icmp} {'' if t == 'any' else '[!] '}{icmp_type} {t}" for t in ICMP_TYPES[family]]
    return _pattern(choices)


def _states(family: int, chain: str) -> SearchStrategy[str]:
    plain = [f"-m conntrack [!] --ctstate {state}" for state in STATES]
    return _pattern(plain + [f"-m state [!] --state {state}" for state in STATES])


def _marks(family: int, chain: str) -> SearchStrategy[str]:
    return _pattern([f"-m mark [!] --mark {mark}" for mark in MARKS])


def _others(family: int, chain: str) -> SearchStrategy[str]:
    choices = [f"-m addrtype [!] --{side}-type LOCAL" for side in ("src", "dst")]
    return _pattern([*choices, '-m comment --comment "-j DROP"', *(["[!] -f"] if family == 4 else [])])


def _ports(family: int, chain: str) -> SearchStrategy[str]:
    choices = [f"-m physdev [!] --physdev-{what}" for what in ("is-in", "is-bridged", "in port-a", "in port-b")]
    choices += [
        f"-m physdev [!] --physdev-{what} --physdev-is-bridged" for what in ("is-out", "out port-b", "out port+")
    ]
    return _pattern(choices)


_KINDS = {
    "address": _addresses,
    "interface": _interfaces,
    "mark": _marks,
    "other": _others,
    "port of a bridge": _ports,
    "protocol": _protocols,
    "state": _states,
}


def volleys(family: int, rules: str) -> SearchStrategy[list[Probe]]:
    """Packets that do well to meet some rules."""
    routes = [*ROUTES, *HOST_ROUTES]
    if "physdev" in rules:
        # Whether the world's cable ends in a bridge too is more than a dump can tell.
        routes = [route for route in routes if route.source.bridged]
    if "REJECT" in rules:
        # What the host tells itself would be counted everywhere.
        routes = [route for route in routes if route.source is not HOST]
    return st.lists(_probe(family, routes), min_size=MOST, max_size=MOST)


@st.composite
def _probe(draw: DrawFn, family: int, routes: Sequence[Route]) -> Probe:
    route = draw(st.sampled_from(routes))
    fields: dict[str, object] = {
        "source": draw(st.sampled_from(route.source.addresses[family])),
        "destination": draw(st.sampled_from(route.destination.addresses[family])),
    }
    if route.bridged and draw(st.integers(0, 9)) == 0:
        fields["destination"] = gateway(family)
    if route.destination is HOST:
        # To this the host keeps silent, whatever translation does.
        return probe(route, family, UDP, source_port=draw(st.sampled_from(PORTS)), destination_port=80, **fields)
    protocol = draw(st.sampled_from((TCP, TCP, TCP, UDP, UDP, ICMPS[family], SCTP, DCCP, UDPLITE, GRE)))
    if protocol == ICMPS[family]:
        fields["icmp"] = draw(st.sampled_from(ICMP_KINDS[family]))
    elif protocol != GRE:
        fields |= {f"{side}_port": draw(st.sampled_from(PORTS)) for side in ("source", "destination")}
    if protocol == TCP:
        fields["tcp_flags"] = draw(st.sampled_from((SYN, SYN, SYN, 0x10, 0x12, 0x04, 0, 0x3F, 0x22)))
    return probe(route, family, protocol, **fields)
