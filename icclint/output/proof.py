"""What speaks for a finding, in lines of plain text."""

from __future__ import annotations

from collections.abc import Iterator

from icclint.report import ReportedFinding


def marked(finding: ReportedFinding) -> str:
    """The message, with what else a reader must know of the finding: that it is only possible, new, or known."""
    marks = [mark for mark in (finding.state, finding.confidence) if mark not in (None, "certain")]
    return f"{finding.message} ({', '.join(marks)})" if marks else finding.message


def proof_lines(finding: ReportedFinding) -> Iterator[str]:
    """The packet, what is supposed, and what would mend it. Captured text in them is as it was captured."""
    if finding.packet is not None:
        yield f"packet: {finding.packet.text}"
    yield from (f"assuming that {assumption.text}" for assumption in finding.assumptions)
    yield from (f"remedy: {command}" for command in finding.remedy)
