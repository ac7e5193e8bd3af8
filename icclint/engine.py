"""Asks every rule of a host, and puts what they say into a report."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from icclint import report as r
from icclint.capture.read import Capture
from icclint.docker.generation import generations
from icclint.finding import Finding, Location, NotAssessed
from icclint.fingerprint import Identity
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.packets.effect import Effect
from icclint.packets.packet import PROTOCOL_NAMES, Packet, address_text
from icclint.packets.verdict import Step, Trace
from icclint.parse.kind import Kind
from icclint.rule import Rule
from icclint.source import Document, Gap, Span


def check(captures: Iterable[Capture], rules: Sequence[Rule]) -> r.Report:
    """What the rules say of some captures, in the order of their hosts."""
    return r.join(check_capture(capture, rules) for capture in sorted(captures, key=lambda capture: capture.host))


def check_capture(capture: Capture, rules: Sequence[Rule]) -> r.Report:
    """What the rules say of one capture. A rule that fails is a crash in the report; the others still run."""
    host, gaps = lower_host(capture.host, capture.documents)
    effect, identity, draft = Effect(host), Identity(host), _Draft()
    told = [one for rule in rules for one in _check_rule(host, effect, identity, rule, draft)]
    findings = sorted(_each_cause_once(told), key=lambda one: one.order)
    documents = [_document(capture.host, document, kind) for document, kind in capture.documents if not document.file]
    return r.Report(
        rules=tuple(rule.id for rule in rules),
        hosts=(_host(host, capture),),
        documents=tuple(sorted(documents, key=lambda document: document.name)),
        findings=tuple(_numbered(one.reported for one in findings)),
        not_assessed=tuple(draft.not_assessed),
        gaps=tuple(_gap(capture.host, gap) for gap in (*capture.gaps, *gaps)),
        crashes=tuple(draft.crashes),
    )


@dataclass
class _Draft:
    """What rules say beside their findings, in the order in which they say it."""

    not_assessed: list[r.ReportedNotAssessed] = field(default_factory=list)
    crashes: list[r.ReportedCrash] = field(default_factory=list)


@dataclass(frozen=True)
class _Told:
    """What a rule found, and how the report puts it."""

    rule: Rule
    finding: Finding
    reported: r.ReportedFinding

    @property
    def order(self) -> tuple[object, ...]:
        span = self.finding.primary.span
        place = (span.document, span.line, span.column)
        return (self.rule.severity.rank, *place, self.rule.id, self.finding.subject, self.finding.message)


def _check_rule(host: Host, effect: Effect, identity: Identity, rule: Rule, draft: _Draft) -> list[_Told]:
    """What a rule finds; what else it says goes into the report."""
    missing = sorted(evidence.value for evidence in rule.needs if not evidence.is_in(host))
    if missing:
        reason = f"the capture holds no output of {', '.join(f'`{command}`' for command in missing)}"
        not_assessed = NotAssessed("host", reason, "; ".join(missing))
        draft.not_assessed.append(_not_assessed(host, rule, not_assessed))
        return []
    try:
        answer = _answer(host, identity, rule, rule.check(host, effect))
    # Whatever a rule raises must not look like silence, and neither must its end of the process.
    except (Exception, SystemExit):
        error = traceback.format_exc(limit=-3).strip()
        draft.crashes.append(r.ReportedCrash(rule=rule.id, host=host.name, error=error))
        return []
    draft.not_assessed += answer.not_assessed
    return answer.told


@dataclass
class _Answer:
    told: list[_Told] = field(default_factory=list)
    not_assessed: list[r.ReportedNotAssessed] = field(default_factory=list)


def _answer(host: Host, identity: Identity, rule: Rule, said: Iterable[object]) -> _Answer:
    """What a rule says of a host. Raises whatever the rule raises, and TypeError for what is no word of a rule."""
    answer = _Answer()
    for word in said:
        match word:
            case NotAssessed():
                answer.not_assessed.append(_not_assessed(host, rule, word))
            case Finding():
                answer.told.append(_Told(rule, word, _finding(host, identity, rule, word)))
            case _:
                raise TypeError(f"a rule yields Finding and NotAssessed, and this one {word!r}")
    return answer


def _each_cause_once(told: Sequence[_Told]) -> Iterator[_Told]:
    """Findings of rules that yield become a place of those findings of other rules that name their line."""
    yielding: dict[Span, list[Finding]] = {}
    for one in told:
        if one.rule.yields:
            yielding.setdefault(one.finding.primary.span, []).append(one.finding)
    parts_told: set[int] = set()
    for one in told:
        if not one.rule.yields:
            parts = [part for span in _named(one.finding) for part in yielding.get(span, ())]
            parts_told |= {id(part) for part in parts}
            yield _with_parts(one, parts)
    yield from (one for one in told if one.rule.yields and id(one.finding) not in parts_told)


def _named(finding: Finding) -> dict[Span, None]:
    """The lines that a finding names: its places, and the rules that its packet matched."""
    places = [finding.primary.span, *(place.span for place in finding.related)]
    steps = finding.trace.steps if finding.trace is not None else ()
    return dict.fromkeys(places + [step.span for step in steps if step.matched and step.span is not None])


def _with_parts(one: _Told, parts: Iterable[Finding]) -> _Told:
    shown = {place.span for place in one.finding.related}
    more = tuple(_related(part.primary) for part in parts if part.primary.span not in shown)
    return replace(one, reported=one.reported.model_copy(update={"related": one.reported.related + more}))


def _numbered(findings: Iterable[r.ReportedFinding]) -> Iterable[r.ReportedFinding]:
    """Tells findings with equal fingerprints apart by an ordinal, as code scanning expects of a line's hash."""
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.fingerprint] += 1
        yield finding.model_copy(update={"fingerprint": f"{finding.fingerprint}:{seen[finding.fingerprint]}"})


