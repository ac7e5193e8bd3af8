"""The difference between two captures, for terminals and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from icclint.difference import ConnectionChange, Difference
from icclint.output.markdown import cell, table
from icclint.output.visible import visible
from icclint.reach import At
from icclint.report import ReportedFinding

_SIGN = {"possible": "+", "impossible": "-", "unknown": "?"}
_BECAME = {
    "possible": "became possible",
    "impossible": "became impossible",
    "unknown": "cannot be told in one of the captures",
}


def render_text(change: Difference) -> Iterator[str]:
    """The difference as a person reads it on a terminal; nothing but one line where there is none."""
    if change.is_empty:
        yield "no difference in effect"
    for connection in change.connections:
        yield f"{_SIGN[connection.became]} {_words(connection)}: {_BECAME[connection.became]}"
        if connection.witness is not None:
            yield f"    packet: {visible(connection.witness.text)}"
        yield f"    before: {_at(connection.before)}"
        yield f"    after:  {_at(connection.after)}"
    for claim in change.claims:
        yield visible(f"~ {claim.subject}: {claim.claim} was {claim.before}, is {claim.after}")
    yield from (visible(f"+ {name}") for name in change.appeared)
    yield from (visible(f"- {name}") for name in change.disappeared)
    yield from (f"+ finding {_finding(finding)}" for finding in change.new_findings)
    yield from (f"- finding {_finding(finding)}" for finding in change.gone_findings)
    yield from (f"not covered: {visible(text)}" for text in change.not_covered)


def render_markdown(change: Difference) -> Iterator[str]:
    """The difference as tables, for a pull request or an issue."""
    if change.is_empty:
        yield "No difference in effect."
    if change.connections:
        yield from table(
            ("", "from", "to", "services", "network", "before", "after"),
            (
                (
                    _BECAME[one.became],
                    _names(one.senders),
                    _names(one.receivers),
                    _services(one),
                    f"{one.network}, IPv{one.family}",
                    _at(one.before),
                    _at(one.after),
                )
                for one in change.connections
            ),
        )
    if change.claims:
        yield from table(
            ("of", "claim", "before", "after"),
            ((one.subject, one.claim, one.before or "", one.after or "") for one in change.claims),
        )
    things = [("appeared", name) for name in change.appeared] + [("disappeared", name) for name in change.disappeared]
    if things:
        yield from table(("", "network or container"), iter(things))
    findings = [("new", f) for f in change.new_findings] + [("gone", f) for f in change.gone_findings]
    if findings:
        yield from table(("", "finding"), ((word, _finding(finding)) for word, finding in findings))
    yield from (f"Not covered: {cell(text)}" for text in change.not_covered)


def _words(connection: ConnectionChange) -> str:
    ends = f"{_names(connection.senders)} -> {_names(connection.receivers)}"
    return f"{visible(ends)} ({visible(connection.network)}, IPv{connection.family}), {_services(connection)}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _services(connection: ConnectionChange) -> str:
    return "; ".join(service.words() for service in connection.services) or "everything"


def _at(at: At | None) -> str:
    if at is None:
        return "cannot be told"
    place = f" ({at.location.document}:{at.location.line})" if at.location else ""
    return visible(f"{at.text}{place}")


def _finding(finding: ReportedFinding) -> str:
    place = f"{finding.location.document}:{finding.location.line}"
    return visible(f"{finding.severity}[{finding.rule}] {finding.message} ({place})")
