"""Rules of other packages: found once they are installed, and never passed over in silence.

A package is installed here by what its installer would leave behind for Python to find: its files beside a `.dist-info`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from icclint.cli import main
from icclint.scaffold import package
from icclint.testing import cases

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "icclint-egress-open"
BROKEN = "samples/28.5.2/icc-off-but-accept"


def installed(folder: Path, site: Path) -> Path:
    """Installs the package in a folder into another one, as a link in place of a copy."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    module = project["name"].replace("-", "_")
    (site / module).symlink_to(folder / module)
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in project["entry-points"].items()
    )
    return metadata(site, project["name"], points)


def metadata(site: Path, name: str, entry_points: str) -> Path:
    info = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return site


def module(site: Path, source: str, name: str = "odd") -> Path:
    """A package of one module that is to hold ``RULES``."""
    (site / f"{name}.py").write_text(source)
    return metadata(site, name, f"[icclint.rules]\n{name} = {name}:RULES\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose packages this process finds."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("odd", None)


def run(site: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


# --- The example, and what `new-rule` makes ---


def test_the_rule_of_another_package_is_asked_like_any(tmp_path: Path) -> None:
    site = installed(EXAMPLE, tmp_path)
    (row,) = [line for line in run(site, "icclint", "rules").stdout.splitlines() if line.startswith("egress-open ")]
    assert row.split()[1:4] == ["icclint_egress_open", "high", "default"]
    assert "\n  Family:   icclint_egress_open\n" in run(site, "icclint", "explain", "egress-open").stdout
    case = next(case for case in cases(EXAMPLE / "tests" / "egress-open.md") if case.marked)
    for document, _ in case.capture.documents:
        (tmp_path / document.name).write_bytes(document.content)
    files = [str(tmp_path / name) for name in case.documents]
    done = run(site, "icclint", "check", *files, "-o", "json", "-o", f"sarif={tmp_path / 'log.sarif'}")
    assert done.returncode == 1
    (finding,) = [found for found in json.loads(done.stdout)["findings"] if found["rule"] == "egress-open"]
    assert finding["packet"]["out_interface"] == "eth0"
    rules = json.loads((tmp_path / "log.sarif").read_text())["runs"][0]["tool"]["driver"]["rules"]
    assert "egress-open" in [rule["id"] for rule in rules]


def test_the_example_imports_nothing_but_the_api() -> None:
    (source,) = (EXAMPLE / "icclint_egress_open").glob("egress_open.py")
    imports = [line for line in source.read_text().splitlines() if line.startswith(("import", "from"))]
    assert [line for line in imports if "icclint" in line] == ["from icclint.api import ("]


def test_the_example_is_what_new_rule_makes_but_for_its_rule() -> None:
    made = package("egress-open")
    own = {"icclint_egress_open/egress_open.py", "tests/egress-open.md"}
    assert own < made.keys()
    for name in made.keys() - own:
        assert (EXAMPLE / name).read_text() == made[name], name


def test_a_new_rule_passes_its_own_tests_and_is_found(tmp_path: Path) -> None:
    folder, site = tmp_path / "mine", tmp_path / "site"
    site.mkdir()
    done = run(site, "icclint", "new-rule", "host-open", "--directory", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert {str(folder / name) for name in package("host-open")} <= set(done.stdout.splitlines())
    tests = run(site, "pytest", "-q", str(folder))
    assert tests.returncode == 0, tests.stdout
    assert "3 passed" in tests.stdout
    installed(folder, site)
    assert "\nhost-open " in run(site, "icclint", "rules").stdout
    report = run(site, "icclint", "check", BROKEN, "--select", "host-open", "-o", "json")
    assert {finding["rule"] for finding in json.loads(report.stdout)["findings"]} == {"host-open"}


@pytest.mark.parametrize("id", ["rule", "a-name-that-takes-its-time"])
def test_what_new_rule_makes_is_tidy(id: str, tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["new-rule", id, "--directory", str(tmp_path)]).exit_code == 0
    for command in (["format", "--check"], ["check", "--select", "E,F,W,UP,B"]):
        options = ["--isolated", "--line-length", "120", "--target-version", "py311"]
        done = run(tmp_path, "ruff", *command, *options, str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
    assert run(tmp_path, "pytest", "-q", str(tmp_path)).returncode == 0


@pytest.mark.parametrize("name", ["Host-Open", "host_open", "-", "host--open", "2-hosts", "class", "../x", "", "é"])
def test_new_rule_refuses_what_can_be_no_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["new-rule", "--", name])
    assert result.exit_code == 2
    assert "is no name for a rule" in result.output
    assert list(tmp_path.iterdir()) == []


def test_new_rule_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "icclint-mine").mkdir()
    (tmp_path / "icclint-mine" / "notes").write_text("mine")
    result = CliRunner().invoke(main, ["new-rule", "mine"])
    assert (result.exit_code, "icclint-mine is there already" in result.output) == (2, True)
    assert [path.name for path in (tmp_path / "icclint-mine").iterdir()] == ["notes"]
    assert "is there already" in CliRunner().invoke(main, ["new-rule", "link-orphaned"]).output
    assert CliRunner().invoke(main, ["new-rule", "mine", "--directory", "/dev/null/x"]).exit_code == 2


# --- Packages that do not load ---

RULE = """
from icclint.api import *
@rule(id={id!r}, severity={severity}, needs={needs}, since="1")
def odd(host, effect):
    {body}
RULES = (odd,)
"""


def rule_source(body: str, id: str = "odd", severity: str = "Severity.LOW", needs: str = "()") -> str:
    return RULE.format(body=body, id=id, severity=severity, needs=needs)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "does not load: ModuleNotFoundError: No module named 'no_such_module'"),
        ("from icclint.api import no_such_name", "does not load: ImportError: cannot import name 'no_such_name'"),
        ("RULES = (", "does not load: SyntaxError"),
        ("raise SystemExit(0)", "does not load: SystemExit: 0"),
        ("", "does not load: AttributeError: module 'odd' has no attribute 'RULES'"),
        ("RULES = None", "does not load: TypeError"),
        ("RULES = ('icc-off-but-forwarded',)", "holds what is no rule: 'icc-off-but-forwarded'"),
        (rule_source("yield", id="Odd Rule"), "'Odd Rule' is no name for a rule"),
        (rule_source("yield", severity="'high'"), "rule odd: 'high' is no Severity"),
        (rule_source("yield", needs="'iptables'"), "is no Evidence"),
        (
            rule_source("yield", id="link-orphaned"),
            "two rules have the name link-orphaned: of rule package builtin (icclint_rules:RULES), "
            "rule package odd (odd:RULES)",
        ),
        (rule_source("yield") + "RULES *= 2", "two rules have the name odd"),
    ],
    ids=lambda value: value[:40],
)
def test_a_package_that_does_not_load_is_said(site: Path, source: str, said: str) -> None:
    module(site, source)
    done = CliRunner().invoke(main, ["check", BROKEN])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("icclint: ")
    assert "rule package odd (odd:RULES)" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- Rules that fail ---


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("yield 1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("yield 'all is well'", "TypeError: a rule yields Finding and NotAssessed, and this one 'all is well'"),
        ("yield None", "TypeError: a rule yields Finding and NotAssessed, and this one None"),
        ("return None", "TypeError: 'NoneType' object is not iterable"),
        ("yield NotAssessed('host', None, None)", "reason"),
        ("yield Finding('m', 's', (), host.networks[0].span_of('Name'))", "AttributeError"),
        ("yield Finding('m', 's', (), Location(host.networks[0].span_of('Name'), 'l'), remedy='reboot')", "remedy"),
        ("yield Finding('m', 's', (7,), Location(host.networks[0].span_of('Name'), 'l'))", "TypeError"),
    ],
    ids=lambda value: value[:40],
)
def test_a_rule_that_fails_is_said_and_the_others_still_speak(site: Path, body: str, said: str) -> None:
    module(site, rule_source(body))
    outputs = ("-o", "text", "-o", f"json={site}/report.json", "-o", f"sarif={site}/report.sarif")
    done = CliRunner().invoke(main, ["check", BROKEN, *outputs])
    assert (done.exit_code, done.stderr) == (4, "")
    assert "crash[odd] on " in done.stdout
    assert said in done.stdout
    assert "high[icc-off-but-forwarded]" in done.stdout
    report = json.loads((site / "report.json").read_text())
    assert [crash["rule"] for crash in report["crashes"]] == ["odd"]
    (invocation,) = json.loads((site / "report.sarif").read_text())["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False


def test_what_a_rule_said_before_it_failed_does_not_count(site: Path) -> None:
    """Half an answer would have the fingerprints of the other half marked as mended."""
    module(site, rule_source("yield NotAssessed('host', 'so it is', None); yield 1 / 0"))
    report = json.loads(CliRunner().invoke(main, ["check", BROKEN, "-o", "json", "--select", "odd"]).stdout)
    assert (len(report["crashes"]), report["not_assessed"]) == (1, [])
