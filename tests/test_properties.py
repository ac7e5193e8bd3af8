"""What holds of every dump and every packet, held against random ones.

All draws are derandomized: a run says the same every time.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from icclint_rules import RULES

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.output.visible import escaped
from icclint.packets.box import Box
from icclint.packets.effect import Effect
from icclint.packets.firewall import Firewall
from icclint.packets.judgement import Extent, Judgement, Outcome, Share
from icclint.packets.packet import ICMP, PORT_PROTOCOLS, TCP, Packet
from icclint.packets.verdict import Assumption, Verdict
from icclint.packets.walk import walk
from icclint.parse.dump import Command
from icclint.parse.iptables import parse_dump
from icclint.parse.kind import kind_of
from icclint.source import Document

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(number: int) -> settings:
    return settings(derandomize=True, deadline=None, max_examples=number, suppress_health_check=SLOW)


# Lines of -S, as iptables prints them.

WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=12)
CHAIN = st.builds(lambda first, rest: first + rest, st.sampled_from("ABCDOFk"), st.text("ABCdef012-_:", max_size=12))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0\x0b\x0c"), max_size=20)
PORTS = st.builds(
    lambda a, b: str(a) if b is None else f"{a}:{b}", st.integers(0, 65535), st.none() | st.integers(0, 65535)
)
PORT_LIST = st.lists(PORTS, min_size=1, max_size=4).map(",".join)
IPV4 = st.builds(lambda a, n: f"{ip_address(a)}/{n}", st.integers(0, 2**32 - 1), st.integers(0, 32))
IPV6 = st.builds(lambda a, n: f"{ip_address(a)}/{n}", st.integers(2**32, 2**128 - 1), st.integers(0, 128))
ADDRESS = IPV4 | IPV6
NUMBER = st.integers(0, 2**32 - 1).map(hex)
MARK = st.builds(lambda value, mask: value if mask is None else f"{value}/{mask}", NUMBER, st.none() | NUMBER)
INTERFACE = st.builds(lambda name, plus: name + plus, WORD, st.sampled_from(("", "+")))
STATE_LIST = st.lists(st.sampled_from(("NEW", "RELATED", "ESTABLISHED", "INVALID")), min_size=1, unique=True).map(
    ",".join
)

QUOTED = ("--u32", "--bytecode", "--label")
"""Options whose value iptables quotes always (extensions/libxt_u32.c, libxt_bpf.c, libxt_connlabel.c)."""
TEXTS = ("--comment", "--log-prefix", "--nflog-prefix", "--string", "--helper", "--name", "--path")
"""Options whose value goes through xtables_save_string (libxtables/xtables.c), or can look like it."""

OPTIONS: list[tuple[str, list[SearchStrategy[str]]]] = [
    ("-s", [ADDRESS]), ("-d", [ADDRESS]), ("-i", [INTERFACE]), ("-o", [INTERFACE]), ("-p", [WORD]),
    ("--sport", [PORTS]), ("--dport", [PORTS]), ("--sports", [PORT_LIST]), ("--dports", [PORT_LIST]),
    ("--ports", [PORT_LIST]), ("--tcp-flags", [WORD, WORD]), ("--ctstate", [STATE_LIST]), ("--state", [STATE_LIST]),
    ("--src-type", [WORD]), ("--dst-type", [WORD]), ("--mark", [MARK]), ("--src-range", [WORD]),
    ("--physdev-in", [INTERFACE]), ("--icmp-type", [WORD]), ("--mac-source", [WORD]), ("--match-set", [WORD, WORD]),
    ("--limit", [WORD]), ("--rsource", []), ("--tcp-option", [WORD]), ("--to-destination", [WORD]), ("--reap", []),
    *((keyword, [TEXT]) for keyword in (*QUOTED, *TEXTS)),
]  # fmt: skip


def quoted(text: str) -> str:
    """A text as xtables_save_string prints it."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", text):
        return text
    return '"' + re.sub(r"([\"\\'])", r"\\\1", text) + '"'


