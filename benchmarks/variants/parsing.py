"""Dumps to commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.measure import Call
from icclint.parse.dump import Command, Dump
from icclint.parse.grammar import open_grammar
from icclint.parse.iptables import parse_dump
from icclint.source import Document

MOST_COMPARED = 10_000
"""How many lines of a dump lark reads again to check it; of longer ones as many, spread over all of it."""


def parse(path: Path) -> Call:
    """The product's parser as it is called for each document."""
    return Call(lambda: document(path), parse_dump, _check)


def commands(path: Path) -> Call:
    """The same, and all that it tells of every command, which it may put off until it is asked."""

    def look_at_all(given: Document) -> Dump:
        dump = parse_dump(given)
        for table in dump.tables:
            for command in table.commands:
                _facts(command)
        return dump

    return Call(lambda: document(path), look_at_all, _check)


def lark(path: Path) -> Call:
    """Nothing but the grammar, line by line."""
    grammar = open_grammar("iptables")

    def read(lines: list[str]) -> int:
        return sum(grammar.parse(line) is not None for line in lines)

    def check(lines: list[str], read: int) -> None:
        assert read == len(lines)

    return Call(lambda: [one for one in path.read_text().splitlines() if not one.startswith("#")], read, check)


def document(path: Path) -> Document:
    """A dump as it is read from a capture."""
    return Document("iptables-save.txt", path.read_bytes())


def _check(given: Document, dump: Dump) -> None:
    grammar = open_grammar("iptables")
    found = [command for table in dump.tables for command in table.commands]
    assert not dump.gaps, f"{len(dump.gaps)} gaps, the first: {dump.gaps[0].reason}"
    written = sum(line.startswith((":", "-A")) for line in given.lines)
    assert len(found) == written, f"{len(found)} commands of {written} lines"
    for command in found[:: max(1, len(found) // MOST_COMPARED)]:
        line = given.lines[command.span.line - 1]
        assert _facts(command) == _facts_of_tree(line, grammar.parse(line)), line


def _facts(command: Command) -> object:
    options = [(one.name, one.negated, one.keyword, *one.values, one.text) for one in command.options]
    return command.kind, command.chain, command.policy, command.counters, options


def _facts_of_tree(line: str, tree: Any) -> object:
    words = {child.type: str(child) for child in tree.children if not hasattr(child, "data")}
    parts = [child for child in tree.children if hasattr(child, "data")]
    counters = next(
        (tuple(map(int, one.children[0][1:-1].split(":"))) for one in parts if one.data == "counters"), None
    )
    options = []
    for one in parts:
        if one.data != "counters":
            first, last = one.children[0], one.children[-1]
            values = [word.strip('"') for word in one.children if word.type != "NOT"]
            options.append((str(one.data), first.type == "NOT", *values, line[first.column - 1 : last.end_column - 1]))
    kind = {"chain": "policy"}.get(tree.data, str(tree.data))
    return kind, words["CHAIN"], words.get("POLICY"), counters, options
