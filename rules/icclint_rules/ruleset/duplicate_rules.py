"""A rule that leads to Docker's chains, or that stands in one, is there twice.

## What it detects

In the engine's chains, in DOCKER-USER, and among the rules of built-in chains that lead to them: two rules of one chain
with the same conditions and the same verdict. One finding for each chain.

## Why it matters

The second one does nothing, so nothing is open because of it. But it tells that something besides the engine writes the
engine's rules, most often a service that restores a saved dump at boot, and it comes into force when somebody deletes
the first one: `iptables -D` takes out one of them only.

## Example

    -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER

## What to do

Delete one of them. Let no service save and restore the engine's rules: leave them out of the saved dump, or start the
engine after that service, which then writes them anew.

## Limits

Rules with conditions that answer anew each time (`limit`, `statistic`, `recent`) may well stand twice. 28.0.1 did not
empty DOCKER-CT and DOCKER-BRIDGE when it started, so that doubles there are its own doing.

## References

- CWE-1041
- moby, `26edf2d0a7` (28.0.2): chains are emptied at start
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    DOCKER_CHAINS,
    Accept,
    Chain,
    Drop,
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    OpaqueMatch,
    Reject,
    Return,
    Rewrite,
    Rule,
    Ruleset,
    Severity,
    rule,
)
from icclint_rules.lines import MOST_LINES, deletion, tool


@rule(
    id="duplicate-rules",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES},
    since="0.1",
)
def duplicate_rules(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                pairs = doubles(chain)
                if pairs:
                    yield twice(ruleset, chain, pairs)


def doubles(chain: Chain) -> list[tuple[Rule, Rule]]:
    """Pairs of a rule and a later one that is the same."""
    seen: dict[tuple[object, ...], Rule] = {}
    pairs = []
    for one in chain.rules:
        if not is_docker(one) or not is_plain(one):
            continue
        first = seen.setdefault((tuple(sorted(match.text for match in one.matches)), one.target.text), one)
        if first is not one:
            pairs.append((first, one))
    return pairs


def is_docker(one: Rule) -> bool:
    return one.chain in DOCKER_CHAINS or (isinstance(one.target, Jump | Goto) and one.target.chain in DOCKER_CHAINS)


def is_plain(one: Rule) -> bool:
    """Whether the same packets meet the same verdict each time."""
    decides = isinstance(one.target, Accept | Drop | Reject | Return | Rewrite | Jump | Goto)
    return decides and all(match.per_packet for match in one.matches if isinstance(match, OpaqueMatch))


def twice(ruleset: Ruleset, chain: Chain, pairs: list[tuple[Rule, Rule]]) -> Finding:
    first, second = pairs[0]
    where = f"chain {chain.name} of table {first.table} ({tool(ruleset)})"
    more = f" and {len(pairs) - 1} more rules" if len(pairs) > 1 else ""
    return Finding(
        message=f"In {where} '{second.text}'{more} {'stand' if more else 'stands'} twice",
        subject=where,
        key=tuple(sorted({one.text for _, one in pairs})),
        primary=Location(second.span, "is there already"),
        related=(
            Location(first.span, "the same rule"),
            *(Location(one.span, "is there already too") for _, one in pairs[1:MOST_LINES]),
        ),
        remedy=tuple(command for _, one in pairs[:MOST_LINES] for command in deletion(ruleset, one)),
    )