def shown(keyword: str, value: str) -> str:
    if keyword in QUOTED:
        return '"' + re.sub(r"([\"\\'])", r"\\\1", value) + '"'
    return quoted(value) if keyword in TEXTS else value


def printed(command: Command) -> str:
    """A command as `iptables -S` prints it."""
    words = {"append": ["-A", command.chain], "declare": ["-N", command.chain]}.get(
        command.kind, ["-P", command.chain, command.policy]
    )
    for option in command.options:
        values = [shown(option.keyword, value) for value in option.values]
        words += [*(["!"] if option.negated else []), option.keyword, *values]
    return " ".join(str(word) for word in words)


@st.composite
def option_lines(draw: DrawFn) -> str:
    words = ["-A", draw(CHAIN)]
    for keyword, values in draw(st.lists(st.sampled_from(OPTIONS), max_size=6)):
        negated = ["!"] if draw(st.booleans()) else []
        words += [*negated, keyword, *(shown(keyword, draw(value)) for value in values)]
        if draw(st.integers(0, 3)) == 0:
            words += ["-m", draw(WORD)]
    words += draw(st.sampled_from(([], ["-j", "ACCEPT"], ["-g", "CHAIN"], ["-j", "MARK", "--set-xmark", "0x1/0xff"])))
    return " ".join(words)


LINES = (
    option_lines()
    | st.builds("-N {}".format, CHAIN)
    | st.builds("-P {} {}".format, CHAIN, st.sampled_from(("ACCEPT", "DROP")))
)


def commands(document: Document) -> list[Command]:
    return [command for table in parse_dump(document).tables for command in table.commands]


@examples(400)
@given(LINES)
def test_a_line_that_was_read_prints_as_itself(line: str) -> None:
    document = Document("x", f"{line}\n".encode())
    dump = parse_dump(document)
    assert not dump.gaps
    (command,) = dump.tables[0].commands
    assert command.text == line
    assert printed(command) == line


@examples(200)
@given(LINES, st.sampled_from((" ", "   ", "\t")), st.sampled_from(("", " ", "\t ", "\r", " \r")), st.booleans())
def test_blanks_around_a_line_say_nothing(line: str, before: str, after: str, ended: bool) -> None:
    (plain,) = commands(Document("x", line.encode()))
    (padded,) = commands(Document("x", f"{before}{line}{after}{chr(10) * ended}".encode()))
    assert printed(padded) == printed(plain)
    assert padded.text == plain.text
    assert padded.span.column == len(before) + 1


@examples(200)
@given(option_lines(), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_counters_say_nothing_of_a_rule(line: str, packets: int, octets: int) -> None:
    (plain,) = commands(Document("x", line.encode()))
    (counted,) = commands(Document("x", f"[{packets}:{octets}] {line}".encode()))
    assert counted.counters == (packets, octets)
    assert printed(counted) == printed(plain)


@examples(200)
@given(option_lines())
def test_the_text_of_an_option_is_what_is_written(line: str) -> None:
    (command,) = commands(Document("x", f"  {line}".encode()))
    at = 0
    for option in command.options:
        at = line.index(option.text, at) + len(option.text)
        assert option.text.removeprefix("! ").startswith(option.keyword)
        assert option.text.startswith("! ") == option.negated


# Garbled dumps.

SAVE = (Path(__file__).parent / "dumps" / "docker.md").read_text().split("```iptables-save\n")[1].split("```")[0]
RULE_LINES = [number for number, line in enumerate(SAVE.splitlines()) if re.match(r"(\[\d+:\d+\] )?-A|:", line)]


@st.composite
def garbled(draw: DrawFn) -> tuple[int, str]:
    """A line of a save by its index, and what has become of it."""
    index = draw(st.sampled_from(RULE_LINES))
    line = SAVE.splitlines()[index]
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + draw(st.sampled_from((0, 1, 3, 80))))))
    put = draw(
        st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=4)
        | st.sampled_from(("!", " -j ", '"', "\\", "\0", " "))
    )
    return index, line[:start] + put + line[end:]


