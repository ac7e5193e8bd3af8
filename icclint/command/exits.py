"""How a command ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from icclint.checked import Checked
    from icclint.report import Report

SEVERITIES = ("high", "medium", "low", "note", "never")

OK, FOUND, USAGE, INCOMPLETE, CRASHED = range(5)
INTERRUPTED = 128 + signal.SIGINT

EXIT_CODES = """\b
Exit codes, the highest that applies:
  0  nothing at or above --fail-on
  1  findings at or above it
  2  the command line, the configuration or the baseline is wrong, a rule package does not load, or an output cannot
     be written
  3  a path is missing or unreadable, or a capture was not checked to its end; with --strict also a gap or a rule not
     assessed
  4  a rule crashed; the report is written, and not complete
130  it was interrupted; a file that was to be written is as it was before
"""


class ExitCode:
    """The exit code for a report of which the parts are going by: the highest that applies to one of them."""

    def __init__(self, fail_on: str, strict: bool) -> None:
        self.code = OK
        self._fail_on = fail_on
        self._strict = strict

    def of(self, parts: Iterable[Checked]) -> Iterator[Checked]:
        """The same parts."""
        for part in parts:
            self.code = max(self.code, exit_code(part.report, self._fail_on, self._strict))
            yield part


def exit_code(report: Report, fail_on: str, strict: bool) -> int:
    """The exit code for a report."""
    if report.crashes:
        return CRASHED
    unread = any(gap.whole for gap in report.gaps)
    if not report.complete or unread or (strict and (report.gaps or report.not_assessed)):
        return INCOMPLETE
    loud = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on != "never" else ()
    return FOUND if any(finding.severity in loud for finding in report.counting) else OK


def fail(message: str, code: int) -> NoReturn:
    """Ends the command with a message."""
    click.echo(f"icclint: {message}", err=True)
    sys.exit(code)
