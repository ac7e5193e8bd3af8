"""Dead rules, and who reaches whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice
from pathlib import Path
from random import Random

from benchmarks.generate import CONTAINERS_PER_RULE, PROFILES, SEED, Dead, lines, rules_of, text
from benchmarks.measure import Call
from benchmarks.variants.parsing import document
from icclint.ir.host import Host
from icclint.ir.network import Address, Network
from icclint.lower.host import lower_host
from icclint.lower.ruleset import lower_dumps
from icclint.packets.connection import Party, Service, first_packet
from icclint.packets.dead import Assessment, assess_rules
from icclint.packets.effect import Effect
from icclint.packets.judgement import Judgement
from icclint.packets.packet import TCP
from icclint.packets.ranges import RangeSet
from icclint.packets.verdict import Verdict
from icclint.parse.dump import Dump
from icclint.parse.iptables import parse_dump
from icclint.parse.kind import Kind
from icclint.reach import Row, Table
from icclint.reach import reach as table_of
from icclint.source import Document

QUESTIONS = 50


def dead(path: Path) -> Call:
    """The dead rules of all tables of a dump that was read."""

    def assess(dump: Dump) -> list[Assessment]:
        (ruleset,) = lower_dumps([(path.name, dump)]).rulesets
        return [assess_rules(ruleset, table) for table in ruleset.tables.values()]

    def check(_: Dump, found: list[Assessment]) -> None:
        unknown = sum(len(one.not_assessed) for one in found)
        assert not unknown, f"{unknown} rules were not assessed"
        compare_dead(path, {one.rule.span.line for assessment in found for one in assessment.dead})

    return Call(lambda: parse_dump(document(path)), assess, check)


def compare_dead(path: Path, found: set[int]) -> None:
    """Holds the lines of dead rules against those of the rules that were planted."""
    profile, _, size = path.name.partition("-")
    planted = {number for number, line in enumerate(lines(PROFILES[profile](int(size))), 1) if isinstance(line, Dead)}
    assert found == planted, f"{len(found - planted)} rules are not dead, {len(planted - found)} dead ones missed"


Asked = tuple[Effect, Network]
"""A host, and its network whose containers are asked about."""


def reach(path: Path) -> Call:
    """Whether containers of the default network reach each other, and packets that show it."""

    def check(asked: Asked, judgement: Judgement) -> None:
        effect, network = asked
        passing = [share for share in judgement.shares(Verdict.DELIVERED) if share.decision.by == "rule"]
        assert bool(passing) is not path.name.startswith("closed"), f"{len(passing)} rules let packets pass"
        for share in passing[:QUESTIONS]:
            assert effect.walk(share.witness).verdict is Verdict.DELIVERED, share.witness.describe()
        for one, other in _pairs(network):
            alone = effect.linked(network, one, other)
            told = _narrowed(judgement, one, other).extent(Verdict.DELIVERED)
            assert told is alone.extent(Verdict.DELIVERED), f"{one} to {other}"

    return Call(lambda: _asked(path), _first_answer, check)


def further(path: Path) -> Call:
    """The same of single pairs of them, once all have been asked about."""

    def setup() -> tuple[Network, Judgement]:
        asked = _asked(path)
        return asked[1], _first_answer(asked)

    def ask(given: tuple[Network, Judgement]) -> None:
        network, judgement = given
        for one, other in _pairs(network):
            _narrowed(judgement, one, other).shares(Verdict.DELIVERED)

    # What they answer is checked with the first answer.
    return Call(setup, ask, lambda given, _: reach(path).check(_asked(path), given[1]), parts=QUESTIONS)


def _asked(path: Path) -> Asked:
    containers = int(int(path.name.partition("-")[2]) * CONTAINERS_PER_RULE)
    host = _host(path.read_text(), text(f"networks-{containers}"))
    network = host.network_of_bridge("docker0")
    assert network is not None
    return Effect(host), network


def _first_answer(asked: Asked) -> Judgement:
    effect, network = asked
    judgement = effect.within(network, 4)
    judgement.shares(Verdict.DELIVERED)
    return judgement


def _pairs(network: Network) -> Iterator[tuple[Address, Address]]:
    addresses = [address for endpoint in network.endpoints for address in endpoint.addresses]
    return islice(combinations(addresses, 2), QUESTIONS)


def _narrowed(judgement: Judgement, one: Address, other: Address) -> Judgement:
    ends = {"source": RangeSet.single(int(one)), "destination": RangeSet.single(int(other))}
    narrowed = judgement.narrowed(ends)
    assert narrowed is not None
    return narrowed


def matrix(path: Path) -> Call:
    """The table of ``icclint reach`` of a host, from what was read of it."""
    rules = rules_of(int(path.name.partition("-")[2]))

    def check(host: Host, table: Table) -> None:
        effect = Effect(host)
        ends = [
            Party("container", endpoint.name, network, endpoint.addresses[0])
            for network in host.bridges
            for endpoint in network.endpoints
        ]
        random = Random(SEED)
        for _ in range(4 * QUESTIONS):
            sender, receiver = random.sample(ends, 2)
            assert receiver.address is not None
            packet = first_packet(host, sender, receiver.address, Service(TCP, 80))
            told = [_opens_web(row) for row in table.rows if _is_of(row, sender, receiver)]
            assert told == [effect.walk(packet).verdict is Verdict.DELIVERED], packet.describe()

    return Call(lambda: _host(text(f"docker-{rules}"), path.read_text()), table_of, check)


def _is_of(row: Row, sender: Party, receiver: Party) -> bool:
    return sender.container in row.senders and receiver.container in row.receivers


def _opens_web(row: Row) -> bool:
    return row.effect == "all" or any(one.proto == "tcp" and "80" in one.ports for one in row.services)


def _host(rules: str, networks: str) -> Host:
    documents = [
        (Document("iptables-save.txt", rules.encode()), Kind.IPTABLES),
        (Document("networks.json", networks.encode()), Kind.NETWORKS),
    ]
    host, gaps = lower_host("host", documents)
    assert not gaps, gaps[0].reason
    return host