@examples(600)
@given(garbled())
def test_a_garbled_line_is_read_or_told_and_spoils_no_other(change: tuple[int, str]) -> None:
    index, line = change
    lines = SAVE.splitlines()
    lines[index] = line
    dump = parse_dump(Document("x", "\n".join(lines).encode()))
    found = [command for table in dump.tables for command in table.commands]
    before = [command for command in commands(Document("x", SAVE.encode())) if command.span.line != index + 1]
    assert [command for command in found if command.span.line != index + 1] == before
    here = line.strip()
    is_silent = not here or here.startswith("#") or here in ("COMMIT", "*filter")
    told = {number for gap in dump.gaps for number in range(gap.span.line, gap.span.end_line + 1)}
    read = {command.span.line for command in found}
    assert is_silent or index + 1 in told | read


@examples(300)
@given(garbled())
def test_a_line_that_begins_like_a_rule_is_a_rule_or_an_unknown_one(change: tuple[int, str]) -> None:
    index, line = change
    assume(re.match(r"\s*(\[\d+:\d+\] )?-A\s+[^\s!-]", line))
    lines = SAVE.splitlines()
    lines[index] = line
    found = {command.span.line: command for command in commands(Document("x", "\n".join(lines).encode()))}
    assert found[index + 1].kind in ("append", "unreadable")


# Captured text in reports.


@examples(1_000)
@given(st.text(st.characters() | st.sampled_from('\x7f\x9b\u061c\u200e\u2028\u202e\u2066\ufeff\\"')))
def test_text_in_json_means_what_it_did_and_steers_nothing(text: str) -> None:
    shown = escaped(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in shown)
    assert not any(
        unicodedata.bidirectional(character) in ("LRE", "RLO", "LRI", "RLI", "PDF", "PDI") for character in shown
    )


# Documents of any kind.

SAMPLE = Path(__file__).parent.parent / "samples" / "28.5.2" / "icc-off"


@cache
def sample() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(SAMPLE.iterdir()) if path.stat().st_size < 20_000}


@st.composite
def damaged(draw: DrawFn) -> dict[str, bytes]:
    """The documents of a host, of which one is damaged or replaced."""
    documents = dict(sample())
    name = draw(st.sampled_from(sorted(documents)))
    content = bytearray(documents[name])
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.sampled_from((0, 1, 10, 1000)))] = draw(st.binary(max_size=6))
    documents[name] = draw(st.just(bytes(content)) | st.binary(max_size=200))
    return documents


def capture(documents: dict[str, bytes]) -> Capture:
    read = [Document(name, content) for name, content in documents.items()]
    return Capture("host", tuple((document, kind_of(document)) for document in read), ())


@examples(150)
@given(damaged())
def test_no_document_crashes_anything(documents: dict[str, bytes]) -> None:
    report = check([capture(documents)], RULES)
    assert not report.crashes
    assert {gap.location.document for gap in report.gaps} <= documents.keys()


@examples(300)
@given(st.binary(max_size=300) | st.text('-APNI!*:[]0 "\n\tjsdRETURNFORWARDACCEPT', max_size=120).map(str.encode))
def test_random_bytes_are_read_as_something(content: bytes) -> None:
    document = Document("x", content)
    host, gaps = lower_host("host", [(document, kind_of(document))])
    assert all(gap.span.document == "x" for gap in gaps)
    for ruleset in host.rulesets:
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                assert all(rule.text for rule in chain.rules)


def contradictory() -> dict[str, bytes]:
    """A host with documents of two times."""
    first = sample()
    later = {
        "networks-later.json": first["networks.json"].replace(b'"Internal": false', b'"Internal": true'),
        "sysctl-later.txt": first["sysctl.txt"].replace(b"iptables = 1", b"iptables = 0"),
        "iptables-save-later.txt": first["iptables-save.txt"].replace(b"FORWARD DROP", b"FORWARD ACCEPT"),
    }
    assert not {*later.values()} & {*first.values()}
    return first | later


