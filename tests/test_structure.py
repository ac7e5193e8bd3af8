"""The house in order: which way imports go, and what every rule has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from icclint_rules import RULES

from icclint.rule import Rule

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "icclint.source": set(),
    "icclint.parse": {"source"},
    "icclint.ir": {"source"},
    "icclint.docker": {"source", "ir"},
    "icclint.lower": {"source", "parse", "ir", "docker"},
    "icclint.capture": {"source", "parse"},
    "icclint.packets": {"source", "ir", "docker"},
    "icclint.finding": {"source", "packets"},
    "icclint.references": set(),
    "icclint.rule": {"ir", "packets", "finding", "references"},
    "icclint.api": {"source", "ir", "docker", "packets", "finding", "rule"},
    "icclint.plugins": {"rule"},
    "icclint.scaffold": {"rule"},
    "icclint.report": set(),
    "icclint.nearest": set(),
    "icclint.toml": set(),
    "icclint.config": {"nearest", "rule", "toml"},
    "icclint.accept": {"config", "report"},
    "icclint.baseline": {"source", "parse", "report"},
    "icclint.evidence": {"config", "plugins", "report"},
    "icclint.fingerprint": {"ir", "docker"},
    "icclint.engine": {
        "source", "parse", "ir", "docker", "lower", "capture", "packets", "finding", "fingerprint", "rule", "report",
    },
    "icclint.difference": {
        "ir", "docker", "lower", "capture", "packets", "relation", "reach", "engine", "report", "rule",
    },
    "icclint.spool": set(),
    "icclint.checked": {"source", "report", "reach"},
    "icclint.inquiry": {"capture", "lower", "engine", "reach", "plugins", "rule", "report", "checked"},
    "icclint.fleet": {"capture", "report", "checked", "inquiry"},
    "icclint.progress": set(),
    "icclint.output": {"source", "report", "rule", "reach", "difference", "checked", "spool"},
    "icclint.testing": {"source", "parse", "capture", "rule", "report", "engine"},
    "icclint.show": {"source", "parse", "ir", "lower", "capture", "engine", "output", "report", "rule"},
    "icclint.question": {"ir", "lower", "packets"},
    "icclint.trace": {"ir", "packets", "engine", "question", "report", "output"},
    "icclint.relation": {"ir", "docker", "packets"},
    "icclint.reach": {"ir", "packets", "relation", "engine", "report", "output"},
    "icclint_rules": {"api"},
}  # fmt: skip
"""What each part may import of icclint, besides itself. The command line may import anything."""
COMMAND_LINE = ("icclint.cli", "icclint.command", "icclint.__main__")


def modules() -> Iterator[tuple[str, Path]]:
    for root in (ROOT, ROOT / "rules"):
        for path in sorted(root.glob("icclint*/**/*.py")):
            yield ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they lead"
            yield node.module or ""
            # `from icclint import report` names a module too.
            if node.module == "icclint":
                yield from (f"icclint.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("name", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_go_one_way(name: str, path: Path) -> None:
    part = next((part for part in MAY_IMPORT if name == part or name.startswith(f"{part}.")), None)
    if part is None:
        assert name.startswith(COMMAND_LINE) or name == "icclint", f"{name} has no place in the table"
        return
    for target in imports(path):
        assert target.partition(".")[0] not in ("rules", "grammars"), "works in a checkout, fails in a wheel"
        if target == part or target.startswith(f"{part}.") or not target.startswith("icclint"):
            continue
        if target in ("icclint", "icclint.__version__"):
            continue
        allowed = {f"icclint.{other}" for other in MAY_IMPORT[part]}
        assert ".".join(target.split(".")[:2]) in allowed, f"{name} imports {target}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_page_with_all_its_sections(rule: Rule) -> None:
    headings = re.findall(r"^## (.*)$", rule.page, re.MULTILINE)
    assert headings == ["What it detects", "Why it matters", "Example", "What to do", "Limits", "References"]
    assert all(rule.section(heading) for heading in headings)
    assert rule.summary.endswith(".")
    assert rule.check.__module__.rpartition(".")[2] == rule.id.replace("-", "_")


def test_every_module_with_a_rule_is_listed() -> None:
    listed = {rule.check.__module__ for rule in RULES}
    found = {name for name, path in modules() if name.startswith("icclint_rules.") and "\n@rule(" in path.read_text()}
    assert found == listed
