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
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name != "builtin", point.name, point.value))
    owners: dict[str, EntryPoint] = {}
    rules: list[Rule] = []
    for point in points:
        for rule in _load(point):
            if rule.id in owners:
                raise RulePackageError(
                    f"two rules have the name {rule.id}: of {_named(owners[rule.id])}, {_named(point)}"
                )
            owners[rule.id] = point
            rules.append(rule)
    if not rules:
        raise RulePackageError(f"no rules are installed: the entry point group {GROUP} is empty")
    return tuple(rules)


def rule_packages() -> tuple[tuple[str, str], ...]:
    """The name and the version of each installed package that has rules, by name."""
    found = {(point.dist.name, point.dist.version) for point in entry_points(group=GROUP) if point.dist is not None}
    return tuple(sorted(found))


def _load(point: EntryPoint) -> tuple[Rule, ...]:
    try:
        rules = tuple(point.load())
    # A foreign package may raise anything, and one that ends the process would end it without a word.
    except (Exception, SystemExit) as error:
        raise RulePackageError(f"{_named(point)} does not load: {type(error).__name__}: {error}") from error
    for value in rules:
        if not isinstance(value, Rule):
            raise RulePackageError(f"{_named(point)} holds what is no rule: {value!r}")
    return rules


def _named(point: EntryPoint) -> str:
    return f"rule package {point.name} ({point.value})"
