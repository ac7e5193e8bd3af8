"""One ruleset of a live namespace in all the forms in which people have it: the findings are the same, or asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from icclint_rules import RULES

from icclint.capture.limits import Limits
from icclint.capture.read import read_captures
from icclint.engine import check
from icclint.report import Report
from icclint.rule import Profile
from tests import captured
from tests.kernel.lab import VARIANTS, Lab, Namespace
from tests.kernel.test_kernel_listings import TABLES, restored, said
from tests.packed import PACKERS

pytestmark = pytest.mark.kernel

ASKED = [rule for rule in RULES if rule.profile is Profile.DEFAULT]
HOSTS = ("28.5.2/10a-accept-in-docker-user", "28.5.2/04b-link-target-address-reused", "20.10.24/16a-ufw-before-docker")
OTHERS = ("networks.json", "containers.json", "sysctl.txt", "ip-addr.txt", "ip-route.txt")
SOS = {
    "iptables-save": "sos_commands/networking/iptables-save",
    "networks.json": "sos_commands/docker/docker_network_inspect_1",
    "containers.json": "sos_commands/docker/docker_inspect_1",
    "sysctl.txt": "sos_commands/kernel/sysctl_-a",
}
UAC = {
    "iptables-save": "live_response/network/iptables-save.txt",
    "networks.json": "live_response/containers/docker_network_inspect_1.txt",
    "containers.json": "live_response/containers/docker_inspect_1.txt",
    "sysctl.txt": "live_response/system/sysctl_-a.txt",
}


def forms(variant: str) -> dict[str, dict[str, str]]:
    """The rules of this namespace, by form: the documents that hold them."""
    tool = f"iptables-{variant}"
    save = said(f"{tool}-save")

    def by_table(*words: str) -> dict[str, str]:
        return {f"iptables-{name}": said(tool, "-t", name, *words) for name in TABLES}

    typed = "".join(f"root@host1:~# iptables -t {name} -S\n{said(tool, '-t', name, '-S')}" for name in TABLES)
    return {
        "save": {"iptables-save": save},
        "save with counters": {"iptables-save": said(f"{tool}-save", "-c")},
        "-S": by_table("-S"),
        "-L -nv": by_table("-L", "-nv"),
        "-L -nvx --line-numbers": by_table("-L", "-nvx", "--line-numbers"),
        "transcript": {"console.txt": typed},
        "-L -n": by_table("-L", "-n"),
    }


def archived(folder: Path, layout: dict[str, str], documents: dict[str, bytes]) -> Path:
    path = folder / "bundle-host1.tar.gz"
    path.write_bytes(PACKERS["tar.gz"]({f"bundle-host1/{member}": documents[name] for name, member in layout.items()}))
    return path


def reported(path: Path) -> Report:
    captures, errors = read_captures([str(path)], path.parent, Limits())
    assert not errors
    assert len(captures) == 1
    return check(captures, ASKED)


def found(report: Report) -> set[tuple[str, str]]:
    return {(finding.rule, finding.subject) for finding in report.findings}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", HOSTS)
def test_the_same_rules_in_any_form_give_the_same_findings(lab: Lab, name: str, variant: str, tmp_path: Path) -> None:
    others = {other: (captured.ROOT / name / other).read_bytes() for other in OTHERS}
    host = Namespace()
    with host.entered():
        assert restored(4, variant, (captured.ROOT / name / "iptables-save.txt").read_text())
        written = forms(variant)
    reports = {}
    for form, rules in written.items():
        folder = tmp_path / form
        folder.mkdir()
        for file, content in (others | {file: text.encode() for file, text in rules.items()}).items():
            (folder / file).write_bytes(content)
        reports[form] = reported(folder)
    for tool, layout in {"sos": SOS, "UAC": UAC}.items():
        (tmp_path / tool).mkdir()
        documents = others | {"iptables-save": written["save"]["iptables-save"].encode()}
        reports[tool] = reported(archived(tmp_path / tool, layout, documents))
    whole = reports.pop("save")
    wanted = found(whole)
    assert wanted
    assert all(finding.confidence == "certain" for finding in whole.findings if finding.severity == "high")
    # Without -v a listing shows no interfaces.
    blind = reports.pop("-L -n")
    assert found(blind) <= wanted
    assert {rule for rule, _ in wanted - found(blind)} <= {word.rule for word in blind.not_assessed}
    for form, report in reports.items():
        assert found(report) == wanted, form
        assert not report.gaps, form
