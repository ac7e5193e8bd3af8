"""The manifest of a bundle of ``icclint collect``, held against the bundle.

A line for each command, tab-separated: the file with its output (``-`` if there is none), exit status, when it began
and ended (UTC), bytes, SHA-256, and the command. Lines that begin with ``#`` tell of the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from icclint.parse.gaps import line_gap
from icclint.source import Document, Gap

_COLUMNS = 7


def verify(manifest: Document, others: Mapping[str, Document]) -> Iterator[Gap]:
    """What is not as the manifest says. ``others`` are the other files of its folder, by their names in it."""
    listed = set()
    for number, line in enumerate(manifest.lines, start=1):
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != _COLUMNS:
            yield line_gap(manifest, number, "not a line of a manifest")
            continue
        name, status, *_, digest, command = columns
        if name == "-":
            continue
        listed.add(name)
        document = others.get(name)
        if document is None:
            yield _whole(manifest, number, f"{name} is listed here, and is not in the bundle")
        elif document.sha256 != digest:
            yield _whole(manifest, number, f"{name} is not what was captured: its SHA-256 is {document.sha256}")
        elif status != "0":
            yield line_gap(manifest, number, f"`{command}` ended with status {status}, so {name} may not be complete")
    for name in sorted(others.keys() - listed):
        document = others[name]
        yield Gap(document.whole_span(), name, f"not listed in {manifest.name}, so it was added later", whole=True)


def _whole(manifest: Document, number: int, reason: str) -> Gap:
    gap = line_gap(manifest, number, reason)
    return Gap(gap.span, gap.text, gap.reason, whole=True)
