"""Rulesets as they were found: their chains, their order, and the engine that wrote them."""

from icclint_rules.ruleset.chain_never_reached import chain_never_reached
from icclint_rules.ruleset.rule_never_matches import rule_never_matches

RULES = (chain_never_reached, rule_never_matches)
