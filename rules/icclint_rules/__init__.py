"""The rules that come with icclint: a folder for each family, a file for each rule."""

from icclint_rules import icc, isolation, links, options, overlay, ports, ruleset

FAMILIES = (icc, links, options, isolation, ports, overlay, ruleset)
"""The families in the order of their tables."""

RULES = tuple(rule for family in FAMILIES for rule in family.RULES)
