"""The report for programs: one JSON object of the versioned format, see docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from icclint.output.items import separated
from icclint.output.visible import escaped
from icclint.report import LISTS, Report
from icclint.spool import Spool


def render_json(reports: Iterable[Report]) -> Iterator[str]:
    """The report, in pieces. Equal reports give equal bytes."""
    lists: dict[str, Spool[str]] = {name: Spool() for name in LISTS}
    rules: tuple[str, ...] = ()
    complete = True
    for report in reports:
        rules, complete = report.rules, complete and report.complete
        for name, spool in lists.items():
            for part in getattr(report, name):
                spool.append(f"    {_text(part.model_dump(mode='json'), '    ')}")
    yield "{"
    yield f'  "format": {_text(Report.model_fields["format"].default)},'
    yield f'  "rules": {_text(rules)},'
    for name, spool in lists.items():
        if spool:
            yield f'  "{name}": ['
            yield from separated([text] for text in spool)
            yield "  ],"
        else:
            yield f'  "{name}": [],'
    yield f'  "complete": {_text(complete)}'
    yield "}"


def _text(value: object, indent: str = "  ") -> str:
    return escaped(json.dumps(value, ensure_ascii=False, indent=2)).replace("\n", f"\n{indent}")
