"""Dumps of ipset: ``ipset save`` and ``ipset list``.

Shapes: man ipset; ipset, lib/session.c (ipset_print_proto_list, callback_list), v6 and v7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from icclint.parse.gaps import Gaps
from icclint.source import Document, Gap, Span


@dataclass(frozen=True, slots=True)
class ShownMember:
    """One member as written: ``10.0.0.1,tcp:80``. ``excluded`` marks one with ``nomatch``."""

    text: str
    excluded: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ShownSet:
    """One set as written. ``options`` are the words behind its type; ``complete`` tells that all members were shown."""

    name: str
    type: str
    options: tuple[str, ...]
    members: tuple[ShownMember, ...]
    complete: bool
    span: Span


@dataclass
class _Draft:
    """A set whose members are still coming. ``expected`` is how many there are, where the dump says so."""

    name: str
    span: Span
    type: str = ""
    options: tuple[str, ...] = ()
    expected: int | None = None
    has_members: bool = False
    members: list[ShownMember] = field(default_factory=list)

    def shown(self) -> ShownSet:
        complete = self.has_members and self.expected in (None, len(self.members))
        return ShownSet(self.name, self.type, self.options, tuple(self.members), complete, self.span)


_CREATE = re.compile(r"(?:create|-N|--create)\s+(?P<name>\S+)\s+(?P<type>\w+:\S+)(?P<options>.*)$")
_ADD = re.compile(r"(?:add|-A|--add)\s+(?P<name>\S+)\s+(?P<member>\S+)(?P<options>.*)$")
_NAME = re.compile(r"Name:\s+(?P<name>\S+)\s*$")
_FIELD = re.compile(
    r"(?P<key>Type|Revision|Header|Size in memory|References|Default|Number of entries):\s*(?P<value>.*)$"
)
_SAVED = re.compile(r"create \S+ (?:hash|bitmap|list):\S+(?: |$)")
_COMMENT = re.compile(r"\bcomment \"[^\"]*\"")


def looks_like_sets(lines: Iterable[str]) -> bool:
    """Whether the first lines that say anything are those of a dump of ipset."""
    said = [line for line in lines if line.strip() and not line.startswith("#")][:2]
    if not said:
        return False
    listed = len(said) == 2 and _NAME.match(said[0]) is not None and said[1].startswith("Type: ")
    return listed or _SAVED.match(said[0]) is not None


def parse_sets(document: Document) -> tuple[tuple[ShownSet, ...], tuple[Gap, ...]]:
    """The sets of a dump, and the lines that are not understood."""
    drafts: dict[str, _Draft] = {}
    listed: _Draft | None = None
    gaps = Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        span = document.line_span(number)
        if not line.strip() or line.startswith("#"):
            continue
        gaps.understood()
        if created := _CREATE.match(line):
            words = tuple(created["options"].split())
            drafts[created["name"]] = _Draft(created["name"], span, created["type"], words, has_members=True)
        elif (added := _ADD.match(line)) and added["name"] in drafts:
            drafts[added["name"]].members.append(_member(added["member"], added["options"], span))
        elif named := _NAME.match(line):
            listed = drafts[named["name"]] = _Draft(named["name"], span)
        elif listed is not None and not listed.has_members and (said := _FIELD.match(line)):
            _tell(listed, said["key"], said["value"])
        elif listed is not None and line.rstrip() == "Members:":
            listed.has_members = True
        elif listed is not None and listed.has_members:
            text, _, options = line.strip().partition(" ")
            listed.members.append(_member(text, options, span))
        else:
            gaps.foreign(number, "not a line that ipset save or ipset list prints")
    sets = tuple(draft.shown() for draft in drafts.values())
    cut = [shown for shown in sets if not shown.complete]
    untold = tuple(Gap(shown.span, shown.name, f"not all members of set {shown.name} are shown") for shown in cut)
    return sets, (*gaps.all(), *untold)


def _tell(draft: _Draft, key: str, value: str) -> None:
    if key == "Type":
        draft.type = value.strip()
    elif key == "Header":
        draft.options = tuple(value.split())
    elif key == "Number of entries" and re.fullmatch(r"\s*[0-9]{1,10}\s*", value):
        draft.expected = int(value)


def _member(text: str, options: str, span: Span) -> ShownMember:
    # A comment may hold any word.
    return ShownMember(text, "nomatch" in _COMMENT.sub("", options).split(), span)
