"""How a SARIF log is handed over, as the options of the command line say it."""

from __future__ import annotations

from dataclasses import dataclass

from icclint.output.visible import visible

MOST_RUNS = 20
"""GitHub refuses a log with more."""


@dataclass(frozen=True)
class Delivery:
    """How a log is handed over.

    ``category`` tells it from other logs of icclint on the same code; ``per_host`` makes a run of each host, so that a
    log without a host leaves the alerts of that host alone. ``strict`` has gaps and what could not be assessed be
    errors, as the exit code has them. ``show_all`` has accepted findings as suppressed results and gone ones as absent;
    they are left out otherwise, since GitHub makes an alert of every result.
    """

    category: str | None = None
    per_host: bool = False
    strict: bool = False
    show_all: bool = False

    def id_of(self, host: str) -> str | None:
        """The ``automationDetails.id`` of a run: what stands before the last slash is GitHub's category.

        The upload action's own ``category`` counts for runs without an id only.
        """
        names = [self.category or ("icclint" if self.per_host else ""), visible(host) if self.per_host else ""]
        return "".join(f"{name.strip('/')}/" for name in names if name) or None
