"""Lines that are read by the shape of an earlier one, against lark: the same command, and none that lark refuses."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from icclint.parse.dump import Command, Line
from icclint.parse.grammar import RefusedError, open_grammar, parse
from icclint.parse.iptables import parse_dump
from icclint.parse.shapes import Shapes
from icclint.source import Document
from tests.test_properties import examples, garbled, option_lines

DUMPS = (*Path(__file__).parent.glob("captures/**/ip*tables*"), *Path(__file__).parent.glob("dumps/*.md"))
RULE = re.compile(r"(\[\d+:\d+\] )?-[AIPN]\b|:\S|\*|COMMIT")


@cache
def corpus() -> tuple[str, ...]:
    """Every line of a captured or written dump that looks like a command."""
    lines = {line for path in DUMPS for line in path.read_text("utf-8", "replace").splitlines() if RULE.match(line)}
    assert len(lines) > 1_000
    return tuple(sorted(lines))


def by_lark(line: str) -> Command | None:
    """What lark makes of a line that no other one came before."""
    try:
        tree = parse("iptables", line)
    except RefusedError:
        return None
    return fresh().command(tree, line, Document("x", line.encode()).text_span(1))


def by_shape(shapes: Shapes, line: str) -> Command | None:
    """What the shape of an earlier line makes of it."""
    found = shapes.find(line)
    return Line(Document("x", line.encode()), 1, found[0], "", None).command() if found else None


def learn(shapes: Shapes, line: str) -> None:
    if (command := by_lark(line)) is not None:
        shapes.command(parse("iptables", line), line, command.span)


def fresh() -> Shapes:
    """No shapes yet."""
    return Shapes(terminal.pattern.to_regexp() for terminal in open_grammar("iptables").terminals)


@cache
def learned() -> Shapes:
    """The shapes of all lines of the corpus."""
    shapes = fresh()
    for line in corpus():
        learn(shapes, line)
    return shapes


def test_every_line_of_the_corpus_is_read_as_lark_reads_it() -> None:
    shapes = fresh()
    by_shapes = 0
    for line in corpus():
        command = by_shape(shapes, line)
        if command is None:
            learn(shapes, line)
        else:
            assert command == by_lark(line)
            by_shapes += 1
    assert by_shapes > len(corpus()) * 0.5


def test_what_stands_in_a_line_says_its_chain_and_target() -> None:
    for line in (
        "-A DOCKER -s 10.0.0.1/32 -j ACCEPT",
        ":DOCKER - [0:0]",
        "[1:2] -A A -g B",
        "-N X",
        "-P INPUT DROP",
        "*nat",
    ):
        shapes = fresh()
        learn(shapes, line)
        found = shapes.find(line)
        command = by_lark(line)
        assert found is not None
        assert command is not None
        shape, words = found
        assert words[shape.name][shape.prefix :] == command.chain
        assert (None if shape.target is None else words[shape.target]) == command.target


def test_a_dump_is_the_same_whether_it_is_read_by_lark_or_by_shapes() -> None:
    # What no other test reads, so that lark reads it first.
    document = Document("x", b"-A NEVER -m first-seen --here 1\n")
    assert parse_dump(document) == parse_dump(document)


WORDS = (
    "!", "!a", "-", "--", "-j", "-s", "--dport", "--comment", "-m", "-c", "--ports", '"a b"', '"a \\" b"', '"a"b', 'a"b', '"',
    "a", "80", "80:90", ":80", "0x1/0xff", "10.0.0.0/8", "10.0.0.1,10.0.0.2", "::/0", ":", ":X", "ACCEPT", "DROP", "-5",
    "[0:0]", "*nat", "COMMIT", "RETURN", "tcp", "docker0", "br-+", "", "\t", "\x0b", "\x0c", "\u00a0", "\u2003", "a\tb", "\x1f",
    "\0", "a\0", "123456789012345678901", "é", "\u202e",
)  # fmt: skip


@st.composite
def mixed(draw: DrawFn) -> str:
    """A line of the corpus with some words put in the place of others, taken out, or added."""
    words = draw(st.sampled_from(corpus())).split(" ")
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(words)))
        cut = draw(st.integers(0, 1))
        put = draw(st.lists(st.sampled_from(WORDS), max_size=2))
        words[place : place + cut] = put
    return " ".join(words)


@examples(3_000)
@given(mixed() | garbled().map(lambda change: change[1]) | option_lines())
def test_a_line_that_has_a_known_shape_is_one_that_lark_reads_so(line: str) -> None:
    command = by_shape(learned(), line)
    if command is not None:
        assert command == by_lark(line)


@examples(1_500)
@given(mixed(), mixed())
def test_a_line_is_read_as_lark_reads_it_whatever_was_read_before(first: str, second: str) -> None:
    shapes = fresh()
    for line in (first, second):
        learn(shapes, line)
    for line in (first, second):
        command = by_shape(shapes, line)
        if command is not None:
            assert command == by_lark(line)


@pytest.mark.parametrize(
    "line",
    ["-A X -s 10.0.0.1/32\t-j ACCEPT", "-A X  -s 10.0.0.1/32 -j ACCEPT", '-A X -m comment --comment "a"-j ACCEPT'],
)
def test_a_line_that_iptables_does_not_print_so_goes_to_lark(line: str) -> None:
    assert learned().find(line) is None
