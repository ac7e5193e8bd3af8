"""Writes what the code itself says best: ``python docs/generate.py``. A test holds the files to it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
from icclint_rules import FAMILIES, RULES
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from icclint.baseline import Baseline
from icclint.capture.read import read_captures
from icclint.checked import Checked
from icclint.config import Configuration
from icclint.difference import Difference
from icclint.engine import check
from icclint.evidence import Manifest
from icclint.output.page import markdown
from icclint.output.text import render_text
from icclint.parse.grammar import open_grammar
from icclint.parse.shapes import pack
from icclint.reach import Table
from icclint.report import Report
from icclint.rule import Profile, Rule
from icclint.testing import Case, cases, report
from icclint.trace import Answer

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT / "tests" / "captures"
PAGES = "docs/rules"


def rule_page(rule: Rule) -> str:
    """docs/rules/RULE.md: the page of a rule, and one of its cases for each outcome."""
    file = ROOT / "tests" / "rules" / f"{rule.id}.md"
    setting = file.read_text().partition("\n## ")[0].partition("\n")[2].strip()
    return f"""{markdown(rule)}
## Cases

Taken from [its cases](../../tests/rules/{file.name}), which the tests run; `# finding` and `// finding` mark what
[the rule](../../rules/{rule.check.__module__.replace(".", "/")}.py) must report.

{setting}

{chr(10).join(map(_example, _examples(list(cases(file)))))}"""


def _examples(own: list[Case]) -> Iterator[Case]:
    """The first case in which a rule fires, the first in which it is silent, and the first in which it cannot tell."""
    yield next(case for case in own if case.marked)
    yield next(case for case in own if case.is_silent)
    yield from [case for case in own if case.expected("not assessed") and not case.marked][:1]


def _example(case: Case) -> str:
    """A case as written, and the report on it."""
    documents = {document.name: document for document, _ in case.capture.documents}
    # The last line counts documents.
    *lines, _ = render_text([Checked(report(case, RULES), documents)])
    shown = click.unstyle("\n".join(lines)).strip()
    answer = f"What icclint reports:\n\n```text\n{shown}\n```" if shown else "icclint reports nothing."
    return f"### {case.title}\n\n{case.host}\n\n{answer}\n"


def rules_table() -> str:
    """rules/README.md: every rule with its severity and its summary."""
    tables = [
        f"""## {(family.__doc__ or "").strip().rstrip(".")}

| rule | severity | profile | a finding means |
| --- | --- | --- | --- |
{chr(10).join(map(_row, family.RULES))}
"""
        for family in FAMILIES
    ]
    return f"""# Rules

Each rule has a page, which `icclint explain RULE` shows as well. `icclint check` asks the rules of the default profile;
`--profile audit` asks all of them.

{chr(10).join(tables)}
## Writing one

A rule is a module with a page as its docstring (the sections What it detects, Why it matters, Example, What to do,
Limits, References) and one function that yields what it has to say about a host. It imports `icclint.api` and nothing
else of icclint:

    @rule(id="icc-off-ipv6-open", severity=Severity.HIGH, needs={{Evidence.NETWORKS}}, since="0.1")
    def icc_off_ipv6_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
        ...

`host` holds the claims, `effect` answers what the rules do with the packets that a claim is about; a rule never reads
the text of a dump. What it cannot tell it yields as `NotAssessed`, with the command whose output would tell. One cause
is one finding: a rule about lines, not packets, says `yields=True`, and where another rule's finding names its line,
what it says becomes a place of that finding. From list items of References such as `- CWE-923` and
`- CIS Docker Benchmark 1.8.0, 2.2`, SARIF logs relate the rule to both.

Its cases are a Markdown file named after it: hosts in fenced blocks, with the lines marked that it must report. Those
of the built-in rules are `tests/rules/RULE.md`; `icclint.testing` runs them, and describes their format. The built-in
rules are listed in `RULES` of their family's folder here.

Rules of other packages are found in the same way, by an entry point. `icclint new-rule NAME` makes such a package: a
page, a question, a case that fires and one that is silent, and the test that runs them.
[icclint-egress-open](../examples/icclint-egress-open) began so. Once a package is installed, `icclint check` asks its
rules too. One that does not load is exit code 2, and a rule that crashes is exit code 4: a run that quietly went
without a rule would look like a clean host.
"""


def _row(rule: Rule) -> str:
    return f"| [`{rule.id}`](../{PAGES}/{rule.id}.md) | {rule.severity.value} | {rule.profile.value} | {rule.summary} |"


def schema(model: type[BaseModel], mode: JsonSchemaMode = "serialization") -> str:
    """The JSON Schema of what a command prints, or reads."""
    return json.dumps(model.model_json_schema(mode=mode), indent=2) + "\n"


def findings() -> str:
    """docs/findings.md: what each captured host of the tests yields, by scenario and engine."""
    reports = {folder: _report(folder) for folder in sorted(CAPTURES.glob("*/*/"))}
    engines = sorted({folder.parent.name for folder in reports})
    scenarios = sorted({folder.name for folder in reports})
    rows = [
        f"| {scenario} | {' | '.join(_cell(reports.get(CAPTURES / engine / scenario)) for engine in engines)} |"
        for scenario in scenarios
    ]
    words = [line for folder, report in reports.items() for line in _in_words(folder, report)]
    return f"""# What captured hosts yield

Every host of [tests/captures](../tests/captures/README.md), which says what was done to it, in the default profile. A
dash is a host on which icclint looked and found nothing; an empty cell is a host that was not captured.

| | {" | ".join(engines)} |
| --- |{" --- |" * len(engines)}
{chr(10).join(rows)}

## In words

{chr(10).join(words)}
"""


def _report(folder: Path) -> Report:
    files = [str(path) for path in sorted(folder.iterdir()) if path.name != "truth.json"]
    captures, _ = read_captures(files, folder)
    return check(captures, [rule for rule in RULES if rule.profile is Profile.DEFAULT])


def _cell(report: Report | None) -> str:
    if report is None:
        return ""
    found = Counter((finding.severity, finding.rule) for finding in report.findings)
    told = [f"{severity} `{rule}`{f' × {count}' if count > 1 else ''}" for (severity, rule), count in found.items()]
    told += [f"not assessed: `{rule}`" for rule in dict.fromkeys(word.rule for word in report.not_assessed)]
    return "<br>".join(told) or "–"


def _in_words(folder: Path, report: Report) -> list[str]:
    host = f"{folder.parent.name}/{folder.name}"
    return [
        f"- {host}, {finding.location.document}:{finding.location.line}: {finding.message.replace('`', '')}"
        for finding in report.findings
    ]


def shapes() -> str:
    """grammars/icclint_grammars/shapes.json: what lark reads in dumps of Docker's rules, and of other programs'."""
    dumps = [path for folder in (CAPTURES, ROOT / "samples") for path in sorted(folder.glob("**/ip*tables-*.txt"))]
    dumps.append(ROOT / "tests" / "dumps" / "others.md")
    lines = {
        line for path in dumps for line in path.read_text().splitlines() if re.match(r"-[APN] |[*:]\S|COMMIT", line)
    }
    packed = pack(open_grammar("iptables"), sorted(lines))
    rows = [f"    {json.dumps(key)}: {json.dumps(shape)}" for key, shape in packed["shapes"].items()]
    terminals = json.dumps(packed["terminals"], indent=4)
    return f'{{\n  "terminals": {terminals},\n  "shapes": {{\n{f",{chr(10)}".join(rows)}\n  }}\n}}\n'


GENERATED: dict[str, Callable[[], str]] = {
    "rules/README.md": rules_table,
    "grammars/icclint_grammars/shapes.json": shapes,
    "docs/findings.md": findings,
    "docs/report.schema.json": lambda: schema(Report),
    "docs/config.schema.json": lambda: schema(Configuration, "validation"),
    "docs/baseline.schema.json": lambda: schema(Baseline, "validation"),
    "docs/evidence.schema.json": lambda: schema(Manifest),
    "docs/trace.schema.json": lambda: schema(Answer),
    "docs/reach.schema.json": lambda: schema(Table),
    "docs/diff.schema.json": lambda: schema(Difference),
    **{f"{PAGES}/{rule.id}.md": partial(rule_page, rule) for rule in RULES},
}
"""Each generated file, and what makes its text."""


if __name__ == "__main__":
    (ROOT / PAGES).mkdir(exist_ok=True)
    for page in (ROOT / PAGES).glob("*.md"):
        page.unlink()
    for name, text in GENERATED.items():
        (ROOT / name).write_text(text())
