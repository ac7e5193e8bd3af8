"""A rule never matches: earlier ones take every packet, its conditions exclude each other, or nothing leads to it.

## What it detects

Rules that no packet can match, in any table: since one earlier rule or several together decide every packet that
could, be they in the same chain, in one that calls it or in one that is called before; since their own conditions, or
those of every rule that leads to their chain, exclude each other; or since no rule leads to their chain. What stands
behind a rule without conditions is one finding for each chain; so is a chain that nothing leads to. Else each rule is
a finding of its own, with the rules that take its packets.

## Why it matters

Most often somebody appended to a chain: DOCKER-USER ended in `-j RETURN` up to 28.2, so that
`iptables -A DOCKER-USER ... -j DROP` went in behind it and did nothing. Or a wider ACCEPT in front takes what a DROP
was meant for.

## Example

    -A DOCKER-USER -i eth0 -p tcp -m tcp --dport 5000:6000 -j ACCEPT
    -A DOCKER-USER -i eth0 -p tcp -m tcp --dport 5432 -j DROP

## What to do

Insert instead of appending (`iptables -I DOCKER-USER ...`), or take out the rule or what stands in its way.

## Limits

A condition that is not understood may be true or false, so a rule behind one is reported only if it is dead either
way. In a table that changes marks, every mark is unknown. Rules in the engine's own chains are not reported where the
engine's own rules, or others with the same effect, are in their way: it writes such ones itself. Nor are those that it
puts into built-in chains, where others have the same effect, a bare RETURN at the end of a chain, and chains of ufw
and other tools that nothing leads to. A chain that only dead rules lead to is not reported besides these. Rulesets in
which comparing takes too long are not assessed.

## References

- CWE-561
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from icclint.api import (
    DOCKER_CHAINS,
    ENGINE_CHAINS,
    Accept,
    Chain,
    DeadRule,
    Drop,
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    Reject,
    Return,
    Rule,
    Severity,
    Table,
    assess_rules,
    rule,
)

TOOLS = ("ufw-", "ufw6-", "KUBE-", "CNI-", "cali-", "CILIUM_", "LIBVIRT_", "f2b-")
"""How the names of chains begin that other tools make, some of them before they need them."""

MOST_RELATED = 10
"""How many of the rules that cover one are shown."""


@rule(
    id="rule-never-matches",
    severity=Severity.LOW,
    needs={Evidence.IPTABLES},
    since="0.1",
    yields=True,
)
def rule_never_matches(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        tool = "ip6tables" if ruleset.family == 6 else "iptables"
        for table in ruleset.tables.values():
            assessment = assess_rules(ruleset, table)
            leading = leading_to_chains(table)
            taken = {id(found.rule) for found in assessment.dead}
            for name, dead in by_chain(assessment.dead).items():
                callers = leading.get(name, [])
                # Where the dump is a part of the table, others may lead there too.
                if table.complete and callers and taken.issuperset(map(id, callers)):
                    continue
                yield from dead_in_chain(tool, table.chains[name], dead, callers)
            if assessment.not_assessed:
                count = len(assessment.not_assessed)
                yield NotAssessed(
                    f"table {table.name} ({tool})",
                    f"comparing all rules takes too long: {count} of them may never match",
                    None,
                )


def by_chain(dead: Iterable[DeadRule]) -> dict[str, list[DeadRule]]:
    """Dead rules by the chain that they stand in, in their order there."""
    found: dict[str, list[DeadRule]] = {}
    for one in dead:
        found.setdefault(one.rule.chain, []).append(one)
    return found


def leading_to_chains(table: Table) -> dict[str, list[Rule]]:
    """The rules that lead to each chain."""
    found: dict[str, list[Rule]] = {}
    for chain in table.chains.values():
        for one in chain.rules:
            if isinstance(one.target, Jump | Goto):
                found.setdefault(one.target.chain, []).append(one)
    return found


def dead_in_chain(tool: str, chain: Chain, dead: list[DeadRule], callers: list[Rule]) -> Iterator[Finding]:
    where = f"chain {chain.name} of table {dead[0].rule.table} ({tool})"
    if dead[0].reason == "unreachable":
        if not callers and chain.name not in DOCKER_CHAINS and not chain.name.startswith(TOOLS):
            yield never_called(where, dead)
        return
    end = next((one for one in chain.rules if ends_all(one)), None)
    last = end.number if end is not None else len(chain.rules)
    behind = [found for found in dead if found.rule.number > last]
    single = [found for found in dead if found.rule.number <= last and not is_scaffolding(found)]
    if end is not None and any(not is_idle(chain, found.rule) for found in behind):
        yield behind_one(where, end, behind)
    for group in alike(found for found in single if not is_idle(chain, found.rule)):
        yield never_matches(where, group, callers)


def ends_all(one: Rule) -> bool:
    """Whether a rule ends every packet's way through its chain."""
    return not one.matches and isinstance(one.target, Accept | Drop | Reject | Return | Goto)


