"""Chains of Docker's are there, and no rule leads to them.

## What it detects

Chains that Docker makes, in a table that was captured whole, that no jump reaches from any built-in chain.
Empty ones count where no chain of Docker's in that table is reached at all. One finding for each table.

## Why it matters

What stands in such a chain has no effect. Rules in DOCKER-USER that somebody relies on are dead letters, and so
are Docker's own for isolation and published ports. The usual causes are a flushed FORWARD, a firewall service
that was restarted after Docker, and a restored dump.

## Example

    -P FORWARD ACCEPT
    -N DOCKER-USER
    -A DOCKER-USER -i eth0 -j DROP

## What to do

Restart the engine, which puts its jumps back, after the firewall service, not before.

## Limits

An empty chain is not reported while others are reached: an upgrade leaves such ones behind, and engines make
some before they need them. A jump counts even where its conditions can never be met.

## References

- CWE-561, CWE-693
- CIS Docker Benchmark 1.8.0, 2.4
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    BUILT_IN_CHAINS,
    DOCKER_CHAINS,
    Chain,
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    Severity,
    Span,
    Table,
    rule,
)


@rule(
    id="chain-never-reached",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
)
def chain_never_reached(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        tool = "ip6tables" if ruleset.family == 6 else "iptables"
        for table in ruleset.tables.values():
            dockers = [chain for name, chain in table.chains.items() if name in DOCKER_CHAINS]
            led_to = reached(table)
            lonely = [chain for chain in dockers if chain.name not in led_to]
            wanted = [chain for chain in lonely if len(chain.rules) or lonely == dockers]
            if wanted and not table.complete:
                yield NotAssessed(
                    f"table {table.name}",
                    f"the dump holds only a part of the table, so what leads to {wanted[0].name} may be elsewhere",
                    f"{tool}{'' if table.name == 'filter' else f' -t {table.name}'} -S",
                )
                continue
            if wanted:
                yield never_reached(tool, table, wanted)


def reached(table: Table) -> set[str]:
    """The chains that jumps lead to from the built-in ones, at any number of removes."""
    seen: set[str] = set()
    ahead = [name for name in BUILT_IN_CHAINS.get(table.name, ()) if name in table.chains]
    while ahead:
        name = ahead.pop()
        if name in seen or name not in table.chains:
            continue
        seen.add(name)
        ahead += [rule.target.chain for rule in table.chains[name].rules if isinstance(rule.target, Jump | Goto)]
    return seen


def never_reached(tool: str, table: Table, chains: list[Chain]) -> Finding:
    names = [chain.name for chain in chains]
    first = next((chain for chain in chains if len(chain.rules)), chains[0])
    count = sum(len(chain.rules) for chain in chains)
    dead = f": {count} rule{'s' if count > 1 else ''} without effect" if count else ""
    what = "chain" if len(chains) == 1 else "chains"
    return Finding(
        message=f"No rule leads to the {what} {', '.join(names)} of table {table.name} ({tool}){dead}",
        subject=f"table {table.name} ({tool})",
        key=tuple(names),
        primary=Location(place(first), f"no jump leads to {first.name}"),
        related=tuple(Location(place(chain), "nor to this one") for chain in chains if chain is not first),
    )


def place(chain: Chain) -> Span:
    return chain.span or chain.rules[0].span
