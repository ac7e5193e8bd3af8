"""What a rule says: a contradiction that it found, or that it cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from icclint.packets.packet import Packet
from icclint.packets.verdict import Assumption, Trace
from icclint.source import Span


class Severity(Enum):
    """How much a rule's findings matter, the worst first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Location:
    """A place, and what is to be seen there."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A contradiction between a claim and its effect.

    ``message`` is one sentence that stands alone: what is so, of what, and with what effect. ``subject`` names what
    the finding is about (``network payments``). ``key`` are texts that tell this finding from others of the same rule
    and subject; it is made of names and of rules as written, never of lines. ``primary`` is the place that a reader
    must change or question. ``packet`` and ``trace`` are the proof where the finding is about packets. The finding is
    certain where ``assumptions`` is empty. ``remedy`` are commands, to be run by a person.
    """

    message: str
    subject: str
    key: tuple[str, ...]
    primary: Location
    related: tuple[Location, ...] = ()
    packet: Packet | None = None
    trace: Trace | None = None
    assumptions: tuple[Assumption, ...] = ()
    remedy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAssessed:
    """What a rule cannot tell of a subject, why, and the command whose output would tell (None where none would)."""

    subject: str
    reason: str
    capture_with: str | None