@examples(30)
@given(st.permutations(sorted(contradictory())))
def test_the_order_of_documents_says_nothing(names: Sequence[str]) -> None:
    def read(order: Sequence[str]) -> object:
        return lower_host("host", capture({name: contradictory()[name] for name in order}).documents)

    assert read(names) == read(sorted(names))


# The engine: one packet, and whole classes.

NETWORKS = json.dumps(
    [
        {
            "Name": name, "Id": number * 16, "Driver": "bridge", "EnableIPv6": False, "Internal": False,
            "IPAM": {"Config": [{"Subnet": f"172.{subnet}.0.0/16", "Gateway": f"172.{subnet}.0.1"}]},
            "Containers": {
                f"{name}{i}": {"Name": f"{name}{i}", "IPv4Address": f"172.{subnet}.0.{i}/16"} for i in (2, 3)
            },
            "Options": {"com.docker.network.bridge.name": bridge},
        }
        for name, number, subnet, bridge in (("bridge", "0", 17, "docker0"), ("other", "1", 18, "br-other"))
    ]
)  # fmt: skip
ENDS = [int(ip_address(a)) for a in ("172.17.0.1", "172.17.0.2", "172.17.0.3", "172.17.9.9", "172.18.0.1", "172.18.0.2",
                                     "172.18.0.3", "172.18.200.1", "192.0.2.1", "198.51.100.7")]  # fmt: skip
PORT_POOL = (1, 22, 80, 443, 1023, 1024, 40000, 65535)

CONDITIONS = (
    "-s 172.17.0.2/32", "! -s 172.17.0.2/32", "-s 172.17.0.0/16", "-d 172.17.0.0/30", "-d 172.18.0.2/32",
    "! -d 172.18.0.0/16", "-i docker0", "! -i docker0", "-o docker0", "! -o docker0", "-i br-+", "-o br-other",
    "-i +", "-i eth0", "-p tcp", "! -p tcp", "-p udp", "-p icmp", "-p tcp -m tcp --dport 80",
    "-p tcp -m tcp ! --dport 80:443", "-p udp -m udp --sport 1024:65535", "-p tcp -m multiport --dports 22,80:443",
    "-p tcp -m multiport --ports 80,40000", "-p tcp -m multiport ! --ports 80", "-p icmp -m icmp --icmp-type 8",
    "-p icmp -m icmp ! --icmp-type 8/0", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
    "-p tcp -m tcp ! --tcp-flags SYN,ACK ACK", "-m conntrack --ctstate NEW", "-m conntrack ! --ctstate NEW",
    "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate INVALID", "-m conntrack --ctstate DNAT",
    "-m conntrack --ctstate UNTRACKED", "-m mark --mark 0x1/0x3", "-m mark ! --mark 0x1",
    "-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type LOCAL", "-m addrtype --dst-type UNICAST",
    "-m addrtype --dst-type BROADCAST", "-m physdev --physdev-is-bridged", "-m physdev ! --physdev-is-bridged",
    "-m physdev --physdev-in veth1", "-m physdev ! --physdev-out veth1", "-m physdev --physdev-is-in",
    "-m iprange --src-range 172.17.0.3-172.17.0.9", "-f", "! -f", "-m set --match-set web src",
    "-m set ! --match-set web src", "-m set --match-set web dst", "-m length --length 0:100",
    "-m limit --limit 5/sec", "-m statistic --mode random --probability 0.5", "-m geoip --source-country CN",
)  # fmt: skip
USERS = ("A", "B", "C")
"""Chains of the user's; each calls only those behind it, as the kernel demands."""
ENDINGS = ("-j ACCEPT", "-j ACCEPT", "-j DROP", "-j REJECT --reject-with icmp-port-unreachable", "-j RETURN", "-j LOG",
           "", "-j TARPIT --tarpit", "-j GONE")  # fmt: skip
