"""What rules about the text of rulesets share: which rules there are, and the commands that take one out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from icclint.api import BUILT_IN_CHAINS, Assumption, Host, InterfaceMatch, OpaqueMatch, Rule, Ruleset, assume_match

MOST_LINES = 10
"""How many lines of a kind a finding shows, and how many commands it gives."""


def every_rule(host: Host) -> Iterator[tuple[Ruleset, Rule]]:
    """Every captured rule with its ruleset."""
    for ruleset in host.rulesets:
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                for rule in chain.rules:
                    yield ruleset, rule


def rules_of(ruleset: Ruleset, table: str, chain: str) -> tuple[Rule, ...]:
    """The rules of a chain; none where the dump does not hold it."""
    chains = ruleset.tables[table].chains if table in ruleset.tables else {}
    return tuple(chains[chain].rules) if chain in chains else ()


def tool(ruleset: Ruleset) -> str:
    """The command that changes a ruleset."""
    name = "ip6tables" if ruleset.family == 6 else "iptables"
    return f"{name}-legacy" if ruleset.variant == "legacy" else name


def ruleset_of(host: Host, rule: Rule) -> Ruleset:
    """The ruleset that a rule stands in. Raises `LookupError` for a rule of another host, or of nftables itself."""
    for ruleset in host.rulesets:
        chain = ruleset.tables[rule.table].chains.get(rule.chain) if rule.table in ruleset.tables else None
        # Looked up by its number, since a chain may hold thousands.
        if chain and rule.number <= len(chain.rules) and chain.rules[rule.number - 1].span == rule.span:
            return ruleset
    raise LookupError(rule.text)


def drop_before(host: Host, accepting: Rule, bridge: str, more: str = "") -> tuple[str, ...]:
    """The command that drops between a bridge's ports what a rule accepts, and more conditions; none as for `deletion`.

    For rules whose owner, the engine or another program, would write them again. DOCKER-USER came with 17.06.
    """
    if not accepting.text.startswith("-A ") or not accepting.exact:
        return ()
    ruleset = ruleset_of(host, accepting)
    asked = accepting.text.removeprefix(f"-A {accepting.chain} ").removesuffix(accepting.target.text)
    for match in accepting.matches:
        if isinstance(match, InterfaceMatch):
            asked = asked.replace(f"{match.text} ", "")
    chain = "DOCKER-USER" if _has_docker_user(ruleset) else "FORWARD"
    return (f"{tool(ruleset)} -I {chain} -i {bridge} -o {bridge} {asked}{more}-j DROP",)


def _has_docker_user(ruleset: Ruleset) -> bool:
    return "filter" in ruleset.tables and "DOCKER-USER" in ruleset.tables["filter"].chains


def deletion(ruleset: Ruleset, rule: Rule) -> tuple[str, ...]:
    """The command that takes a rule out: by its text, or by its number where a listing does not tell all of it.

    There is none where the line could not be read.
    """
    if not rule.text.startswith("-A "):
        return ()
    table = "" if rule.table == "filter" else f" -t {rule.table}"
    if not rule.exact:
        return (f"{tool(ruleset)}{table} -D {rule.chain} {rule.number}",)
    return (f"{tool(ruleset)}{table} -D {rule.text.removeprefix('-A ')}",)


def removal(host: Host, rule: Rule) -> tuple[str, ...]:
    """The commands that take a rule out, of iptables or of nftables itself, where the first shows the rule's handle."""
    if rule.table in BUILT_IN_CHAINS:
        return deletion(ruleset_of(host, rule), rule)
    chain = f"{rule.table} {rule.chain}"
    return (f"nft -a list chain {chain}", f"nft delete rule {chain} handle HANDLE")


def unknown_conditions(rules: Iterable[Rule]) -> tuple[Assumption, ...]:
    """What must be so for some rules to match, where the capture does not tell."""
    assumed = (
        assume_match(one, place, not match.negated, None)
        for one in rules
        for place, match in enumerate(one.matches)
        if isinstance(match, OpaqueMatch)
    )
    return tuple(dict.fromkeys(assumed))
