"""What a transcript shows of a host, state by state.

A transcript tells of several moments. Two outputs belong to one state of the host as long as nothing that was typed
between them may have changed what the first one shows, and they do not contradict each other. Where a state ends, what
cannot have changed stays for the next one: a started container leaves the options of a network as they were, and a
restarted engine leaves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from icclint.parse.diff import sides
from icclint.parse.dump import CUT
from icclint.parse.gaps import line_gap
from icclint.parse.iptables import parse_dump
from icclint.parse.kind import Kind, kind_of
from icclint.parse.shell import (
    IPTABLES,
    CommandLine,
    Simple,
    Subject,
    Subjects,
    inspected,
    parse_line,
    prints_a_file,
    shows_hosts,
)
from icclint.parse.sysctl import parse_sysctl
from icclint.parse.transcript import Entry, TooLongError, read_transcript
from icclint.source import Document, Gap

Piece = tuple[Document, Kind]
SEVERAL_STATES = (Kind.TRANSCRIPT, Kind.DIFF)
"""The kinds of documents that may tell of a host at several times."""


@dataclass(frozen=True, slots=True)
class State:
    """A host at one time, as a transcript shows it. ``host`` is its name in the prompts, empty where they have none."""

    host: str
    pieces: tuple[Piece, ...]
    gaps: tuple[Gap, ...]


def read_states(document: Document, kind: Kind) -> tuple[State, ...]:
    """The states that a transcript or a diff shows, host by host and in order.

    There is one without pieces where it shows nothing.
    """
    if kind is Kind.DIFF:
        return tuple(State("", ((document, kind), (side, kind_of(side))), ()) for side in sides(document))
    try:
        transcript = read_transcript(document)
    except TooLongError:
        gap = Gap(document.whole_span(), document.name, "a transcript of too many commands and lines", whole=True)
        return (State("", ((document, Kind.TRANSCRIPT),), (gap,)),)
    hosts: dict[str, _History] = {}
    for entry in transcript.entries:
        if not entry.elsewhere:
            hosts.setdefault(entry.host, _History()).type(entry)
    whole = (transcript.file, Kind.TRANSCRIPT)
    states = [
        State(host, (whole, *pieces), gaps)
        for host, history in sorted(hosts.items())
        for pieces, gaps in history.states()
    ]
    return tuple(states) or (State("", (whole,), ()),)


@dataclass
class _History:
    """The pieces that tell of a host as it is now, while its commands are gone through.

    ``left`` are those of ``shown`` that are still true after what has been typed since.
    """

    shown: list[Piece] = field(default_factory=list)
    left: list[Piece] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    done: list[tuple[tuple[Piece, ...], tuple[Gap, ...]]] = field(default_factory=list)

    def type(self, entry: Entry) -> None:
        """Goes on to the next command: what it changes, and then what it printed."""
        changed = entry.command.changes
        if changed:
            self.left = [after for piece in self.left if (after := _after(piece, entry.command, changed)) is not None]
        piece, gap = _piece(entry)
        if gap is not None:
            self.gaps.append(gap)
        if piece is not None:
            self._show(piece)

    def states(self) -> Iterator[tuple[tuple[Piece, ...], tuple[Gap, ...]]]:
        """All states, the last one included."""
        self._close()
        yield from self.done

    def _show(self, piece: Piece) -> None:
        facts = facts_of(piece)
        known = [facts_of(other) for other in self.left]
        if any(other[key] != value for other in known for key, value in facts.items() if key in other):
            # Something changed that the transcript does not show, and so may anything.
            self.left, known = [], []
        if len(self.left) < len(self.shown):
            self._close()
        if not any(_is_part(facts, other) for other in known):
            kept = [other for other, said in zip(self.left, known, strict=True) if not _is_part(said, facts)]
            self.left = [*kept, piece]
        self.shown = list(self.left)

    def _close(self) -> None:
        if self.shown:
            self.done.append((tuple(self.shown), tuple(self.gaps)))
        elif self.gaps and not self.done:
            self.done.append(((), tuple(self.gaps)))
        self.shown, self.gaps = [], []


def _is_part(facts: Mapping[object, object], of: Mapping[object, object]) -> bool:
    """Whether an output says nothing that another one does not say as well."""
    return bool(facts) and facts.items() <= of.items()


_SUBJECTS: Mapping[Kind, Subjects] = {
    **dict.fromkeys((Kind.IPTABLES, Kind.NFTABLES, Kind.IPSETS), frozenset((Subject.RULES,))),
    **dict.fromkeys((Kind.NETWORKS, Kind.CUT_INSPECT), frozenset((Subject.NETWORKS,))),
    Kind.CONTAINERS: frozenset((Subject.CONTAINERS,)),
    **dict.fromkeys((Kind.SYSCTL, Kind.MODULES), frozenset((Subject.SETTINGS,))),
    **dict.fromkeys(
        (Kind.INTERFACES, Kind.INTERFACES_JSON, Kind.ROUTES, Kind.ROUTES_JSON), frozenset((Subject.INTERFACES,))
    ),
    **dict.fromkeys((Kind.UFW, Kind.FIREWALLD), frozenset((Subject.RULES, Subject.SETTINGS))),
    **dict.fromkeys((Kind.DAEMON, Kind.UNIT), frozenset((Subject.FILES,))),
    # `docker info` says whether bridged frames meet iptables, and docker-proxy runs for each published port.
    **dict.fromkeys((Kind.ENGINE, Kind.ENGINE_JSON), frozenset((Subject.REST, Subject.SETTINGS))),
    Kind.PROCESSES: frozenset((Subject.REST, Subject.CONTAINERS)),
}
"""What of a host a document is about, by its kind."""
_ENDPOINTS = frozenset(("Containers",))


def _after(piece: Piece, line: CommandLine, changed: Subjects) -> Piece | None:
    """A piece as it is still true after a command; None where it may not be."""
    document, kind = piece
    subjects = _SUBJECTS[kind]
    if not subjects.isdisjoint(changed) and not (kind is Kind.IPTABLES and _leaves_alone(document, line)):
        return None
    if Subject.NETWORKS in subjects and Subject.ENDPOINTS in changed:
        return replace(document, changed=document.changed | _ENDPOINTS), kind
    return piece


def _leaves_alone(document: Document, line: CommandLine) -> bool:
    """Whether commands of iptables are about another table, or another family, than an output."""
    shown = parse_line(document.command).only
    tables = _table(shown) if shown else None
    return tables is not None and all(
        (other := _table(command)) is not None and other != tables for command in line.commands
    )


def _table(command: Simple) -> tuple[str, str] | None:
    """The tool and the table that a command of iptables is about; None for any other, and for a save of all tables."""
    name = IPTABLES.fullmatch(command.program)
    table = command.value("-t", "--table")
    if name is None or (name["save"] and table is None):
        return None
    return name["tool"], table or "filter"


def _piece(entry: Entry) -> tuple[Piece | None, Gap | None]:
    """What a command printed, if that can be read, and a gap where it should be and cannot."""
    output, only = entry.output, entry.command.only
    if not output.text.strip() or (only is not None and only.writes_to) or entry.command.leads_elsewhere:
        return None, None
    kind = kind_of(output)
    shows = any(shows_hosts(command) for command in entry.command.commands)
    if kind not in _SUBJECTS:
        asked = only is not None and (IPTABLES.fullmatch(only.program) or inspected(only))
        lost = kind in (Kind.UNKNOWN, Kind.BROKEN_JSON) and asked and not entry.command.filtered
        return None, _gap(output, "this is not understood") if lost else None
    if not entry.text:
        return None, _gap(output, "the command that printed this is not shown")
    if kind not in _OF_FILES and any(prints_a_file(command) for command in entry.command.commands) and not shows:
        return None, _gap(output, "printed from a file, and so of a time that is not known")
    if entry.command.filtered and kind not in _LINE_BY_LINE:
        return None, _gap(output, "it went through a filter, which may have left out what matters")
    if kind in _PARTLY and only is not None and not _WHOLE.fullmatch(" ".join(only.words)):
        return None, None
    return (output, kind), None


_OF_FILES = (Kind.DAEMON, Kind.UNIT)
_LINE_BY_LINE = (Kind.IPTABLES, Kind.SYSCTL, Kind.PROCESSES)
"""Kinds of which single lines tell something, and nothing is made of lines that are not there."""
_PARTLY = (Kind.NFTABLES, Kind.INTERFACES, Kind.ROUTES, Kind.INTERFACES_JSON, Kind.ROUTES_JSON)
_WHOLE = re.compile(
    r"nft (?:-\w+ )*list ruleset|ip (?:-\S+ )*(?:a(?:ddr(?:ess)?)?|r(?:oute)?)(?: (?:show|list|ls|s|l))?"
)


def _gap(output: Document, reason: str) -> Gap:
    first = next(number for number, line in enumerate(output.lines, start=1) if line.strip())
    return line_gap(output, first, f"output of `{output.command}`: {reason}" if output.command else reason)


def facts_of(piece: Piece) -> Mapping[object, object]:
    """What an output states, each fact under a key that other outputs have for the same thing."""
    document, kind = piece
    match kind:
        case Kind.IPTABLES:
            return dict(_chains(document))
        case Kind.NETWORKS | Kind.CONTAINERS:
            found = json.loads(document.text)
            objects = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]
            return {
                (kind, one.get("Name"), one.get("Id"), key): value
                for one in objects
                for key, value in one.items()
                if key not in document.changed
            }
        case Kind.SYSCTL:
            settings = parse_sysctl(document).settings
            return {setting.name: setting.value for setting in settings if setting.name.startswith("net.")}
    return {(kind, parse_line(document.command).commands): document.text.strip()}


def _chains(document: Document) -> Iterator[tuple[object, object]]:
    """The chains of a dump with their rules, but for counters and for those of which something was taken out."""
    for table in parse_dump(document).tables:
        chains: dict[str | None, list[object]] = {}
        for command in table.commands:
            said = [(option.keyword, option.negated, option.values) for option in command.options]
            chains.setdefault(command.chain, []).append((command.kind, command.policy, said or command.chain))
        cut = {command.chain for command in table.commands if command.kind == CUT}
        for chain, rules in chains.items():
            if chain is not None and not cut and not table.filtered:
                yield (table.family or 4, table.table or "filter", table.variant, table.listed, chain), rules
