"""Findings as results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import sarif_om as om

from icclint.output.alert import alert_hash
from icclint.output.sarif.places import Places
from icclint.output.sarif.text import braced, clipped, link_text, literal, message
from icclint.output.visible import visible
from icclint.report import (
    PathStep,
    RelatedLocation,
    Report,
    ReportedAssumption,
    ReportedFinding,
    ReportedGone,
    ReportedLocation,
    ReportedPacket,
)

FINGERPRINT = "icclintFinding/v1"
"""The recipe of the fingerprints that the report has."""
MOST_RELATED = 900
"""GitHub refuses a result with more than 1,000 locations; its place and its path count as well."""
MOST_STEPS = 50
MOST_TEXT = 2_000
"""GitLab drops a result whose message has more than 2,048 characters."""
MOST_CLAIM = 500


class Weight(NamedTuple):
    """What a severity is called by those who read the log."""

    level: str
    problem: str
    score: str

    @property
    def rank(self) -> float:
        """GitLab believes the rank before anything else, so it must say what the score says."""
        return 10 * float(self.score)


# Scores lie in the middle of what GitHub calls high, medium and low. From `warning` on, levels are what the exit
# code counts by default.
WEIGHTS: Mapping[str, Weight] = {
    "high": Weight("error", "error", "8.0"),
    "medium": Weight("warning", "warning", "5.5"),
    "low": Weight("note", "recommendation", "2.5"),
    "note": Weight("note", "recommendation", "0.5"),
}

# Readers that look messages up and readers that want their text both find what they need, as every message gives
# its id, its arguments and its text.
MESSAGES: Mapping[str, str] = {"default": "{0}.", "explained": "{0}. {1}."}


def suppressions_of(finding: ReportedFinding) -> list[om.Suppression]:
    """Why a finding is accepted, if it is."""
    if finding.acceptance is None:
        return []
    until = f" (until {finding.acceptance.until})" if finding.acceptance.until else ""
    reason = f"{finding.acceptance.reason}{until}"
    return [om.Suppression(kind="external", state="accepted", justification=reason)]


def result_of(
    finding: ReportedFinding, places: Places, rule_index: int, suppressions: list[om.Suppression] | None
) -> om.Result:
    """The result that a finding is; ``suppressions`` is None in a log that tells of none."""
    weight = WEIGHTS[finding.severity]
    chains = {step.location: step for step in finding.path}
    return om.Result(
        rule_id=finding.rule,
        rule_index=rule_index,
        # GitHub makes an alert of every other kind as well.
        kind="fail",
        level=weight.level,
        rank=weight.rank,
        message=_finding_message(finding),
        locations=[
            places.location(finding.location, finding.label, chains.get(finding.location), finding.host, context=True)
        ],
        related_locations=[
            places.location(related.location, related.message, chains.get(related.location), finding.host, id=number)
            for number, related in _numbered(finding.related)
        ]
        or None,
        code_flows=[_code_flow(finding, places)] if finding.path else None,
        baseline_state=_STATES.get(finding.state or ""),
        suppressions=suppressions,
        partial_fingerprints=_fingerprints(finding),
        properties={
            "confidence": finding.confidence,
            "host": finding.host,
            "subject": finding.subject,
            "assumptions": [
                {"text": assumption.text, "captureWith": assumption.capture_with} for assumption in finding.assumptions
            ],
            "remedy": list(finding.remedy),
        },
    )


_STATES: Mapping[str, str] = {"new": "new", "known": "unchanged"}


def _fingerprints(finding: ReportedFinding | ReportedGone) -> dict[str, str]:
    """GitHub knows findings again by the second one only; its own hash of a line changes with the lines below."""
    ordinal = finding.fingerprint.rpartition(":")[2]
    return {FINGERPRINT: finding.fingerprint, "primaryLocationLineHash": f"{alert_hash(finding)[:16]}:{ordinal}"}


def absent(gone: ReportedGone, weight: Weight, rule_index: int, place: om.Location) -> om.Result:
    """A result of the baseline that is no longer there. Its place is the host's first document, for want of its own."""
    claim = clipped(literal(f"No longer found: {gone.message.removesuffix('.')}"), MOST_CLAIM)
    return om.Result(
        rule_id=gone.rule,
        rule_index=rule_index,
        kind="fail",
        level=weight.level,
        rank=weight.rank,
        message=om.Message(text=braced(MESSAGES["default"].format(claim)), id="default", arguments=[claim]),
        locations=[place],
        baseline_state="absent",
        # Either all results of a run tell of suppressions or none does (section 3.27.23).
        suppressions=[],
        partial_fingerprints=_fingerprints(gone),
        properties={"host": gone.host, "subject": gone.subject},
    )


def some_place(report: Report, host: str, places: Places) -> om.Location:
    """Where nothing better is known, since GitHub refuses a result without a place."""
    document = next(document.name for document in report.documents if document.host == host)
    return places.location(ReportedLocation(document=document, line=1, column=1, end_line=1, end_column=1))


