"""Archives, and the bundles that the field's collectors make, laid out as they lay them out."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from icclint.capture.limits import Limits
from icclint.capture.read import Capture, read_captures
from icclint.cli import main
from icclint.engine import check
from icclint.parse.kind import Kind
from icclint.plugins import load_rules
from tests.packed import PACKERS, Files, tar, zip_

SAMPLES = Path(__file__).parent.parent / "samples" / "28.5.2"
RULES = load_rules()


def sample(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((SAMPLES / name).iterdir())}


WHOLE, BROKEN = sample("icc-off"), sample("icc-off-but-accept")
OTHER_RULES = b"*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -i docker0 -o docker0 -j ACCEPT\nCOMMIT\n"
"""Rules that would break the promise, were they the host's."""


@pytest.fixture(autouse=True)
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def beneath(folder: str, files: Files) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def unpacked(top: str, files: Files) -> str:
    for name, content in files.items():
        path = Path(top, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return top


def packed(name: str, files: Files) -> str:
    Path(name).write_bytes(next(pack for end, pack in PACKERS.items() if name.endswith(end))(files))
    return name


def captures(*paths: str) -> tuple[Capture, ...]:
    found, errors = read_captures(paths, Path(), Limits())
    assert not errors
    return found


def only(path: str) -> Capture:
    (capture,) = captures(path)
    return capture


def contents(capture: Capture) -> set[bytes]:
    return {document.content for document, _ in capture.documents}


def found(*read: Capture) -> list[tuple[str, str]]:
    """What is found, wherever it lies; and nothing is left that could not be read."""
    report = check(read, RULES)
    assert not report.gaps
    return [(finding.rule, finding.message) for finding in report.findings]


@pytest.fixture(scope="module")
def findings() -> list[tuple[str, str]]:
    """What is found in the folder of the broken sample."""
    read, _ = read_captures([str(SAMPLES / "icc-off-but-accept")], SAMPLES)
    return found(*read)


# Archives.


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("folder", ["web1", "./web1", "/srv/web1", "."])
def test_an_archive_is_read_as_the_folder_in_it(end: str, folder: str, findings: list[tuple[str, str]]) -> None:
    capture = only(packed(f"web1.{end}", beneath(folder, BROKEN)))
    assert contents(capture) == set(BROKEN.values())
    assert found(capture) == findings
    assert findings


def test_an_archive_of_one_host_is_called_like_the_archive() -> None:
    capture = only(packed("web1.tar.gz", beneath("web1-2026", WHOLE)))
    assert capture.host == "web1.tar.gz"
    assert "web1.tar.gz/web1-2026/networks.json" in [document.name for document, _ in capture.documents]


@pytest.mark.parametrize("end", PACKERS)
def test_hosts_in_an_archive_are_told_apart(end: str) -> None:
    files = beneath("all/web1", WHOLE) | beneath("all/web2", BROKEN) | {"all/README": b"hello"}
    one, two = captures(packed(f"all.{end}", files))
    assert (one.host, two.host) == (f"all.{end}/all/web1", f"all.{end}/all/web2")
    assert contents(one) == set(WHOLE.values())
    assert contents(two) == set(BROKEN.values())
    assert [file.name for file in one.passed_over] == [f"all.{end}/all/README"]


def test_hosts_have_folders_in_hosts_even_beside_documents_of_another() -> None:
    files = WHOLE | beneath("hosts/web1", BROKEN) | beneath("hosts/web2", BROKEN)
    top, one, two = captures(packed("all.tar", files))
    assert contents(top) == set(WHOLE.values())
    assert contents(one) == contents(two) == set(BROKEN.values())
    assert (one.host, two.host) == ("all.tar/hosts/web1", "all.tar/hosts/web2")


@pytest.mark.parametrize("outer", PACKERS)
@pytest.mark.parametrize("inner", PACKERS)
def test_archives_in_an_archive_are_opened_once(outer: str, inner: str) -> None:
    files = {f"{name}.{inner}": PACKERS[inner](beneath(name, BROKEN)) for name in ("web1", "web2")}
    one, two = captures(packed(f"all.{outer}", files))
    assert (one.host, two.host) == (f"all.{outer}/web1.{inner}", f"all.{outer}/web2.{inner}")
    assert contents(one) == contents(two) == set(BROKEN.values())
    deeper = only(packed(f"more.{outer}", {f"all.{outer}": Path(f"all.{outer}").read_bytes()}))
    assert {gap.reason for gap in deeper.gaps} == {"an archive in an archive in another, which is not opened"}
    assert not deeper.documents


def test_a_folder_of_archives_is_a_fleet() -> None:
    unpacked("fleet", {"web1.zip": zip_(WHOLE), "web2.tar": tar(BROKEN)})
    assert [capture.host for capture in captures("fleet")] == ["fleet/web1.zip", "fleet/web2.tar"]


def test_a_compressed_document_is_a_document() -> None:
    unpacked("web1", WHOLE | {"iptables-save.txt": gzip.compress(WHOLE["iptables-save.txt"])})
    assert contents(only("web1")) == set(WHOLE.values())
    Path("fw.gz").write_bytes(gzip.compress(WHOLE["iptables-save.txt"]))
    assert [kind for _, kind in only("fw.gz").documents] == [Kind.IPTABLES]


@pytest.mark.parametrize("end", PACKERS)
def test_an_archive_comes_by_standard_input(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = PACKERS[end](beneath("web1", BROKEN))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert contents(only("-")) == set(BROKEN.values())


def test_the_order_of_members_says_nothing() -> None:
    files = beneath("web1", BROKEN)
    packed("a.tar", files)
    packed("b.tar", dict(reversed(files.items())))
    one, two = only("a.tar"), only("b.tar")
    assert [d.content for d, _ in one.documents] == [d.content for d, _ in two.documents]


def test_two_members_of_one_name_are_both_read() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for content in (WHOLE["iptables-save.txt"], BROKEN["iptables-save.txt"]):
            member = tarfile.TarInfo("web1/iptables-save.txt")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    Path("web1.tar").write_bytes(out.getvalue())
    capture = only("web1.tar")
    names = {"web1.tar/web1/iptables-save.txt", "web1.tar/web1/iptables-save.txt (2)"}
    assert {document.name for document, _ in capture.documents} == names
    assert any("differs from" in gap.reason for gap in check([capture], RULES).gaps)


# Bundles. Each has what its tool saves of the host, by its names for it, and what would lead astray.

JUNK = {f"sos_strings/log{number}": b"nothing of ours\n" * number for number in range(150)}
NETWORKS = [json.dumps([network]).encode() for network in json.loads(BROKEN["networks.json"])]
CONTAINERS = [json.dumps([container]).encode() for container in json.loads(BROKEN["containers.json"])]
SYSCTL_CONF = b"net.bridge.bridge-nf-call-iptables = 0\nnet.ipv4.ip_forward = 0\n"
NO_SUCH_NETWORK = b"[]\nError response from daemon: network 0123456789ab not found\n"

BUNDLES: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = {
    "sos report": (
        {
            "sos_commands/firewall_tables/nft_-a_list_ruleset": b"",
            "sos_commands/networking/iptables-save": BROKEN["iptables-save.txt"],
            "sos_commands/networking/ip6tables-save": BROKEN["ip6tables-save.txt"],
            "sos_commands/docker/docker_network_inspect_bridge": NETWORKS[0],
            "sos_commands/docker/docker_network_inspect_host": NETWORKS[1],
            "sos_commands/docker/docker_network_inspect_none": NETWORKS[2],
            "sos_commands/docker/containers/docker_inspect_1": CONTAINERS[0],
            "sos_commands/docker/containers/docker_inspect_2": CONTAINERS[1],
            "sos_commands/docker/docker_version": BROKEN["docker-version.txt"],
            "sos_commands/kernel/sysctl_-a": BROKEN["sysctl.txt"],
        },
        {
            "sos_commands/networking/namespaces/ns1/ip_netns_exec_ns1_iptables-save": OTHER_RULES,
            "etc/sysconfig/iptables": OTHER_RULES,
            "etc/sysctl.d/99-docker.conf": SYSCTL_CONF,
            "sos_commands/logs/journalctl_--no-pager": b"Nov 25 kernel: hello\n" * 9000,
            "sos_commands/systemd/help": b"usage: x\n\n  -A filter everything\n  -P port to listen on\n",
            "var/log/iptables.log": b"hello\n",
        },
    ),
    "UAC": (
        {
            "live_response/network/iptables-save.txt": BROKEN["iptables-save.txt"],
            "live_response/network/nft_list_ruleset.txt": b"",
            "live_response/containers/docker_network_inspect_1.txt": BROKEN["networks.json"],
            "live_response/containers/docker_inspect_1.txt": CONTAINERS[0],
            "live_response/containers/docker_inspect_2.txt": CONTAINERS[1],
            "live_response/system/sysctl_-a.txt": BROKEN["sysctl.txt"],
        },
        {
            "live_response/containers/docker_network_inspect_0123456789ab.txt": NO_SUCH_NETWORK,
            "[root]/etc/sysctl.conf": SYSCTL_CONF,
            "[root]/etc/iptables/rules.v4": OTHER_RULES,
            "uac.log": b"started\n",
        },
    ),
    "Cat-Scale": (
        {
            "Process_and_Network/web1-20261125-iptables.txt": BROKEN["iptables-save.txt"],
            "Docker/web1-20261125-docker-network-inspect-1.txt": BROKEN["networks.json"],
            "Docker/web1-20261125-docker-inspect-1.txt": BROKEN["containers.json"],
            "Docker/web1-20261125-docker-version.txt": BROKEN["docker-version.txt"],
            "System_Info/web1-20261125-sysctl.txt": BROKEN["sysctl.txt"],
        },
        {
            "System_Info/web1-20261125-etc-key-files.tar.gz": PACKERS["tar.gz"]({"etc/sysctl.conf": SYSCTL_CONF}),
            "Logs/web1-20261125-var-log.tar.gz": PACKERS["tar.gz"]({"var/log/iptables-save.log": OTHER_RULES}),
        },
    ),
    "Amazon EKS log collector": (
        {
            "networking/iptables-save.txt": BROKEN["iptables-save.txt"],
            "networking/ip6tables-save.txt": BROKEN["ip6tables-save.txt"],
            "docker/networks.json": BROKEN["networks.json"],
            "docker/containers.json": BROKEN["containers.json"],
            "sysctls/sysctl_all.txt": BROKEN["sysctl.txt"],
        },
        {"var_log/messages": b"hello\n", "storage/mounts.txt": b"proc on /proc\n", "kernel/iptables": OTHER_RULES},
    ),
    "Amazon ECS logs collector": (
        {
            "iptables-filter.txt": BROKEN["iptables-save.txt"],
            "docker/networks.json": BROKEN["networks.json"],
            "docker/container-1.txt": CONTAINERS[0],
            "docker/container-2.txt": CONTAINERS[1],
            "docker/docker-version.txt": BROKEN["docker-version.txt"],
            "sysctl.txt": BROKEN["sysctl.txt"],
        },
        {"ecs-agent/ecs.config": b"ECS_CLUSTER=x\n", "var_log/iptables-save": OTHER_RULES},
    ),
    "Rancher log collector": (
        {
            "networking/iptablessave": BROKEN["iptables-save.txt"],
            "networking/ip6tablessave": BROKEN["ip6tables-save.txt"],
            "docker/networks.json": BROKEN["networks.json"],
            "docker/containers.json": BROKEN["containers.json"],
            "systeminfo/sysctla": BROKEN["sysctl.txt"],
        },
        {"systeminfo/dmesg": b"[0.0] hello\n", "rke/iptables-save": OTHER_RULES},
    ),
    "Replicated support bundle": (
        {
            "host-collectors/run-host/iptables-save.txt": BROKEN["iptables-save.txt"],
            "host-collectors/run-host/networks.txt": BROKEN["networks.json"],
            "host-collectors/run-host/containers.txt": BROKEN["containers.json"],
            "host-collectors/run-host/sysctl.txt": BROKEN["sysctl.txt"],
        },
        {
            "host-collectors/run-host/iptables-save-info.json".replace(
                "iptables-save", "firewall"
            ): b'{"command": "x"}',
            "cluster-resources/nodes.json": b'{"kind": "NodeList"}',
            "version.yaml": b"kind: SupportBundle\n",
        },
    ),
    "Red Hat Insights": (
        {
            "insights_commands/iptables-save": BROKEN["iptables-save.txt"],
            "insights_commands/docker_network_inspect": BROKEN["networks.json"],
            "insights_commands/docker_inspect": BROKEN["containers.json"],
            "insights_commands/sysctl_-a": BROKEN["sysctl.txt"],
            "insights_commands/lsmod": b"Module Size Used by\nbr_netfilter 32768 0\n",
        },
        {"etc/sysctl.conf": SYSCTL_CONF},
    ),
    "folders by topic": (
        {
            "fw/iptables-save.txt": BROKEN["iptables-save.txt"],
            "docker/networks.json": BROKEN["networks.json"],
            "docker/containers.json": BROKEN["containers.json"],
            "kernel/sysctl.txt": BROKEN["sysctl.txt"],
        },
        {"notes/today.txt": b"hello\n"},
    ),
}


@pytest.mark.parametrize("extra", [{}, JUNK], ids=["", "with much else"])
@pytest.mark.parametrize("how", ["folder", "archive"])
@pytest.mark.parametrize("layout", BUNDLES)
def test_a_bundle_is_read_for_what_tells_of_the_host(
    layout: str, how: str, extra: dict[str, bytes], findings: list[tuple[str, str]]
) -> None:
    ours, others = BUNDLES[layout]
    files = beneath("bundle-web1", ours | others | extra)
    capture = only(unpacked("bundles", files) if how == "folder" else packed("bundle.tar.gz", files))
    assert capture.layout == layout
    names = {document.name.partition("bundle-web1/")[2] for document, _ in capture.documents}
    assert names == set(ours)
    assert found(capture) == findings
    looked_at = len(capture.documents) + len(capture.passed_over)
    assert looked_at == len(ours) + len(others) + len(extra)


def test_several_bundles_in_one_archive_are_several_hosts() -> None:
    sos, uac = BUNDLES["sos report"][0], BUNDLES["UAC"][0]
    files = beneath("sosreport-web1", sos) | beneath("uac-web2", uac) | beneath("web3", WHOLE)
    assert [(capture.host, capture.layout) for capture in captures(packed("case.zip", files))] == [
        ("case.zip/sosreport-web1", "sos report"),
        ("case.zip/uac-web2", "UAC"),
        ("case.zip/web3", ""),
    ]


def test_nodes_of_a_must_gather_are_several_hosts() -> None:
    files = beneath("must-gather/nodes/a", WHOLE) | beneath("must-gather/nodes/b", BROKEN)
    files |= {f"must-gather/namespaces/n{number}/pods.yaml": b"kind: List\n" for number in range(200)}
    a, b = captures(packed("must-gather.tar.gz", files))
    assert (a.host, b.host) == ("must-gather.tar.gz/must-gather/nodes/a", "must-gather.tar.gz/must-gather/nodes/b")
    assert not a.gaps
    assert not b.gaps
    assert len(a.passed_over) + len(b.passed_over) == 200


@pytest.mark.parametrize("name", ["iptables_-vnxL", "ip6tables-save", "nft_list_ruleset", "docker_network_inspect_x"])
def test_what_looks_like_a_capture_by_its_name_and_is_none_is_a_gap(name: str) -> None:
    ours, _ = BUNDLES["sos report"]
    path = f"sos_commands/networking/{name}"
    files = beneath("sosreport", {**ours, path: b"sh: command not found\n"})
    report = check([only(packed("sos.tar.xz", files))], RULES)
    assert [gap.location.document for gap in report.gaps] == [f"sos.tar.xz/sosreport/{path}"]


def test_what_lies_far_down_in_a_file_makes_it_a_document_by_hand() -> None:
    late = b"hello\n" * 50_000 + BROKEN["iptables-save.txt"]
    unpacked("web1", {**BROKEN, "iptables-save.txt": late})
    kinds = {document.name: kind for document, kind in only("web1").documents}
    assert kinds["web1/iptables-save.txt"] is Kind.IPTABLES


# The report and `show`.


def shown(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["show", *arguments, "--json"])
    assert result.exit_code == 0
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_the_report_counts_what_was_passed_over() -> None:
    ours, others = BUNDLES["sos report"]
    packed("sos.tar.xz", beneath("sosreport", ours | others))
    result = CliRunner().invoke(main, ["check", "sos.tar.xz", "-o", "json"])
    report = json.loads(result.stdout)
    (host,) = report["hosts"]
    assert (host["name"], host["layout"], host["passed_over"]) == ("sos.tar.xz", "sos report", len(others))
    assert f"{len(others)} files passed over" in CliRunner().invoke(main, ["check", "sos.tar.xz"]).output


def test_show_tells_what_is_there_by_what_evidence_and_what_is_missing() -> None:
    ours, others = BUNDLES["UAC"]
    files = ours | others
    del files["live_response/system/sysctl_-a.txt"]
    packed("uac.tar.gz", beneath("uac", files))
    output = CliRunner().invoke(main, ["show", "uac.tar.gz"]).output
    assert "uac.tar.gz (UAC)" in output
    assert "line 1: # Generated by iptables-save" in output
    assert "JSON with Name, Driver and IPAM" in output
    assert "its name; it is empty" in output
    assert "settings: not captured" in output
    assert "missing: sysctl -a" in output
    assert "bridge-netfilter-off" in output
    assert "passed over: 3 files, not among the outputs of commands" in output


def test_show_as_json_has_the_representation_of_the_host() -> None:
    packed("web1.tar", BROKEN)
    (host,) = shown("web1.tar")["hosts"]
    forward = host["ir"]["rulesets"][0]["tables"]["filter"]["chains"]["FORWARD"]
    assert forward["policy"] == "DROP"
    rule = next(rule for rule in forward["rules"] if rule["text"] == "-A FORWARD -i docker0 -o docker0 -j ACCEPT")
    assert rule["span"] == "web1.tar/iptables-save.txt:21:1"
    assert rule["target"]["kind"] == "accept"
    bridge = next(network for network in host["ir"]["networks"] if network["name"] == "bridge")
    assert bridge["icc"] is False
    assert bridge["spans"]["/Options/com.docker.network.bridge.enable_icc"] == "web1.tar/networks.json:45:13"
    sums = {document["name"]: document["sha256"] for document in host["documents"]}
    assert sums["web1.tar/sysctl.txt"] == hashlib.sha256(BROKEN["sysctl.txt"]).hexdigest()
