"""The report for programs: one JSON object of the versioned format, see docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterator

from icclint.output.visible import escaped
from icclint.report import Report


def render_json(report: Report) -> Iterator[str]:
    """The report, in pieces. Equal reports give equal bytes."""
    yield escaped(json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=2))