MARKS = ("-j MARK --set-xmark 0x1/0x3", "-j MARK --set-xmark 0x2/0xffffffff", "-j CONNMARK --restore-mark")
HOOKED = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
OF_TABLE = {
    "raw": ("-j NOTRACK", "-j CT --notrack", "-j ACCEPT", "-j DROP"),
    "mangle": (*MARKS, "-j ACCEPT", "-j TTL --ttl-dec 1"),
    "nat": (
        "-j DNAT --to-destination 172.18.0.2:8080", "-j DNAT --to-destination 172.17.0.3",
        "-j DNAT --to-destination 172.17.0.2-172.17.0.4", "-p tcp -j DNAT --to-destination 172.18.0.3:79-81",
        "-j ACCEPT",
    ),
    "filter": (*ENDINGS, *MARKS),
}  # fmt: skip


@st.composite
def rule(draw: DrawFn, table: str, chain: str) -> str:
    conditions = draw(st.lists(st.sampled_from(CONDITIONS), max_size=3, unique_by=lambda text: text.split()[:2][-1]))
    users = [user for user in USERS if table == "filter" and user > (chain if chain in USERS else "")]
    targets = [*OF_TABLE[table], *(f"-{draw(st.sampled_from('jjg'))} {user}" for user in users)]
    if (table, chain) == ("nat", "POSTROUTING"):
        targets = ["-j MASQUERADE", "-j SNAT --to-source 192.0.2.1", "-j ACCEPT"]
    return " ".join(["-A", chain, *conditions, draw(st.sampled_from(targets))]).rstrip()


@st.composite
def saves(draw: DrawFn) -> str:
    """A save: filter always, other tables now and then; chain GONE is called and nowhere declared."""
    lines = []
    for table, hooks in HOOKED.items():
        if table != "filter" and draw(st.integers(0, 2)):
            continue
        lines.append(f"*{table}")
        policies = ("ACCEPT", "ACCEPT", "DROP") if table == "filter" else ("ACCEPT",)
        lines += [f":{hook} {draw(st.sampled_from(policies))} [0:0]" for hook in hooks]
        lines += [f":{user} - [0:0]" for user in USERS if table == "filter"]
        for chain in (*hooks, *(USERS if table == "filter" else ())):
            most = 6 if table == "filter" else 2
            lines += draw(st.lists(rule(table, chain), max_size=most))
        lines.append("COMMIT")
    return "\n".join(lines)


@st.composite
def single_chains(draw: DrawFn) -> str:
    """`iptables -S FORWARD`: what it calls was not captured."""
    policy = draw(st.sampled_from(("-P FORWARD ACCEPT", "-P FORWARD DROP")))
    return "\n".join([policy, *draw(st.lists(rule("filter", "FORWARD"), max_size=6))])


@st.composite
def captures(draw: DrawFn) -> dict[str, str]:
    documents = {"networks.json": NETWORKS, "iptables-save": draw(saves() | saves() | saves() | single_chains())}
    switch = draw(st.sampled_from((None, "0", "1", "1")))
    if switch is not None:
        forward = draw(st.sampled_from(("1", "1", "0")))
        documents["sysctl"] = f"net.bridge.bridge-nf-call-iptables = {switch}\nnet.ipv4.ip_forward = {forward}\n"
    if draw(st.booleans()):
        documents["nft-ruleset"] = "table inet other {\n\tchain c {\n\t\ttype filter hook forward priority 0;\n\t}\n}\n"
    return documents


def lowered(documents: dict[str, str]) -> Host:
    return lower_host("host", capture({name: text.encode() for name, text in documents.items()}).documents)[0]


def classes(effect: Effect) -> Iterator[Judgement]:
    """Every question that is asked of a host."""
    bridge, other = effect.host.bridges
    for network in (bridge, other):
        yield effect.within(network, 4)
        yield effect.outbound(network, "eth0", 4)
        yield effect.inbound("eth0", network, 4)
        yield effect.to_host(network, 4)
        yield effect.from_host(network, 4)
    yield effect.between(bridge, other, 4)
    yield effect.between(other, bridge, 4)
    opened = effect.within(bridge, 4)
    for share in opened.shares(Verdict.DELIVERED)[:1]:
        yield effect.replies(opened, share)


