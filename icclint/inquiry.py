"""What is asked of captures, and asking it at one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from icclint.capture.limits import Limits
from icclint.capture.places import Place
from icclint.capture.read import Capture, read_place
from icclint.checked import Checked
from icclint.engine import check_capture
from icclint.lower.host import lower_host
from icclint.plugins import load_rules
from icclint.report import Report, join
from icclint.rule import Rule

if TYPE_CHECKING:
    from icclint.reach import Table


@dataclass(frozen=True)
class Inquiry:
    """Which rules are asked, what a place may cost, and whether it is to be told who reaches whom."""

    rules: tuple[Rule, ...]
    limits: Limits
    with_tables: bool = False

    def __reduce__(self) -> tuple[Callable[..., Inquiry], tuple[object, ...]]:
        # Rules are functions, so they travel by their names. Whoever asks them has the same packages.
        return _named, (tuple(rule.id for rule in self.rules), self.limits, self.with_tables)

    def ask(self, place: Place) -> Checked:
        """What the rules say of the captures at a place."""
        captures, missing = read_place(place, self.limits)
        reports = [check_capture(capture, self.rules) for capture in captures]
        return Checked(
            report=join([self.silence(not missing), *reports]),
            documents={one.name: one for capture in captures for one, _ in capture.documents if one.file is None},
            tables={capture.host: _table(capture) for capture in captures} if self.with_tables else {},
            missing=tuple(map(str, missing)),
        )

    def silence(self, complete: bool) -> Report:
        """The report of no host."""
        return Report(
            rules=tuple(rule.id for rule in self.rules),
            hosts=(),
            documents=(),
            findings=(),
            not_assessed=(),
            gaps=(),
            crashes=(),
            complete=complete,
        )


@cache
def _installed() -> dict[str, Rule]:
    return {rule.id: rule for rule in load_rules()}


def _named(rules: tuple[str, ...], limits: Limits, with_tables: bool) -> Inquiry:
    return Inquiry(tuple(_installed()[name] for name in rules), limits, with_tables)


def _table(capture: Capture) -> Table:
    from icclint.reach import reach  # noqa: PLC0415

    return reach(lower_host(capture.host, capture.documents)[0])