def _numbered(related: Sequence[RelatedLocation]) -> list[tuple[int, RelatedLocation]]:
    """Related locations with the numbers by which the message links to them."""
    return list(enumerate(related[:MOST_RELATED], start=1))


def _finding_message(finding: ReportedFinding) -> om.Message:
    """What is wrong, in a first sentence that can stand as a title, and then what to look at.

    GitHub shows those related locations only that the message links to (section 3.11.6).
    """
    claim = clipped(literal(finding.message.removesuffix(".")), MOST_CLAIM)
    more = ". ".join(_reading(finding, MOST_TEXT - len(braced(claim))))
    arguments = [claim, more] if more else [claim]
    key = "explained" if more else "default"
    return om.Message(text=braced(MESSAGES[key].format(*arguments)), id=key, arguments=arguments)


def _reading(finding: ReportedFinding, room: int) -> Iterator[str]:
    """Sentences on what a finding leans on, each without its period, that fit into some characters."""
    links = [f"[{link_text(related.message)}]({number})" for number, related in _numbered(finding.related)]
    supposed = [literal(_supposed(assumption)) for assumption in finding.assumptions]
    for opening, parts in (("See", links), ("This supposes that", supposed)):
        sentence = _sentence(opening, parts, room)
        if sentence:
            room -= len(braced(sentence))
            yield sentence


def _sentence(opening: str, parts: Iterable[str], room: int) -> str:
    """An opening with as many parts as fit; empty where not even one does."""
    sentence = ""
    fitting: list[str] = []
    for part in parts:
        fitting.append(part)
        longer = f"{opening} {_listed(fitting)}"
        if len(braced(longer)) > room:
            break
        sentence = longer
    return sentence


def _supposed(assumption: ReportedAssumption) -> str:
    command = assumption.capture_with
    return f"{assumption.text} (`{command}` would tell)" if command else assumption.text


def _listed(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _code_flow(finding: ReportedFinding, places: Places) -> om.CodeFlow:
    """The packet's way to the rule that decided. GitHub shows no step that is not written out in its place."""
    steps = list(enumerate(telling_steps(finding), start=1))[-MOST_STEPS:]
    packet = f"The packet: {finding.packet.text}." if finding.packet else "The packet's way through the rules."
    return om.CodeFlow(
        message=message(packet),
        thread_flows=[
            om.ThreadFlow(
                # Not an immutable state: address translation changes the packet on its way.
                initial_state=_state(finding.packet) if finding.packet else None,
                locations=[
                    om.ThreadFlowLocation(
                        location=places.location(step.location, _step_text(step), step, finding.host),
                        execution_order=number,
                        nesting_level=step.depth,
                        importance=_importance(step, last=number == steps[-1][0]),
                        kinds=_kinds(step),
                    )
                    for number, step in steps
                ],
            )
        ],
    )


def _state(packet: ReportedPacket) -> dict[str, om.MultiformatMessageString]:
    """The packet at the start of its way, part by part."""
    parts = {
        "in": packet.in_interface,
        "out": packet.out_interface,
        "source": _with_port(packet.source, packet.source_port),
        "destination": _with_port(packet.destination, packet.destination_port),
        "protocol": packet.protocol,
        "state": packet.state,
    }
    return {name: om.MultiformatMessageString(text=braced(visible(text))) for name, text in parts.items() if text}


def _with_port(address: str, port: int | None) -> str:
    return address if port is None else f"{address} port {port}"


def telling_steps(finding: ReportedFinding) -> list[PathStep]:
    """The steps up to the one that decided. Policies of tables that have nothing against a packet are no news.

    The one that decided is the place of the finding; where that is a claim, it is among the places that it leans on.
    """
    steps = [
        step
        for step in finding.path
        if step.table == "filter" or step.text != "policy ACCEPT" or step.location == finding.location
    ] or list(finding.path)
    for places in ([finding.location], [related.location for related in finding.related]):
        decided = [number for number, step in enumerate(steps, start=1) if step.location in places]
        if decided:
            return steps[: decided[-1]]
    return steps


def _step_text(step: PathStep) -> str:
    """A step that reads alone: viewers show one at a time."""
    if step.text.startswith("policy "):
        return f"At the end of chain {step.chain} of table {step.table}, its policy counts: {step.effect}."
    return f"In chain {step.chain} of table {step.table}, '{step.text}' matches: {step.effect}."


def _importance(step: PathStep, *, last: bool) -> str:
    if last:
        return "essential"
    return "unimportant" if step.effect == "next rule" else "important"


def _kinds(step: PathStep) -> list[str] | None:
    """Words that section 3.38.8 has for what a step does."""
    if step.effect.startswith("to chain "):
        return ["call", "function"]
    return ["return", "function"] if step.effect == "RETURN" else None
