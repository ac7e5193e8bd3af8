"""What is left of ``docker network inspect`` where somebody took something out of it.

Docker indents its JSON by four blanks a level, each member on a line of its own (cli/command/inspect, json.Indent), so
that it shows where a line belongs even if its surroundings are gone. What could belong to two places is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from icclint.parse.cuts import is_cut
from icclint.parse.gaps import line_gap
from icclint.parse.json import JsonError, Path, parse_json
from icclint.parse.shell import inspected, parse_line
from icclint.source import Document, Gap, Span

STEP = 4
MOST_LINES = 20_000
"""How long a text may be. Each member is read by itself, at its place, so that time grows with the square."""
_MEMBER = re.compile(r'(?P<indent> *)"(?P<key>[^"\\]+)": ')
_SIMPLE = re.compile(r'\s*"(?:[^"\\]|\\.)+": (?:"(?:[^"\\]|\\.)*"|null|true|false|-?\d+),?\s*')
NETWORK_KEYS = frozenset(
    ("Name", "Id", "Driver", "EnableIPv6", "Internal", "IPAM", "Containers", "Options", "Labels", "Scope")
)
"""What every network has since engine 1.11, as far as it is read."""
_TELLING = frozenset(("IPAM", "EnableIPv6", "EnableIPv4", "Internal", "Scope", "Containers", "Attachable", "Ingress"))
_BRIDGE_OPTION = "com.docker.network.bridge."


@dataclass(frozen=True, slots=True)
class CutNetwork:
    """One inspected network: its members, as far as they are certain.

    ``lost`` are the keys that may have been cut away, ``spans`` the places of members by their paths. ``gap`` is None
    where nothing is missing.
    """

    value: Mapping[str, Any]
    spans: Mapping[Path, Span]
    lost: frozenset[str]
    gap: Gap | None


def recover(document: Document) -> tuple[CutNetwork, ...]:
    """The networks of a JSON text that is not whole, in order."""
    if len(document.lines) > MOST_LINES:
        return ()
    return tuple(found for found in _Reader(document).read() if _is_network(found.value, document))


@dataclass
class _Open:
    """An object while its lines are read; ``line`` is the first of them."""

    line: int
    value: dict[str, Any] = field(default_factory=dict)
    spans: dict[Path, Span] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    last: int = 0
    cut: int | None = None


class _Reader:
    """Goes from member to member of the objects, by their indentation."""

    def __init__(self, document: Document) -> None:
        self.document = document
        line = parse_line(document.command).only
        self.names = inspected(line) if line else None
        self.level = self._level()

    def _level(self) -> int:
        """How far the members of an object are indented."""
        for line in self.document.lines:
            indent = len(line) - len(line.lstrip())
            if line.strip() in ("[", "{"):
                return indent + (2 * STEP if line.strip() == "[" else STEP)
            if line.strip() and not is_cut(line):
                break
        members = (found for line in self.document.lines if (found := _MEMBER.match(line)))
        return min((len(found["indent"]) for found in members), default=0)

    def read(self) -> Iterator[CutNetwork]:
        here: _Open | None = None
        number = 1
        lines = self.document.lines
        while number <= len(lines):
            line = lines[number - 1]
            member = _MEMBER.match(line)
            if is_cut(line):
                here = here or _Open(number)
                here.cut = here.cut or number
            elif line.strip() == "{" and len(line) - len(line.lstrip()) == self.level - STEP:
                yield from self._close(here)
                here = _Open(number)
            elif re.match(r"\s*\},?\s*$", line) and len(line) - len(line.lstrip()) == self.level - STEP:
                if here is not None and here.cut is None and here.line == number:
                    here = None
                yield from self._close(here, whole=True)
                here = None
            elif member and len(member["indent"]) == self.level:
                if here is None:
                    # Its beginning is not shown.
                    here = _Open(number, cut=number)
                number = self._member(here, number, member["key"])
                continue
            elif line.strip() and here is not None:
                here.cut = here.cut or number
            number += 1
        yield from self._close(here)

    def _member(self, here: _Open, number: int, key: str) -> int:
        """Reads the lines of one member. Gives the line behind it."""
        end = number + 1
        lines = self.document.lines
        while end <= len(lines) and not self._ends(lines[end - 1]):
            end += 1
        if (
            end <= len(lines)
            and re.match(r"\s*[\]}],?\s*$", lines[end - 1])
            and self._indent(lines[end - 1]) == self.level
        ):
            end += 1
        if here.cut is not None and not self._is_one():
            # It may be a member of another object.
            return end
        text = "\n".join(lines[number - 1 : end - 1]).rstrip().removesuffix(",")
        found: tuple[Mapping[str, Any], Mapping[Path, Span]] | None
        try:
            found = self._parsed(number, text)
        except JsonError:
            here.cut = here.cut or number
            here.broken.add(key)
            found = self._beginning(number, end)
        if found is not None:
            value, spans = found
            here.value[key] = value[key]
            here.spans.update(spans)
        here.last = end - 1
        return end

    def _ends(self, line: str) -> bool:
        """Whether a line does not belong to the member before it."""
        return is_cut(line) or (bool(line.strip()) and self._indent(line) <= self.level)

    def _indent(self, line: str) -> int:
        return len(line) - len(line.lstrip())

    def _is_one(self) -> bool:
        return self.names is not None and len(self.names) == 1

    def _beginning(self, number: int, end: int) -> tuple[Mapping[str, Any], Mapping[Path, Span]] | None:
        """The members of an object whose values are simple, up to where something is missing."""
        lines = self.document.lines
        if not lines[number - 1].rstrip().endswith("{"):
            return None
        kept = [lines[number - 1]]
        for line in lines[number : end - 1]:
            if not _SIMPLE.fullmatch(line) or self._indent(line) != self.level + STEP:
                break
            kept.append(line)
        try:
            return self._parsed(number, "\n".join(kept).rstrip().removesuffix(",") + "}")
        except JsonError:
            return None

    def _parsed(self, number: int, text: str) -> tuple[Mapping[str, Any], Mapping[Path, Span]]:
        """The member that a text is, with its places. Raises `JsonError`."""
        indent = len(text) - len(text.lstrip())
        # A bracket in the last blank before the key leaves all else where it is.
        whole = "\n" * (number - 1) + text[: max(indent - 1, 0)] + "{" + text[indent:] + "}"
        found = parse_json(Document(self.document.name, b"", plain=whole))
        return found.value, {path: span for path, span in found.spans.items() if path}

    def _close(self, here: _Open | None, *, whole: bool = False) -> Iterator[CutNetwork]:
        if here is None or (not here.value and not here.broken):
            return
        cut = here.cut if here.cut is not None else None if whole else here.last
        lost = (NETWORK_KEYS - here.value.keys()) | here.broken if cut is not None else frozenset[str]()
        value = dict(here.value)
        if cut is not None and "Name" not in value and self._is_one():
            assert self.names is not None
            value["Name"] = self.names[0]
            lost -= {"Name"}
        if "Driver" not in value and _is_bridge(value):
            value["Driver"] = "bridge"
            lost -= {"Driver"}
        first = here.line
        span = Span(self.document.name, first, 1, max(here.last, first), 1)
        gap = line_gap(self.document, cut, "") if cut is not None else None
        yield CutNetwork(value, {(): span, **here.spans}, frozenset(lost), gap)


def _is_bridge(value: Mapping[str, Any]) -> bool:
    """Whether a network whose driver is not shown is of the bridge driver.

    The engine's own network `bridge` is, and only that driver has such options (moby, libnetwork/drivers/bridge).
    """
    options = value.get("Options")
    return value.get("Name") == "bridge" or (
        isinstance(options, dict) and any(name.startswith(_BRIDGE_OPTION) for name in options)
    )


def _is_network(value: Mapping[str, Any], document: Document) -> bool:
    options = value.get("Options")
    has_option = isinstance(options, dict) and any(str(name).startswith("com.docker.network.") for name in options)
    named = "network" in document.command.split() and value.keys() >= {"Name", "Id"}
    return bool(value.keys() & _TELLING) or has_option or named