def is_idle(chain: Chain, one: Rule) -> bool:
    """Whether a rule changes nothing even if it matches: RETURN where the chain ends anyway."""
    return ends_all(one) and isinstance(one.target, Return) and one.number == len(chain.rules)


def is_scaffolding(found: DeadRule) -> bool:
    """Whether an engine writes such a rule even where it is of no use (one bridge has nothing to be isolated from)."""
    in_the_way = [cover for cover in found.covered_by if cover.target.text != found.rule.target.text]
    if found.rule.chain in ENGINE_CHAINS:
        return all(cover.chain in ENGINE_CHAINS for cover in in_the_way)
    return bool(found.covered_by) and not in_the_way and in_built_in_by_engine(found.rule)


def in_built_in_by_engine(one: Rule) -> bool:
    """Whether a rule of a built-in chain looks like those that engines put there (moby, setup_ip_tables_linux.go)."""
    asked = {match.kind for match in one.matches}
    match one.table, one.chain:
        case "filter", "FORWARD":
            return "interface" in asked and asked <= {"interface", "state"}
        case "nat", "POSTROUTING":
            return one.target.text.startswith("-j MASQUERADE")
        case "raw", "PREROUTING":
            return asked == {"interface", "address"}
    return False


def alike(dead: Iterable[DeadRule]) -> list[list[DeadRule]]:
    """Each rule alone, but the engine's together where the same rules are in their way: there may be thousands."""
    groups: dict[tuple[int, ...], list[DeadRule]] = {}
    for found in dead:
        alike = found.covered_by if found.rule.chain in ENGINE_CHAINS else (found.rule,)
        groups.setdefault(tuple(map(id, alike)), []).append(found)
    return list(groups.values())


def never_called(where: str, dead: list[DeadRule]) -> Finding:
    count, match = (f"{len(dead)} rules", "match") if len(dead) > 1 else ("the rule", "matches")
    return Finding(
        message=f"No rule leads to {where}, so that {count} there never {match}",
        subject=where,
        key=("nothing leads to it",),
        primary=Location(dead[0].rule.span, "never matches"),
    )


def behind_one(where: str, end: Rule, dead: list[DeadRule]) -> Finding:
    count = f"{len(dead)} rules stand" if len(dead) > 1 else "a rule stands"
    return Finding(
        message=f"In {where} {count} behind '{end.text}' and never match",
        subject=where,
        key=(end.text, dead[0].rule.text),
        primary=Location(dead[0].rule.span, "never matches"),
        related=(Location(end.span, "ends every packet's way through the chain"),),
    )


def never_matches(where: str, alike: list[DeadRule], callers: list[Rule]) -> Finding:
    first = alike[0]
    others = f" and {len(alike) - 1} more never match" if len(alike) > 1 else " never matches"
    shown, label = first.covered_by, "takes packets that it asks for"
    if first.reason == "contradictory":
        shown, label = tuple(callers), "leads to its chain"
    return Finding(
        message=f"In {where} '{first.rule.text}'{others}: {why(first, callers)}",
        subject=where,
        key=(first.rule.text, *(cover.text for cover in first.covered_by)),
        primary=Location(first.rule.span, "never matches"),
        related=tuple(Location(one.span, label) for one in shown[:MOST_RELATED]),
    )


def why(found: DeadRule, callers: list[Rule]) -> str:
    """Why a rule is dead, in words."""
    if found.reason == "contradictory":
        return (
            "no packet that gets to its chain meets its conditions" if callers else "its conditions exclude each other"
        )
    if len(found.covered_by) == 1:
        return f"'{found.covered_by[0].text}' takes every such packet first"
    return f"{len(found.covered_by)} other rules together take every such packet first"