def _finding(host: Host, identity: Identity, rule: Rule, finding: Finding) -> r.ReportedFinding:
    return r.ReportedFinding(
        rule=rule.id,
        host=host.name,
        severity=rule.severity.value,
        confidence="possible" if finding.assumptions else "certain",
        message=finding.message,
        subject=finding.subject,
        location=location(finding.primary.span),
        label=finding.primary.label,
        related=tuple(map(_related, finding.related)),
        packet=reported_packet(finding.packet) if finding.packet else None,
        path=path(finding.trace) if finding.trace else (),
        assumptions=tuple(r.ReportedAssumption(text=a.text, capture_with=a.capture_with) for a in finding.assumptions),
        remedy=finding.remedy,
        fingerprint=identity.fingerprint(rule.id, finding.subject, finding.key),
    )


def _related(place: Location) -> r.RelatedLocation:
    return r.RelatedLocation(location=location(place.span), message=place.label)


def _not_assessed(host: Host, rule: Rule, word: NotAssessed) -> r.ReportedNotAssessed:
    return r.ReportedNotAssessed(
        rule=rule.id, host=host.name, subject=word.subject, reason=word.reason, capture_with=word.capture_with
    )


def _host(host: Host, capture: Capture) -> r.ReportedHost:
    marks = (
        r.ReportedReleases(releases=mark.generation.name, location=location(mark.span)) for mark in generations(host)
    )
    return r.ReportedHost(
        name=host.name, rules_of=tuple(marks), layout=capture.layout, passed_over=len(capture.passed_over)
    )


def _document(host: str, document: Document, kind: Kind) -> r.ReportedDocument:
    return r.ReportedDocument(
        name=document.name,
        kind=kind.value,
        host=host,
        sha256=document.sha256,
        bytes=len(document.content),
        lines=len(document.lines),
    )


def _gap(host: str, gap: Gap) -> r.ReportedGap:
    return r.ReportedGap(host=host, location=location(gap.span), text=gap.text, reason=gap.reason, whole=gap.whole)


def location(span: Span) -> r.ReportedLocation:
    """A span as the report states it."""
    return r.ReportedLocation(
        document=span.document,
        line=span.line,
        column=span.column,
        end_line=span.end_line,
        end_column=span.end_column,
    )


def reported_packet(packet: Packet) -> r.ReportedPacket:
    """A packet as the report states it."""
    return r.ReportedPacket(
        family=4 if packet.family == 4 else 6,
        state=packet.state,
        protocol=PROTOCOL_NAMES.get(packet.protocol, str(packet.protocol)),
        source=address_text(packet.source, packet.family),
        source_port=packet.source_port,
        destination=address_text(packet.destination, packet.family),
        destination_port=packet.destination_port,
        icmp=packet.icmp,
        in_interface=packet.in_interface,
        out_interface=packet.out_interface,
        bridged=packet.bridged,
        text=packet.describe(),
    )


def path(trace: Trace) -> tuple[r.PathStep, ...]:
    """The rules and policies on a packet's way that matched it."""
    return tuple(reported_step(step) for step in trace.steps if step.matched)


def reported_step(step: Step) -> r.PathStep:
    """A rule or policy that a packet met, as the report states it."""
    return r.PathStep(
        location=location(step.span) if step.span else None,
        table=step.table,
        chain=step.chain,
        depth=step.depth,
        text=step.text,
        effect=step.effect,
        matched=step.matched,
        why=step.why,
    )
