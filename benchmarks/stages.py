"""``python -m benchmarks.stages INPUT...``: what each stage of reading and asking a dump takes, in microseconds a rule.

It tells where the time goes that the goals are about; it compares nothing, and holds for one machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from time import process_time

import click

from benchmarks.generate import text
from benchmarks.measure import apart
from icclint.ir.ruleset import Rule, Ruleset
from icclint.lower.ruleset import lower_dumps
from icclint.packets.dead import assess_rules
from icclint.parse.iptables import parse_dump
from icclint.source import Document

STAGES = ("lines", "commands", "tables", "rules", "dead rules")
TIMES = 5
"""How often each is measured; the least counts."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
def main(inputs: tuple[str, ...]) -> None:
    """What each stage takes for inputs such as docker-100000."""
    click.echo(f"| input | {' | '.join(STAGES)} |\n|{' --- |' * (len(STAGES) + 1)}")
    for name in inputs:
        dump = text(name)
        runs = [apart(lambda dump=dump: list(stages(dump))) for _ in range(TIMES)]  # type: ignore[misc]
        least = [f"{min(times):.1f}" for times in zip(*runs, strict=True)]
        click.echo(f"| {name} | {' | '.join(least)} |")


def stages(dump: str) -> Iterator[float]:
    """Microseconds of CPU time a rule, for each of `STAGES`."""
    took = [process_time()]
    document = Document("iptables-save.txt", dump.encode())
    assert document.lines
    took.append(process_time())
    parsed = parse_dump(document)
    took.append(process_time())
    (ruleset,) = lower_dumps([(document.name, parsed)]).rulesets
    took.append(process_time())
    rules = list(rules_of(ruleset))
    took.append(process_time())
    for table in ruleset.tables.values():
        assess_rules(ruleset, table)
    took.append(process_time())
    return ((end - start) * 1e6 / len(rules) for start, end in pairwise(took))


def rules_of(ruleset: Ruleset) -> Iterator[Rule]:
    """All rules, of which each is made when it is looked at."""
    return (rule for table in ruleset.tables.values() for chain in table.chains.values() for rule in chain.rules)


if __name__ == "__main__":
    main()
