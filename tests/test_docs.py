"""What is generated is current, and what the README shows is what happens."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from icclint.cli import main

ROOT = Path(__file__).parent.parent

_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", list(generate.GENERATED))
def test_a_generated_file_is_current(name: str) -> None:
    assert (ROOT / name).read_text() == generate.GENERATED[name](), "run python docs/generate.py"


def test_the_readme_shows_what_the_commands_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text()
    examples = re.findall(r"^```console\n\$ icclint (.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert examples
    for command, shown in examples:
        printed = CliRunner().invoke(main, command.split()).output
        # A README may leave lines out, and says so.
        parts = [part.strip("\n") for part in re.split(r"^\[\.\.\.\]$", shown, flags=re.MULTILINE)]
        place = 0
        for part in parts:
            assert part in printed[place:], command
            place = printed.index(part, place) + len(part)


def test_every_page_belongs_to_a_rule() -> None:
    pages = {f"docs/rules/{path.name}" for path in (ROOT / "docs" / "rules").iterdir()}
    assert pages <= generate.GENERATED.keys()


@pytest.mark.parametrize("name", ["rules/README.md", *(name for name in generate.GENERATED if "docs/rules/" in name)])
def test_links_of_generated_pages_lead_to_files(name: str) -> None:
    links = re.findall(r"\]\(([^):]+)\)", (ROOT / name).read_text())
    assert links
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []
