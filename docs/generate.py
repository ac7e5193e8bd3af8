"""Writes what the code itself says best: ``python docs/generate.py``. A test holds the files to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from icclint_rules import FAMILIES
from pydantic import BaseModel

from icclint.reach import Table
from icclint.report import Report
from icclint.rule import Profile, Rule
from icclint.trace import Answer

ROOT = Path(__file__).parent.parent


def rules_table() -> str:
    """rules/README.md: every rule with its severity and its summary."""
    tables = [
        f"""## {(family.__doc__ or "").strip().rstrip(".")}

| rule | severity | a finding means |
| --- | --- | --- |
{chr(10).join(map(_row, family.RULES))}
"""
        for family in FAMILIES
    ]
    return f"""# Rules

One file a rule: its page is the docstring, its cases are `tests/rules/RULE.md`. `icclint explain RULE` shows the page.

{chr(10).join(tables)}
## Writing one

A rule is a module with a page as its docstring (the sections What it detects, Why it matters, Example, What to do,
Limits, References) and one function that yields what it has to say about a host. It imports `icclint.api` and nothing
else of icclint:

    @rule(id="icc-off-ipv6-open", severity=Severity.HIGH, needs={{Evidence.NETWORKS}}, since="0.1")
    def icc_off_ipv6_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
        ...

`host` holds the claims, `effect` answers what the rules do with the packets that a claim is about; a rule never reads
the text of a dump. What it cannot tell it yields as `NotAssessed`, with the command whose output would tell. Built-in
rules are listed in `RULES` of `icclint_rules`; a package of your own names its tuple by an entry point:

    [project.entry-points."icclint.rules"]
    mine = "my_rules:RULES"
"""


def _row(rule: Rule) -> str:
    path = f"{rule.check.__module__.replace('.', '/')}.py"
    audit = " (audit)" if rule.profile is Profile.AUDIT else ""
    return f"| [`{rule.id}`]({path}) | {rule.severity.value}{audit} | {rule.summary} |"


def schema(model: type[BaseModel]) -> str:
    """The JSON Schema of what a command prints."""
    return json.dumps(model.model_json_schema(mode="serialization"), indent=2) + "\n"


GENERATED: dict[str, Callable[[], str]] = {
    "rules/README.md": rules_table,
    "docs/report.schema.json": lambda: schema(Report),
    "docs/trace.schema.json": lambda: schema(Answer),
    "docs/reach.schema.json": lambda: schema(Table),
}
"""Each generated file, and what makes its text."""


if __name__ == "__main__":
    for name, text in GENERATED.items():
        (ROOT / name).write_text(text())
