"""The result of a run, as ``-o json`` prints it. Its JSON Schema is docs/report.schema.json."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ReportedDocument(_Part):
    """One document that was read. ``sha256`` is of the bytes as read."""

    name: str
    kind: str
    host: str
    sha256: str
    bytes: int
    lines: int


class ReportedLocation(_Part):
    """A place in a document: lines and columns count from 1, in code points; the end is exclusive."""

    document: str
    line: int
    column: int
    end_line: int
    end_column: int


class ReportedReleases(_Part):
    """Releases of the engine that wrote rules of a host, and a line that only they write."""

    releases: str
    location: ReportedLocation


class ReportedHost(_Part):
    """A host that was looked at.

    ``rules_of`` are the releases of the engine that its rules are told to be of: none where no engine's rules are
    recognised, several where rules of one engine outlived it. ``layout`` is what laid its files out, empty where a
    person did; ``passed_over`` is how many of them were looked at and are not read.
    """

    name: str
    rules_of: tuple[ReportedReleases, ...]
    layout: str
    passed_over: int


class RelatedLocation(_Part):
    """A place that a finding leans on, and what is to be seen there."""

    location: ReportedLocation
    message: str


class ReportedPacket(_Part):
    """The packet that proves a finding. ``icmp`` is type and code; ports are null for protocols without them."""

    family: Literal[4, 6]
    state: str
    protocol: str
    source: str
    source_port: int | None
    destination: str
    destination_port: int | None
    icmp: tuple[int, int] | None
    in_interface: str | None
    out_interface: str | None
    bridged: bool
    text: str


class PathStep(_Part):
    """One rule or policy that the packet met. ``depth`` counts the jumps to its chain.

    A finding's path holds those that matched; a trace holds all, and ``why`` says which condition did not hold.
    """

    location: ReportedLocation | None
    table: str
    chain: str
    depth: int
    text: str
    effect: str
    matched: bool | None = True
    why: str = ""


class ReportedAssumption(_Part):
    """What must be so for a finding to hold, and the command whose output would tell."""

    text: str
    capture_with: str | None


class ReportedAcceptance(_Part):
    """Why a finding is accepted, and the last day on which it is."""

    reason: str
    until: date | None


class ReportedFinding(_Part):
    """A contradiction between a claim and its effect.

    ``state`` is what it is beside a baseline: null without one. ``acceptance`` is set of those that are accepted.
    """

    rule: str
    host: str
    severity: Literal["high", "medium", "low", "note"]
    confidence: Literal["certain", "possible"]
    message: str
    subject: str
    location: ReportedLocation
    label: str
    related: tuple[RelatedLocation, ...]
    packet: ReportedPacket | None
    path: tuple[PathStep, ...]
    assumptions: tuple[ReportedAssumption, ...]
    remedy: tuple[str, ...]
    fingerprint: str
    state: Literal["new", "known"] | None = None
    acceptance: ReportedAcceptance | None = None


class ReportedGone(_Part):
    """A finding of the baseline that is no longer there, although its rule told all it could of the host."""

    rule: str
    host: str
    subject: str
    message: str
    fingerprint: str


class ReportedIdleAcceptance(_Part):
    """An entry of the configuration that accepts nothing, and why: its last day is over, or it matched no finding.

    ``file`` and ``line`` are its place in the configuration.
    """

    kind: Literal["ended-accept", "unused-accept"]
    file: str
    line: int
    rule: str
    subject: str
    host: str
    text: str


class ReportedNotAssessed(_Part):
    """A rule that could not tell, of what, why, and the command whose output would tell."""

    rule: str
    host: str
    subject: str
    reason: str
    capture_with: str | None


class ReportedGap(_Part):
    """Something that was captured and not understood; ``whole`` where nothing of the document could be used."""

    host: str
    location: ReportedLocation
    text: str
    reason: str
    whole: bool


class ReportedCrash(_Part):
    """A rule that failed. The report is not complete."""

    rule: str
    host: str
    error: str


class Report(_Part):
    """Everything that a run has to say, host by host, or what it has to say of one of them.

    ``rules`` are those that were asked. Findings that are ``accepted`` are not among the others, and those that are
    ``gone`` are of the baseline. Where it is not ``complete``, a path that was named gave no capture, and a host may be
    missing.
    """

    format: Literal["icclint/1"] = "icclint/1"
    rules: tuple[str, ...]
    hosts: tuple[ReportedHost, ...]
    documents: tuple[ReportedDocument, ...]
    findings: tuple[ReportedFinding, ...]
    not_assessed: tuple[ReportedNotAssessed, ...]
    gaps: tuple[ReportedGap, ...]
    crashes: tuple[ReportedCrash, ...]
    accepted: tuple[ReportedFinding, ...] = ()
    idle_acceptances: tuple[ReportedIdleAcceptance, ...] = ()
    gone: tuple[ReportedGone, ...] = ()
    complete: bool = True

    def is_told(self, rule: str, host: str) -> bool:
        """Whether a rule told all that it could of a host, so that what it did not find is not there."""
        if rule not in self.rules or all(host != looked_at.name for looked_at in self.hosts):
            return False
        unknown = {(word.rule, word.host) for words in (self.not_assessed, self.crashes) for word in words}
        return (rule, host) not in unknown and not any(gap.whole for gap in self.gaps if gap.host == host)

    @property
    def counting(self) -> tuple[ReportedFinding, ...]:
        """The findings that count for the exit code: neither accepted nor known."""
        return tuple(finding for finding in self.findings if finding.state != "known")


LISTS = tuple(name for name in Report.model_fields if name not in ("format", "rules", "complete"))
"""The members of a report that are lists of what a run says, in their order."""


def join(reports: Iterable[Report]) -> Report:
    """One report of all that some of one run say, in their order."""
    parts = tuple(reports)
    joined: dict[str, object] = {name: tuple(one for part in parts for one in getattr(part, name)) for name in LISTS}
    rules = parts[0].rules if parts else ()
    return Report.model_validate(joined | {"rules": rules, "complete": all(part.complete for part in parts)})
