"""options.toml: each option in one state, each state true of what the lowering makes of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from icclint.ir import match as ir
from icclint.ir.ruleset import Rule
from icclint.lower.options import Support, option_table, plain_keyword
from icclint.lower.rule import option_owners
from icclint.parse.dump import Command, Option
from icclint.parse.iptables import parse_dump
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document
from tests import test_dumps
from tests.test_dumps import Case

ROOT = Path(__file__).parent.parent
STATES = ("modelled", "no-effect", "per-packet", "free")
VERDICTS = {
    "accept", "drop", "reject", "return", "continue", "rewrite-source", "rewrite-destination", "rewrite-prefix",
    "set-mark", "forget-mark", "no-track", "set-ttl", "unknown",
}  # fmt: skip
ABSENT = {"geoip", "unclean", "TARPIT"}
"""Extensions of cases that are about what icclint does not know."""
UNKNOWN = {
    ("command", "--dport"), ("match.conntrack", "--cts"), ("match.tcp", "--fast-open"), ("target.REJECT", "--politely"),
}  # fmt: skip
UNSTEADY = ("What a target writes is asked anew", "Table raw asks before conntrack and routing do their work")
"""Cases in which the state of an option is not all that counts."""


@cache
def sections() -> dict[str, dict[str, Any]]:
    data = tomllib.loads(files("icclint_grammars").joinpath("options.toml").read_text("utf-8"))
    return {
        "command": data["command"],
        **{f"match.{name}": section for name, section in data["match"].items()},
        **{f"target.{name}": section for name, section in data["target"].items()},
    }


@pytest.mark.parametrize("owner", list(sections()))
def test_an_option_stands_in_one_state(owner: str) -> None:
    section = sections()[owner]
    options = [option for state in STATES for option in section.get(state, ())]
    assert len(options) == len(set(options))
    # The spellings that dumps do not print are turned into those that they do.
    assert options == [plain_keyword(option) for option in options]


@pytest.mark.parametrize("owner", list(sections()))
def test_a_section_says_only_what_is_read(owner: str) -> None:
    section = sections()[owner]
    known = {*STATES} | ({"verdict", "verdict-with"} if owner.startswith("target.") else set())
    known |= {"bare", "written-by", "entangled"} if owner.startswith("match.") else set()
    assert section.keys() <= known
    assert section.get("bare", "free") in STATES
    assert {f"target.{name}" for name in section.get("written-by", ())} <= sections().keys()
    if owner.startswith("target."):
        assert {section["verdict"], *section.get("verdict-with", {}).values()} <= VERDICTS
        assert {(owner, option) for option in section.get("verdict-with", {})} <= option_table().rows.keys()


def dumps() -> Iterator[Path]:
    for folder in ("tests/captures", "samples"):
        yield from sorted(path for path in (ROOT / folder).glob("**/*tables*") if path.is_file())


@pytest.mark.parametrize("path", list(dumps()), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_option_of_a_real_dump_is_in_a_row(path: Path) -> None:
    document = Document(path.name, path.read_bytes())
    assert kind_of(document) in (Kind.IPTABLES, Kind.EMPTY)
    strange = {(owner, o.keyword) for owner, o in owners_in(document) if not supported(owner, o)}
    assert strange == set()


def test_each_option_of_a_case_is_in_a_row_unless_it_is_about_one_that_is_not() -> None:
    found = {
        (owner, option.keyword)
        for case in test_dumps.ALL
        for document in case.documents
        for owner, option in owners_in(document)
        if not supported(owner, option) and owner.partition(".")[2] not in ABSENT
    }
    # Of a listing, some words are not read.
    assert {(owner, keyword) for owner, keyword in found if keyword != "[unread]"} == UNKNOWN


def test_there_is_a_case_for_every_row() -> None:
    seen = {
        (owner, plain_keyword(option.keyword))
        for case in test_dumps.ALL
        for document in case.documents
        for owner, option in owners_in(document)
    }
    # Counters are no option of the rule to the reader; a case of their own shows that they say nothing.
    assert option_table().rows.keys() - seen == {("command", "-c")}


def owners_in(document: Document) -> Iterator[tuple[str, Option]]:
    for table in parse_dump(document).tables:
        for command in table.commands:
            yield from option_owners(command)


def supported(owner: str, option: Option) -> bool:
    return option_table().support(owner, plain_keyword(option.keyword)) is not Support.UNRECOGNISED


@dataclass(frozen=True)
class Said:
    """What one rule of a case says with one clause: the options of one owner, with their states."""

    rule: Rule
    owner: str
    options: tuple[tuple[Option, Support], ...]
    steady: bool

    @property
    def states(self) -> set[Support]:
        return {state for _, state in self.options} - {Support.NO_EFFECT}


def said() -> Iterator[Said]:
    for case in test_dumps.ALL:
        if case.title.startswith("options: "):
            yield from _said(case)


def _said(case: Case) -> Iterator[Said]:
    rules = {
        rule.span: rule
        for ruleset in case.lowered()[0].rulesets
        for table in ruleset.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
    }
    commands = [command for d in case.documents for table in parse_dump(d).tables for command in table.commands]
    for command in commands:
        if command.kind not in ("policy", "declare"):
            for owner, options in clauses(command).items():
                yield Said(rules[command.span], owner, options, not case.title.endswith(UNSTEADY))


def clauses(command: Command) -> dict[str, tuple[tuple[Option, Support], ...]]:
    found: dict[str, tuple[tuple[Option, Support], ...]] = {}
    for owner, option in option_owners(command):
        if option.name not in ("module", "jump", "goto"):
            state = option_table().support(owner, plain_keyword(option.keyword))
            found[owner] = (*found.get(owner, ()), (option, state))
    return found


SAID = list(said())
OF_MATCHES = [clause for clause in SAID if not clause.owner.startswith("target.")]


@pytest.mark.parametrize("clause", OF_MATCHES, ids=lambda clause: f"{clause.rule.span.line} {clause.owner}")
def test_a_match_becomes_what_its_state_says(clause: Said) -> None:
    opaque = [match for match in clause.rule.matches if isinstance(match, ir.OpaqueMatch)]
    modelled = {match.text for match in clause.rule.matches if not isinstance(match, ir.OpaqueMatch)}
    whole = option_table().is_entangled(clause.owner) and clause.states > {Support.MODELLED}
    for option, state in clause.options:
        text = option.text
        kept = [match for match in opaque if text.removeprefix("! ") in match.text.replace("! ", "")]
        if state is Support.NO_EFFECT:
            assert not kept
        elif state is Support.MODELLED and not whole:
            # What asks for any ICMP asks for nothing.
            assert text in modelled or text == "--icmp-type any"
            assert not kept
        else:
            assert len(kept) == 1
            assert text not in modelled
            if clause.steady:
                assert kept[0].per_packet == (Support.FREE not in clause.states)


@pytest.mark.parametrize(
    "clause",
    [clause for clause in SAID if clause.owner.startswith("target.") and Support.MODELLED in clause.states],
    ids=lambda clause: f"{clause.rule.span.line} {clause.owner}",
)
def test_a_target_with_a_modelled_option_is_modelled(clause: Said) -> None:
    target = clause.rule.target
    unknown = isinstance(target, ir.UnknownTarget) or (isinstance(target, ir.Rewrite) and target.how == "unknown")
    # A packet that may expire, and NETMAP in a chain that any hook may call, are not known although the option is.
    assert unknown == (clause.rule.text in ("-A PREROUTING -j TTL --ttl-set 1", "-A ANY -j NETMAP --to 10.1.0.0/16"))
