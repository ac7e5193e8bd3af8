"""What a run comes to, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from icclint.report import Report, join
from icclint.source import Document

if TYPE_CHECKING:
    from icclint.reach import Table


@dataclass(frozen=True)
class Checked:
    """A report, of a whole run or of a part of it, with what it is shown with.

    ``documents`` are those that the report names, by name. ``tables`` say who reaches whom, by host, where that was
    asked for. ``missing`` has a word on each path that gave no capture.
    """

    report: Report
    documents: Mapping[str, Document]
    tables: Mapping[str, Table] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def joined(parts: Iterable[Checked]) -> Checked:
    """All of a run at once."""
    parts = tuple(parts)
    return Checked(
        report=join(part.report for part in parts),
        documents={name: document for part in parts for name, document in part.documents.items()},
        tables={host: table for part in parts for host, table in part.tables.items()},
        missing=tuple(word for part in parts for word in part.missing),
    )
