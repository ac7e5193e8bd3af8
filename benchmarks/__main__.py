"""``python -m benchmarks``: measures icclint beside its rivals, and says which goals of goals.toml are met."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from benchmarks.goals import read_goals
from benchmarks.inputs import Inputs
from benchmarks.results import as_json, page, surroundings, table
from benchmarks.run import Effort, measured

FULL = Effort()
QUICK = Effort(rounds=5, tolerance=0.2, control=0.14)


@click.command()
@click.option("--quick", is_flag=True, help="Small inputs, few rounds, doubled tolerance: about a minute.")
@click.option("--only", metavar="GOAL", multiple=True, help="Measure this goal only; may be given more than once.")
@click.option("--pairs", type=click.IntRange(min=2), help="Pairs for each figure.  [default: 9, quick 5]")
@click.option("--limit", type=click.IntRange(min=1), help="Seconds for a sample.  [default: 300]")
@click.option("--json", "results", type=click.Path(path_type=Path), help="Write all figures here.")
@click.option("--write", "document", type=click.Path(path_type=Path, exists=True), help="Write them into this page.")
def main(
    quick: bool,
    only: tuple[str, ...],
    pairs: int | None,
    limit: int | None,
    results: Path | None,
    document: Path | None,
) -> None:
    """Measures icclint beside its rivals; ends with 1 if a goal was measured and missed, or could not be done."""
    effort = QUICK if quick else FULL
    effort = replace(effort, rounds=pairs or effort.rounds, limit=limit or effort.limit)
    goals = [goal for goal in read_goals() if not only or goal.id in only]
    if quick:
        goals = [replace(goal, inputs=goal.quick) for goal in goals if goal.quick]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in measured(goals, Inputs(Path(folder)), effort):
            # It may be an hour until the table is there.
            click.echo(row, err=True)
            rows.append(row)
    around = surroundings(effort)
    click.echo("\n".join([*(f"{name}: {value}" for name, value in around.items()), "", *table(rows)]))
    if results is not None:
        results.write_text(json.dumps(as_json(rows, around), indent=2) + "\n")
    if document is not None:
        document.write_text(page(document.read_text(), rows, around))
    unknown = [row for row in rows if row.verdict.startswith(("not measured", "refused"))]
    if unknown:
        click.secho(
            "\n".join(["", "NOT KNOWN, and so neither met nor missed:", *map(str, unknown)]), err=True, bold=True
        )
    sys.exit(any(row.verdict.startswith(("missed", "failed")) for row in rows))


if __name__ == "__main__":
    main()
