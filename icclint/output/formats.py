"""The formats of ``icclint check -o`` by name. The module of a format is imported when a report is written in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from icclint.output.delivery import Delivery

if TYPE_CHECKING:
    from icclint.checked import Checked
    from icclint.report import Report
    from icclint.rule import Rule


@dataclass(frozen=True)
class Run:
    """What reports are written from.

    ``parts`` are the report part by part, in the order in which they are told; whoever writes several reports goes
    through them several times. ``rules`` are those that run, in the order of the registry, and ``chosen_by`` the words
    that chose them. ``delivery`` is for SARIF, but that its ``show_all`` has text list accepted findings, too.
    """

    parts: Iterable[Checked]
    rules: Sequence[Rule]
    chosen_by: Sequence[str]
    delivery: Delivery

    @property
    def reports(self) -> Iterator[Report]:
        """The parts, without what they are shown with."""
        return (part.report for part in self.parts)


Renderer = Callable[[Run], Iterator[str] | Iterator[bytes]]
"""Gives a report line by line, or in pieces if it is no text, as its parts come; equal reports give equal bytes."""


def _text(run: Run) -> Iterator[str]:
    from icclint.output.text import render_text  # noqa: PLC0415

    return render_text(run.parts, run.delivery.show_all)


def _json(run: Run) -> Iterator[str]:
    from icclint.output.json import render_json  # noqa: PLC0415

    return render_json(run.reports)


def _sarif(run: Run) -> Iterator[str]:
    from icclint.output.sarif import render_sarif  # noqa: PLC0415

    return render_sarif(run.parts, run.rules, run.delivery)


def _github(run: Run) -> Iterator[str]:
    from icclint.output.github import render_github  # noqa: PLC0415

    return render_github(run.reports)


def _gitlab(run: Run) -> Iterator[str]:
    from icclint.output.gitlab import render_gitlab  # noqa: PLC0415

    return render_gitlab(run.reports)


def _gitlab_sast(run: Run) -> Iterator[str]:
    from icclint.output.gitlab_sast import render_gitlab_sast  # noqa: PLC0415

    return render_gitlab_sast(run.reports, run.rules)


def _junit(run: Run) -> Iterator[str]:
    from icclint.output.junit import render_junit  # noqa: PLC0415

    return render_junit(run.reports, run.rules)


def _markdown(run: Run) -> Iterator[str]:
    from icclint.output.markdown import render_markdown  # noqa: PLC0415

    return render_markdown(run.reports)


def _csv(run: Run) -> Iterator[str]:
    from icclint.output.csv import render_csv  # noqa: PLC0415

    return render_csv(run.reports)


def _html(run: Run) -> Iterator[str]:
    from icclint.output.html import render_html  # noqa: PLC0415

    return render_html(run.parts, run.rules, run.chosen_by)


def _parquet(run: Run) -> Iterator[bytes]:
    from icclint.output.parquet import render_parquet  # noqa: PLC0415

    return render_parquet(run.reports, run.rules)


FORMATS: Mapping[str, Renderer] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "html": _html,
    "github": _github,
    "gitlab": _gitlab,
    "gitlab-sast": _gitlab_sast,
    "junit": _junit,
    "markdown": _markdown,
    "csv": _csv,
    "parquet": _parquet,
}
FILES = ("parquet",)
"""Formats that are no text."""
