"""Rules stand behind one that ends every packet's way through their chain, so that they never match.

## What it detects

In any chain, rules that come after a rule without conditions whose target is a verdict, RETURN or a goto. One
finding for each chain, at the first such rule.

## Why it matters

Most often it is a chain that somebody appended to: DOCKER-USER ended in `-j RETURN` up to 28.2, so that
`iptables -A DOCKER-USER ... -j DROP` went in behind it and did nothing.

## Example

    -A DOCKER-USER -j RETURN
    -A DOCKER-USER -i eth0 -j DROP

## What to do

Insert instead of appending (`iptables -I DOCKER-USER ...`), or take the unconditional rule out.

## Limits

Rules that are covered by several earlier ones together, or by one with conditions, are not found yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Accept,
    Chain,
    Drop,
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Location,
    NotAssessed,
    Reject,
    Return,
    Severity,
    Table,
    rule,
)


@rule(
    id="rule-never-matches",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES},
    since="0.1",
)
def rule_never_matches(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        tool = "ip6tables" if ruleset.family == 6 else "iptables"
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                yield from dead_rules(tool, table, chain)


def dead_rules(tool: str, table: Table, chain: Chain) -> Iterator[Finding]:
    for position, end in enumerate(chain.rules, start=1):
        if end.matches or not isinstance(end.target, Accept | Drop | Reject | Return | Goto):
            continue
        dead = chain.rules[position:]
        if dead:
            count = f"{len(dead)} rules stand" if len(dead) > 1 else "a rule stands"
            yield Finding(
                message=(
                    f"In chain {chain.name} of table {table.name} ({tool}) {count} behind '{end.text}' and never match"
                ),
                subject=f"chain {chain.name} of table {table.name} ({tool})",
                key=(end.text, dead[0].text),
                primary=Location(dead[0].span, "never matches"),
                related=(Location(end.span, "ends every packet's way through the chain"),),
            )
        return
