"""Rules that an engine of another release left behind are still in force beside today's.

## What it detects

Jumps from FORWARD that only engines of different releases write: DOCKER-ISOLATION (1.10 to 18.03.0),
DOCKER-ISOLATION-STAGE-1 (18.03.1 to 28.0.0) and DOCKER-FORWARD (since 28.0.1), two or more of them.

## Why it matters

An engine knows the jumps of those before it and takes them out when it starts; it knows nothing of those that came
after it. So a downgrade from 28 or 29 leaves DOCKER-FORWARD in place with all that it holds, ahead of what the older
engine appends to FORWARD: its `-i docker0 -j ACCEPT` lets packets pass that today's DROP for ICC is meant for. Restored
dumps (iptables-persistent) do the same. What the older rules decide is nobody's intention any more.

## Example

    -A FORWARD -j DOCKER-USER
    -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    -A FORWARD -j DOCKER-FORWARD
    -A FORWARD -i docker0 -o docker0 -j DROP
    -A DOCKER-FORWARD -i docker0 -j ACCEPT

## What to do

Take the jump out that today's engine did not write, or restart the host, whose rules then are today's engine's alone.

## Limits

Which of the engines runs today is not told by the rules; `docker version` tells. Chains that are left behind and that
nothing leads to are not reported here. What the rules let pass that Docker claims to stop is reported with its packet,
by the rules about that claim, and then this is a part of that finding.

## References

- CWE-459, CWE-923
- moby, iptabler/iptabler.go and setup_ip_tables_linux.go of libnetwork's bridge driver: what each engine takes out
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    Mark,
    NotAssessed,
    Rule,
    Severity,
    generations,
    rule,
)
from icclint_rules.lines import deletion, every_rule


@rule(
    id="rules-of-two-engines",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
    yields=True,
)
def rules_of_two_engines(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    marks = generations(host)
    if len(marks) < 2 or any(mark.rule is None for mark in marks):
        return
    # The newest is what an older engine cannot take out.
    newest, others = marks[-1], marks[:-1]
    entry = way_in(host, newest)
    names = " and ".join(mark.generation.name for mark in others)
    yield Finding(
        message=(
            f"Rules of two engines are in force: those of Docker Engine {newest.generation.name}, and those of {names}"
        ),
        subject="host",
        key=tuple(mark.generation.name for mark in marks),
        primary=Location(entry.span, f"only Docker Engine {newest.generation.name} writes this"),
        related=tuple(Location(mark.span, f"only Docker Engine {mark.generation.name} writes this") for mark in others),
        remedy=("docker version", *removal(host, entry)),
    )


def way_in(host: Host, mark: Mark) -> Rule:
    """The rule of FORWARD that leads to a mark, or the mark itself where it stands in FORWARD."""
    assert mark.rule is not None
    chain = mark.rule.chain
    jumps = (
        one
        for _, one in every_rule(host)
        if one.chain == "FORWARD" and isinstance(one.target, Jump | Goto) and one.target.chain == chain
    )
    return mark.rule if chain == "FORWARD" else next(jumps, mark.rule)


def removal(host: Host, entry: Rule) -> tuple[str, ...]:
    ruleset = next(ruleset for ruleset, one in every_rule(host) if one is entry)
    return deletion(ruleset, entry)