def some_packet(judgement: Judgement, chance: random.Random) -> Packet | None:
    """A packet of a class, with values that rules ask for."""
    packets = judgement.packets
    box = packets.box
    sources = [a for a in ENDS if a in box.source] or list(box.source.first(2))
    destinations = [a for a in ENDS if a in box.destination] or list(box.destination.first(2))
    protocol = chance.choice([p for p in (6, 6, 17, 1, 47, 132) if p in box.protocol])
    ports = protocol in PORT_PROTOCOLS
    picked = [
        chance.choice([p for p in PORT_POOL if p in values]) for values in (box.source_port, box.destination_port)
    ]
    source, destination = chance.choice(sources), chance.choice(destinations)
    if source == destination:
        return None
    return Packet(
        family=4,
        in_interface=packets.in_interface,
        out_interface=packets.out_interface,
        bridged=packets.bridged,
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=picked[0] if ports else None,
        destination_port=picked[1] if ports else None,
        icmp=divmod(chance.choice([t for t in (2048, 2049, 3328) if t in box.icmp]), 256) if protocol == ICMP else None,
        tcp_flags=chance.choice([f for f in (2, 16, 18, 0) if f in box.tcp_flags]) if protocol == TCP else None,
        state=packets.state,
    )


def holds(box: Box, packet: Packet) -> bool:
    """Whether a box has a packet; fields that the packet does not have do not count."""
    return (
        packet.source in box.source
        and packet.destination in box.destination
        and packet.protocol in box.protocol
        and (packet.source_port is None or packet.source_port in box.source_port)
        and (packet.destination_port is None or packet.destination_port in box.destination_port)
        and (packet.icmp is None or packet.icmp[0] * 256 + packet.icmp[1] in box.icmp)
        and (packet.tcp_flags is None or packet.tcp_flags in box.tcp_flags)
    )


def answers(judgement: Judgement, chance: random.Random) -> dict[str, Assumption]:
    """One answer to everything that the outcomes of a class ask."""
    asked: dict[str, list[Assumption]] = {}
    for outcome in judgement.outcomes:
        for assumption in outcome.assumptions:
            asked.setdefault(assumption.key, []).append(assumption)
    return {key: chance.choice(sorted(both, key=lambda a: a.holds)) for key, both in asked.items()}


def meets(outcome: Outcome, packet: Packet, given: dict[str, Assumption]) -> bool:
    return holds(outcome.box, packet) and all(given[a.key].holds == a.holds for a in outcome.assumptions)


def taken(firewall: Firewall, packet: Packet, given: Sequence[Assumption]) -> Verdict:
    standing = {assumption.key for assumption in firewall.standing}
    return walk(firewall, packet, [a for a in given if a.key not in standing]).verdict


def is_unseen(share: Share) -> bool:
    """Whether a share is about frames that no table sees, if bridge netfilter is off: a question of its own."""
    return share.decision.by == "setting" and share.decision.text.startswith("not so: net.bridge")


@examples(150)
@given(captures())
def test_a_witness_walks_to_the_verdict_of_its_share(documents: dict[str, str]) -> None:
    effect = Effect(lowered(documents))
    for judgement in classes(effect):
        for verdict in Verdict:
            for share in judgement.shares(verdict):
                if is_unseen(share):
                    continue
                assert any(holds(box, share.witness) for box in share.boxes)
                assert effect.trace(share).verdict is verdict, share.witness.describe()


@examples(150)
@given(captures(), st.integers(0, 2**32))
def test_a_packet_walks_to_the_one_verdict_that_its_class_has_for_it(documents: dict[str, str], seed: int) -> None:
    effect, chance = Effect(lowered(documents)), random.Random(seed)
    for judgement in classes(effect):
        for _ in range(6):
            packet = some_packet(judgement, chance)
            if packet is None or judgement.packets.translated_back:
                continue
            given = answers(judgement, chance)
            expected = {outcome.verdict for outcome in judgement.outcomes if meets(outcome, packet, given)}
            assert expected == {taken(effect.firewall(4), packet, list(given.values()))}, packet.describe()


