"""Finds the rules: icclint's own and other people's come by the same entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from icclint.rule import Rule

GROUP = "icclint.rules"


class RulePackageError(Exception):
    """A rule package that is installed and cannot be used. Going on without its rules would look like a clean host."""


def load_rules() -> tuple[Rule, ...]:
    """All installed rules, those of icclint first, then by the name of their package.

    An entry point of the group ``icclint.rules`` names a tuple of `Rule`. Raises `RulePackageError` where one does
    not load, where it holds anything else, and where two rules have one name.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name != "builtin", point.name))
    rules = tuple(rule for point in points for rule in _load(point))
    if not rules:
        raise RulePackageError(f"no rules are installed: the entry point group {GROUP} is empty")
    for found in rules:
        if sum(rule.id == found.id for rule in rules) > 1:
            raise RulePackageError(f"two rules have the name {found.id}")
    return rules


def _load(point: EntryPoint) -> tuple[Rule, ...]:
    try:
        rules = tuple(point.load())
    except Exception as error:  # a foreign package may raise anything
        raise RulePackageError(f"rule package {point.name} ({point.value}) does not load: {error}") from error
    strange = [value for value in rules if not isinstance(value, Rule)]
    if strange:
        raise RulePackageError(f"rule package {point.name} ({point.value}) holds what is no rule: {strange[0]!r}")
    return rules
