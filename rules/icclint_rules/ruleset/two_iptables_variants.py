"""Rules of the engine are in the nft tables of iptables and in its legacy ones, and a packet must pass both.

## What it detects

Both variants of iptables for one family, each with a rule that leads from a built-in chain of table filter into one of
the engine's chains.

## Why it matters

The engine keeps up only one variant: the one that the command `iptables` was when it started. The rules in the other
one are as old as the last engine that wrote there. They still drop what today's rules accept, and `iptables -S` shows
only one half of it.

## Example

    # iptables-save v1.8.9 (nf_tables)
    -A FORWARD -j DOCKER-USER
    # iptables-legacy-save
    -A FORWARD -j DOCKER-USER

## What to do

Find out which variant the engine writes to (`iptables --version`, `update-alternatives --display iptables`), take the
engine's rules out of the other one, or restart the host.

## Limits

That the dump of one variant warns of tables of the other, without a dump of these, cannot be judged: there may be
nothing in them.

## References

- CWE-459, CWE-693
- https://github.com/moby/moby/issues/46636, https://github.com/docker-library/docker/issues/467
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    BUILT_IN_CHAINS,
    ENGINE_CHAINS,
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    Rule,
    Ruleset,
    Severity,
    rule,
)
from icclint_rules.lines import rules_of


@rule(
    id="two-iptables-variants",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
)
def two_iptables_variants(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for family in (4, 6):
        name = "ip6tables" if family == 6 else "iptables"
        leads = {ruleset.variant: lead for ruleset in host.rulesets_of(family) if (lead := into_docker(ruleset))}
        if "legacy" in leads and "nft" in leads:
            yield Finding(
                message=(
                    f"The engine's rules are in the nft tables of {name} and in its legacy ones: a packet must pass"
                    " both, and the engine keeps up only one of them"
                ),
                subject=f"rules of {name}",
                key=(),
                primary=Location(leads["legacy"].span, "leads to the engine's rules in the legacy tables"),
                related=(Location(leads["nft"].span, "leads to the engine's rules in the nft tables"),),
                remedy=("update-alternatives --display iptables",),
            )
    variants = {ruleset.variant for ruleset in host.rulesets}
    if host.legacy_warning is not None and "legacy" not in variants:
        yield NotAssessed("host", "the dump warns of legacy tables, which were not captured", "iptables-legacy-save")


def into_docker(ruleset: Ruleset) -> Rule | None:
    """The first rule that leads from a built-in chain into one of the engine's."""
    return next(
        (
            one
            for chain in BUILT_IN_CHAINS["filter"]
            for one in rules_of(ruleset, "filter", chain)
            if isinstance(one.target, Jump | Goto) and one.target.chain in ENGINE_CHAINS
        ),
        None,
    )
