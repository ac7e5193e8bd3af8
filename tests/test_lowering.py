"""Rules of lines whose clauses were made out before, against rules that are made of their commands alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icclint.ir.ruleset import interfaces_of
from icclint.lower.clause import Surroundings
from icclint.lower.rule import Lowering, lower_command
from icclint.parse.dump import Command, Line
from icclint.parse.iptables import parse_dump
from icclint.source import Document
from tests.test_properties import examples
from tests.test_shapes import corpus, mixed

AROUND = (
    Surroundings(4, "nft", "filter"),
    Surroundings(4, "legacy", "raw"),
    Surroundings(6, "nft", "nat", frozenset(("CONNMARK", "MARK", "SET"))),
)


def entries(lines: Iterable[str]) -> Iterator[Command | Line]:
    """The rules of some lines."""
    for table in parse_dump(Document("iptables-save", "\n".join(lines).encode())).tables:
        yield from (entry for entry in table.commands.entries if entry.kind in ("append", "insert", "unreadable"))


def compare(rules: Iterable[Command | Line], around: Surroundings) -> int:
    """How many lines were held against their commands."""
    lowering, compared = Lowering(around), 0
    for number, entry in enumerate(rules, start=1):
        command = entry.command() if isinstance(entry, Line) else entry
        assert lowering.rule(entry, number) == lower_command(command, around, number)
        if isinstance(entry, Line):
            assert lowering.interfaces(entry) == interfaces_of(lowering.rule(entry, number))
            compared += 1
    return compared


@pytest.mark.parametrize("around", AROUND, ids=lambda around: around.table)
def test_every_rule_of_the_corpus_is_the_one_that_its_command_makes(around: Surroundings) -> None:
    assert compare(entries(corpus()), around) > 1_000
    # What is known by then is used, whatever came first.
    assert compare(reversed([*entries(corpus()), *entries(corpus())]), around) > 2_000


@examples(200)
@given(st.lists(mixed(), min_size=1, max_size=6), st.sampled_from(AROUND))
def test_a_rule_is_the_same_whatever_was_read_before(lines: list[str], around: Surroundings) -> None:
    compare(entries(lines), around)


def test_rules_share_what_they_say_alike() -> None:
    lines = ("-A ONE -s 10.0.0.1/32 -p tcp -j DROP", "-A TWO -s 10.0.0.1/32 ! -i eth0 -p tcp -m tcp --dport 80 -j DROP")
    lowering = Lowering(AROUND[0])
    # lark reads the first line of each shape.
    *_, one, two = (lowering.rule(entry, 1) for entry in entries(lines * 2))
    assert one.matches[0] is two.matches[0]
    assert one.matches[1] is two.matches[2]
    assert one.target is two.target
    assert [match.text for match in two.matches] == ["-s 10.0.0.1/32", "! -i eth0", "-p tcp", "--dport 80"]


def test_a_target_hangs_on_the_chain_where_the_kernel_says_so() -> None:
    lines = ("-A POSTROUTING -j NETMAP --to 10.1.0.0/16", "-A PREROUTING -j NETMAP --to 10.1.0.0/16")
    *_, one, two, three = entries((*lines, "-A ANY -j NETMAP --to 10.1.0.0/16") * 2)
    lowering = Lowering(replace(AROUND[0], table="nat"))
    targets = [lowering.rule(entry, 1).target for entry in (one, two, three)]
    assert [getattr(target, "of", None) for target in targets] == ["source", "destination", None]


def test_a_negation_is_told_as_it_is_written() -> None:
    lines = ("-A ONE ! -d 10.0.0.1 -j DROP", "-A ONE -d ! 10.0.0.1 -j DROP", "-A ONE -i eth0 -i + -j DROP")
    assert compare(entries(lines * 3), AROUND[0]) >= 2 * len(lines)


def test_a_rule_is_told_with_single_blanks_as_iptables_prints_it() -> None:
    line = '-A ONE -s  10.0.0.1\t-m comment --comment "two  blanks" -j   DROP'
    (entry,) = entries((line,))
    rule = Lowering(AROUND[0]).rule(entry, 1)
    assert rule.text == '-A ONE -s 10.0.0.1 -m comment --comment "two  blanks" -j DROP'
    assert rule.text.endswith(rule.target.text)
    assert rule.span.end_column == len(line) + 1


def test_options_of_no_extension_are_one_condition() -> None:
    (entry,) = entries(("-A ONE --foo 1 -s 10.0.0.1 --bar 1 -j ACCEPT",))
    assert [match.text for match in Lowering(AROUND[0]).rule(entry, 1).matches] == ["-s 10.0.0.1", "--foo 1 --bar 1"]
