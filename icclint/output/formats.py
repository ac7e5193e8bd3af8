"""The formats of ``icclint check -o`` by name. The module of a format is imported when a report is written in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from icclint.output.delivery import Delivery

if TYPE_CHECKING:
    from icclint.reach import Table
    from icclint.report import Report
    from icclint.rule import Rule
    from icclint.source import Document


@dataclass(frozen=True)
class Checked:
    """A report with what it is written from.

    ``documents`` are those that the report names, by name; ``rules`` are those that ran, in the order of the registry,
    and ``chosen_by`` the words that chose them. ``tables`` works out who reaches whom, by host. ``show_all`` has
    accepted findings listed too.
    """

    report: Report
    documents: Mapping[str, Document]
    rules: Sequence[Rule]
    chosen_by: Sequence[str]
    delivery: Delivery
    tables: Callable[[], Mapping[str, Table]]
    show_all: bool = False


Renderer = Callable[[Checked], Iterator[str]]
"""Gives a report line by line; equal reports give equal lines."""


def _text(checked: Checked) -> Iterator[str]:
    from icclint.output.text import render_accepted, render_text  # noqa: PLC0415

    if checked.show_all:
        yield from render_accepted(checked.report, checked.documents)
    yield from render_text(checked.report, checked.documents)


def _json(checked: Checked) -> Iterator[str]:
    from icclint.output.json import render_json  # noqa: PLC0415

    return render_json(checked.report)


def _sarif(checked: Checked) -> Iterator[str]:
    from icclint.output.sarif import render_sarif  # noqa: PLC0415

    # GitHub makes an alert of every result, suppressed or absent.
    hidden = {} if checked.show_all else {"accepted": (), "gone": ()}
    shown = checked.report.model_copy(update=hidden)
    return render_sarif(shown, checked.documents, checked.rules, checked.delivery)


def _github(checked: Checked) -> Iterator[str]:
    from icclint.output.github import render_github  # noqa: PLC0415

    return render_github(checked.report)


def _gitlab(checked: Checked) -> Iterator[str]:
    from icclint.output.gitlab import render_gitlab  # noqa: PLC0415

    return render_gitlab(checked.report)


def _gitlab_sast(checked: Checked) -> Iterator[str]:
    from icclint.output.gitlab_sast import render_gitlab_sast  # noqa: PLC0415

    return render_gitlab_sast(checked.report, checked.rules)


def _junit(checked: Checked) -> Iterator[str]:
    from icclint.output.junit import render_junit  # noqa: PLC0415

    return render_junit(checked.report, checked.rules)


def _markdown(checked: Checked) -> Iterator[str]:
    from icclint.output.markdown import render_markdown  # noqa: PLC0415

    return render_markdown(checked.report)


def _csv(checked: Checked) -> Iterator[str]:
    from icclint.output.csv import render_csv  # noqa: PLC0415

    return render_csv(checked.report)


def _html(checked: Checked) -> Iterator[str]:
    from icclint.output.html import render_html  # noqa: PLC0415

    return render_html(checked.report, checked.documents, checked.rules, checked.chosen_by, checked.tables())


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
}
