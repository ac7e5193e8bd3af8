"""The manifest: enough for another examiner to get the same bytes, and nothing of the machine that made it."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from icclint import __version__
from icclint.cli import main
from icclint.finding import Finding, NotAssessed
from icclint.ir.host import Host
from icclint.packets.effect import Effect

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "28.5.2" / "icc-off-but-accept"
ACCEPTED = '[[accept]]\nrule = "icc-off-*"\nsubject = "network bridge"\nreason = "OPS-412"\n'


def desk_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copytree(SAMPLE, folder / "host1")
    return folder


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(desk_in(tmp_path / "desk"))
    return tmp_path / "desk"


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("check", "host1", *arguments))


def manifest(*arguments: str) -> Any:
    check("--evidence", "evidence.json", *arguments)
    return json.loads(Path("evidence.json").read_text())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_it_fits_its_schema_and_names_every_document(desk: Path) -> None:
    found = manifest()
    jsonschema.validate(found, json.loads((ROOT / "docs/evidence.schema.json").read_text()))
    read = {document["name"]: (document["sha256"], document["bytes"]) for document in found["documents"]}
    files = [path for path in (desk / "host1").iterdir() if path.is_file()]
    assert read == {f"host1/{path.name}": (sha256(path.read_bytes()), path.stat().st_size) for path in files}
    assert found["version"] == __version__
    assert {"name": "icclint", "version": __version__} in found["rule_packages"]
    assert found["exit_code"] == 1


def test_the_hashes_are_those_of_the_reports(desk: Path) -> None:
    found = manifest("-o", "text=r.txt", "-o", "sarif=r.sarif", "--fail-on", "never")
    assert found["exit_code"] == 0
    written = {report["format"]: (report["sha256"], report["bytes"]) for report in found["reports"]}
    for form, name in (("text", "r.txt"), ("sarif", "r.sarif")):
        content = (desk / name).read_bytes()
        assert written[form] == (sha256(content), len(content))
    # The whole report, whatever was asked for.
    whole = check("-o", "json").stdout_bytes
    assert written["json"] == (sha256(whole), len(whole))


def test_another_examiner_elsewhere_gets_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = set()
    for name, zone in (("here", "UTC"), ("there/below", "Asia/Tokyo")):
        monkeypatch.chdir(desk_in(tmp_path / name))
        monkeypatch.setenv("TZ", zone)
        check("--evidence", str(tmp_path / name / "evidence.json"), "-o", f"text={tmp_path / name}/r.txt")
        made.add(Path("evidence.json").read_bytes())
    assert len(made) == 1
    text = made.pop().decode()
    for private in (str(tmp_path), str(ROOT), str(Path.home()), socket.gethostname(), getpass.getuser()):
        assert not re.search(rf"(?<![\w-]){re.escape(private)}(?![\w-])", text)
    assert not re.search(r"\d\d:\d\d:\d\d", text)


def test_a_time_is_there_only_if_it_was_given(desk: Path) -> None:
    assert manifest()["options"]["at"] is None
    assert manifest("--at", "2027-01-31T12:00:00Z")["options"]["at"] == "2027-01-31T12:00:00Z"
    assert check("--at", "2027-01-31 12:00").exit_code == 2


def test_what_was_asked_for_is_in_it(desk: Path) -> None:
    (desk / "icclint.toml").write_text(ACCEPTED)
    CliRunner().invoke(main, ("baseline", "write", "host1", "-o", "b.json"))
    options = manifest("--baseline", "b.json", "--select", "icc-off-but-forwarded", "--strict")["options"]
    assert options["rules"] == ["icc-off-but-forwarded"]
    assert options["strict"] is True
    assert [one["reason"] for one in options["accept"]] == ["OPS-412"]
    for key, name in (("configuration", "icclint.toml"), ("baseline", "b.json")):
        content = (desk / name).read_bytes()
        assert options[key] == {"name": name, "sha256": sha256(content), "bytes": len(content)}
    assert manifest("--no-config")["options"]["configuration"] is None


def test_where_the_day_decides_it_must_be_given(desk: Path) -> None:
    (desk / "icclint.toml").write_text(f"{ACCEPTED}until = 2027-01-31\n")
    result = check("--evidence", "evidence.json")
    assert result.exit_code == 2
    assert "--at" in result.stderr
    assert not (desk / "evidence.json").exists()
    assert manifest("--at", "2027-01-31T12:00:00Z")["exit_code"] == 0
    assert manifest("--at", "2027-02-01T00:00:00Z")["exit_code"] == 1
    assert check("--evidence", "evidence.json", "--no-accept").exit_code == 1


def test_what_was_not_analysed_is_in_it(desk: Path) -> None:
    (desk / "host1" / "networks.json").write_text("[{")
    found = manifest("no-such-folder")
    assert found["not_analysed"]["all_paths_read"] is False
    assert [gap["whole"] for gap in found["not_analysed"]["gaps"]] == [True]
    assert found["not_analysed"]["not_assessed"]
    assert found["exit_code"] == 3
    report = json.loads(check("no-such-folder", "-o", "json").stdout)
    assert found["not_analysed"]["gaps"] == report["gaps"]
    assert found["not_analysed"]["not_assessed"] == report["not_assessed"]


def test_a_crash_is_in_it_without_paths(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from icclint import plugins

    def broken(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
        raise RuntimeError(__file__)

    first, *rules = plugins.load_rules()
    monkeypatch.setattr(plugins, "load_rules", lambda: (replace(first, check=broken, needs=frozenset()), *rules))
    found = manifest()
    assert found["not_analysed"]["crashes"] == [{"rule": first.id, "host": "host1"}]
    assert found["exit_code"] == 4
    assert __file__ not in json.dumps(found)