@examples(150)
@given(captures(), st.integers(0, 2**32))
def test_no_certain_share_contradicts_the_walk_of_a_packet(documents: dict[str, str], seed: int) -> None:
    effect, chance = Effect(lowered(documents)), random.Random(seed)
    for judgement in classes(effect):
        packet = some_packet(judgement, chance)
        if packet is None or judgement.packets.translated_back:
            continue
        standing = set(judgement.standing)
        certain = {
            verdict
            for verdict in Verdict
            for share in judgement.shares(verdict)
            if not set(share.assumptions) - standing and not is_unseen(share)
            if any(holds(box, packet) for box in share.boxes)
        }
        switch = effect.firewall(4).bridge_netfilter(packet.in_interface)
        # Whether the tables see a bridged frame is a question of its own, which a delivery does not hang on.
        ways = [()] if not (isinstance(switch, Assumption) and packet.bridged) else [(switch,)]
        ends = {walk(effect.firewall(4), packet, way).verdict for way in ways}
        assert certain <= ends, packet.describe()


def test_a_packet_that_nat_sent_elsewhere_meets_the_rules_about_its_new_end() -> None:
    save = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -d 172.18.0.2/32 -o br-other -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
"""
    effect = Effect(lowered({"networks.json": NETWORKS, "iptables-save": save, "sysctl": "net.ipv4.ip_forward = 1\n"}))
    to_host = effect.to_host(effect.host.bridges[0], 4)
    assert [effect.trace(share).verdict for share in to_host.shares(Verdict.DROPPED)] == []


def test_where_the_switch_is_not_known_nothing_certain_is_said_of_frames_that_are_dropped_while_it_is_on() -> None:
    save = "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"
    effect = Effect(lowered({"networks.json": NETWORKS, "iptables-S": save}))
    within = effect.within(effect.host.bridges[0], 4)
    assert within.extent(Verdict.DELIVERED) is Extent.UNKNOWN


def test_a_mark_that_is_not_known_is_another_one_once_a_rule_has_changed_it() -> None:
    # Mark 1 becomes 3, which the third rule accepts. The dump of one table does not tell what mangle gave before.
    save = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ONE - [0:0]
-A FORWARD -m mark --mark 0x1 -g ONE
-A ONE -j MARK --set-xmark 0x2/0x2
-A ONE -m mark ! --mark 0x1 -j ACCEPT
COMMIT
"""
    documents = {"networks.json": NETWORKS, "iptables -t filter": save, "sysctl": "net.ipv4.ip_forward = 1\n"}
    effect = Effect(lowered(documents))
    outbound = effect.outbound(effect.host.bridges[0], "eth0", 4)
    assert outbound.extent(Verdict.DELIVERED) is Extent.UNKNOWN
    (share,) = outbound.shares(Verdict.DELIVERED)
    assert effect.trace(share).verdict is Verdict.DELIVERED


def test_jumps_that_are_not_certain_do_not_double_what_is_looked_at() -> None:
    jumps = "".join(f"-A FORWARD -m limit --limit {n}/sec -j SEEN-{n}\n" for n in range(1, 61))
    chains = "".join(f":SEEN-{n} - [0:0]\n" for n in range(1, 61))
    drops = "".join(f"-A SEEN-{n} -p tcp -m tcp --dport {n} -j DROP\n" for n in range(1, 61))
    save = f"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{chains}{jumps}{drops}COMMIT\n"
    effect = Effect(lowered({"networks.json": NETWORKS, "iptables-save": save, "sysctl": "net.ipv4.ip_forward = 1\n"}))
    outcomes = effect.outbound(effect.host.bridges[0], "eth0", 4).outcomes
    assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED, Verdict.DROPPED}
    dropped = [outcome for outcome in outcomes if outcome.verdict is Verdict.DROPPED]
    assert {(outcome.box.destination_port.ranges, len(outcome.assumptions)) for outcome in dropped} == {
        (((n, n),), 1) for n in range(1, 61)
    }
