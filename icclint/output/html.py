"""The report as one HTML file: no scripts, nothing fetched, the same bytes for the same input.

All that is captured goes through `visible` and is then escaped, in whatever place of the template it stands.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from icclint import __version__
from icclint.checked import Checked, joined
from icclint.output import words
from icclint.output.matrix import Matrix, matrices
from icclint.output.visible import visible
from icclint.reach import Row, Table
from icclint.report import Report
from icclint.rule import Rule
from icclint.source import Document

_MOST_OPEN_HOSTS = 3
"""With more hosts, only those are unfolded where something is wrong."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """Who reaches whom on one host."""

    matrices: tuple[Matrix, ...]
    published: tuple[Row, ...]
    not_covered: tuple[str, ...]
    disagreements: int


def render_html(parts: Iterable[Checked], rules: Sequence[Rule], chosen_by: Sequence[str]) -> Iterator[str]:
    """The page, all at once. ``rules`` are those that were asked, ``chosen_by`` the words that chose them."""
    checked = joined(parts)
    report, tables = checked.report, checked.tables
    # Without a line end, as every piece that is written gets one.
    yield (
        _environment(report, checked.documents)
        .get_template("report.html.jinja")
        .render(
            report=report,
            version=__version__,
            style=_style(),
            style_hash=_hash(_style()),
            rules=rules,
            chosen_by=chosen_by,
            reach={host: _reach(tables[host]) for host in sorted(tables)},
            found=Counter(finding.rule for finding in report.findings),
            accepted=Counter(finding.rule for finding in report.accepted),
            untold=Counter(word.rule for word in report.not_assessed),
            most_open_hosts=_MOST_OPEN_HOSTS,
        )
    )


def _environment(report: Report, documents: Mapping[str, Document]) -> Environment:
    environment = Environment(
        loader=PackageLoader("icclint.output"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    totals = words.Totals()
    totals.add(report)
    numbers = {document.name: number for number, document in reversed(list(enumerate(report.documents, start=1)))}
    environment.globals |= {
        "count": words.count,
        "document_number": numbers.get,
        "engine": words.engine,
        "frames": lambda finding: words.frames(finding, documents),
        "marks": words.marks,
        "standing": lambda host: words.standing(report, host),
        "step_words": words.step_words,
        "told_steps": words.told_steps,
        "totals": str(totals),
        "unanswered": list(words.unanswered(report.not_assessed)),
    }
    return environment


def _shown(value: object) -> object:
    """What an expression of the template becomes, before it is escaped: markup is what the template itself made."""
    return value if isinstance(value, Markup) else visible(str(value))


def _style() -> Markup:
    return Markup((files("icclint.output") / "templates" / "report.css").read_text(encoding="utf-8"))


def _hash(style: str) -> str:
    """The source by which a Content-Security-Policy lets this one style sheet pass (CSP Level 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def _reach(table: Table) -> _Reach:
    return _Reach(
        matrices=tuple(matrices(table)),
        published=tuple(row for row in table.rows if row.published),
        not_covered=table.not_covered,
        disagreements=sum(row.disagrees for row in table.rows),
    )
