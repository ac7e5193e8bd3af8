"""The script that captures a host: really run, by every shell that is here, with programs that print a real host's
outputs; and against the kernel's own rules in tests/kernel.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from icclint.capture.limits import Limits
from icclint.capture.read import Capture, read_captures
from icclint.cli import main
from icclint.engine import check
from icclint.plugins import load_rules
from icclint.report import Report
from tests import captured

SCRIPT = Path(__file__).parent.parent / "icclint" / "collect.sh"
SHELLS = [shell for shell in (("sh",), ("dash",), ("bash",)) if shutil.which(shell[0])]
RULES = load_rules()
NAMES = "28.5.2/04b-link-target-address-reused"
PUBLIC = "28.5.2/08a-published-proxy"

DOCKER = r"""#!/bin/sh
case "$*" in
"version") cat "$OUTPUTS/docker-version.txt" ;;
"network ls -q --no-trunc") echo 1 ;;
"ps -aq --no-trunc") echo 1 ;;
"network inspect --format "*) cat "$OUTPUTS/networks.lines" ;;
"network inspect "*) cat "$OUTPUTS/networks.json" ;;
"inspect --format "*) cat "$OUTPUTS/containers.lines" ;;
"info "*) echo '{"ServerVersion": "28.5.2+dfsg4", "Name": "web-prod-7"}' ;;
*) exit 9 ;;
esac
"""


def members(path: Path, *keys: str) -> str:
    """What a template with these keys prints of each object, a line each."""
    values = json.loads(path.read_text())
    lines = [json.dumps({key: value.get(key) for key in keys}, separators=(",", ":")) for value in values]
    return "".join(f"{line}\n" for line in lines)


def host(folder: Path, name: str, **changes: str) -> dict[str, str]:
    """An environment in which the programs print a stored capture; ``changes`` are outputs in place of some."""
    outputs, programs = folder / "outputs", folder / "programs"
    shutil.copytree(captured.ROOT / name, outputs)
    programs.mkdir()
    for output, text in changes.items():
        (outputs / output).write_text(text)
    network = ("Name", "Id", "Created", "Scope", "Driver", "EnableIPv6", "IPAM", "Internal", "Containers", "Options")
    container = ("Id", "Name", "Created", "HostConfig", "NetworkSettings")
    (outputs / "networks.lines").write_text(members(outputs / "networks.json", *network))
    (outputs / "containers.lines").write_text(members(outputs / "containers.json", *container))
    scripts = {
        "docker": DOCKER,
        "iptables": "echo 'iptables v1.8.13 (nf_tables)'",
        "ip6tables": "echo 'ip6tables v1.8.13 (nf_tables)'",
        "iptables-save": 'cat "$OUTPUTS/iptables-save.txt"',
        "ip6tables-save": 'cat "$OUTPUTS/ip6tables-save.txt"',
        "iptables-legacy-save": "exit 8",
        "ip6tables-legacy-save": "exit 8",
        "nft": 'cat "$OUTPUTS/nft-ruleset.txt"',
        "ipset": "exit 0",
        "ip": 'case $1 in addr) cat "$OUTPUTS/ip-addr.txt" ;; route) cat "$OUTPUTS/ip-route.txt" ;; esac',
        "sysctl": 'cat "$OUTPUTS/sysctl.txt"; echo "kernel.hostname = web-prod-7"',
        "uname": "echo web-prod-7",
    }
    for program, script in scripts.items():
        (programs / program).write_text(f"#!/bin/sh\n{script}\n" if not script.startswith("#!") else script)
        (programs / program).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "OUTPUTS": str(outputs), "TMPDIR": str(folder)}


def collect(
    folder: Path, environment: dict[str, str], *options: str, shell: tuple[str, ...] = ("sh",)
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, str(SCRIPT), "--output", str(folder), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def collected(folder: Path, environment: dict[str, str], *options: str, shell: tuple[str, ...] = ("sh",)) -> Path:
    done = collect(folder, environment, *options, shell=shell)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return Path(line)


def read(path: Path) -> tuple[Capture, Report]:
    (capture,), errors = read_captures([str(path)], path.parent, Limits())
    assert not errors
    return capture, check([capture], RULES)


def files(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        found = {}
        for member in archive:
            if member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None
                found[member.name.partition("/")[2]] = stream.read().decode()
    return found


def expected(name: str) -> list[tuple[str, str, str]]:
    report = check([captured.capture(name)], RULES)
    return [(finding.rule, finding.subject, finding.confidence) for finding in report.findings]


def test_the_script_that_is_printed_is_the_one_in_the_repository() -> None:
    assert CliRunner().invoke(main, ["collect"]).output == SCRIPT.read_text()


@pytest.mark.parametrize("dialect", ["sh", "dash", "busybox"])
def test_shellcheck_has_nothing_to_say(dialect: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), "-s", dialect, str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", [NAMES, PUBLIC, "28.5.2/06-two-networks"])
def test_a_capture_is_complete_and_says_what_the_host_says(name: str, shell: tuple[str, ...], tmp_path: Path) -> None:
    capture, report = read(collected(tmp_path, host(tmp_path, name), shell=shell))
    assert capture.layout == "icclint collect"
    assert not report.gaps
    assert not report.not_assessed
    assert [(f.rule, f.subject, f.confidence) for f in report.findings] == expected(name)


@pytest.mark.skipif(shutil.which("busybox") is None, reason="no busybox here")
@pytest.mark.parametrize("options", [(), ("--redact",)], ids=["", "redacted"])
def test_busybox_makes_the_same_of_it(options: tuple[str, ...], tmp_path: Path) -> None:
    # It has programs of its own, and takes these before those that print the stored outputs.
    own = ("ip-", "sysctl", "manifest")
    environment = host(tmp_path, NAMES)
    made = [files(collected(tmp_path, environment, *options, shell=shell)) for shell in (("sh",), ("busybox", "sh"))]
    one, other = ({name: text for name, text in found.items() if not name.startswith(own)} for found in made)
    assert one == other
    assert {"iptables-save.txt", "networks.json", "containers.json"} <= one.keys()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    environment = host(tmp_path, NAMES)
    before = set(tmp_path.iterdir())
    path = collected(tmp_path, environment)
    assert set(tmp_path.iterdir()) == {*before, path}
    assert path.stat().st_mode & 0o077 == 0


def test_the_manifest_has_every_command_its_status_and_the_digest(tmp_path: Path) -> None:
    environment = host(tmp_path, NAMES)
    (tmp_path / "programs/ip").write_text("#!/bin/sh\nexit 7\n")
    found = files(collected(tmp_path, environment))
    manifest = found.pop("manifest.tsv")
    rows = [line.split("\t") for line in manifest.splitlines() if not line.startswith("#")]
    assert {row[0] for row in rows} == {*found, "-"}
    for name, _, began, ended, size, digest, _ in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", began)
        assert began <= ended
        if name != "-":
            assert (int(size), digest) == (
                len(found[name].encode()),
                hashlib.sha256(found[name].encode()).hexdigest(),
            )
    failed = {row[6]: row[1] for row in rows if row[1] != "0"}
    assert failed.items() >= {("ip addr", "7"), ("ip route", "7"), ("ip -6 route", "7")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("iptables-save.txt", "DROP", "ACCEPT"), "iptables-save.txt is not what was captured: its SHA-256 is "),
        (("sysctl.txt", None, None), "sysctl.txt is listed here, and is not in the bundle"),
        (("more.txt", "", "-P FORWARD DROP\n"), "not listed in "),
    ],
)
def test_a_bundle_that_was_changed_is_told(change: tuple[str, Any, Any], reason: str, tmp_path: Path) -> None:
    found = files(collected(tmp_path, host(tmp_path, NAMES)))
    name, old, new = change
    if old is None:
        del found[name]
    else:
        found[name] = found.get(name, "").replace(old, new) if old else new
    folder = tmp_path / "changed"
    folder.mkdir()
    for file, text in found.items():
        (folder / file).write_text(text)
    _, report = read(folder)
    assert any(gap.whole and gap.reason.startswith(reason) for gap in report.gaps)


def test_a_command_that_failed_half_way_is_told(tmp_path: Path) -> None:
    environment = host(tmp_path, NAMES)
    (tmp_path / "programs/sysctl").write_text('#!/bin/sh\ncat "$OUTPUTS/sysctl.txt"\nexit 1\n')
    _, report = read(collected(tmp_path, environment))
    assert [gap.reason for gap in report.gaps] == ["`sysctl -a` ended with status 1, so sysctl.txt may not be complete"]


def test_what_failed_and_printed_nothing_is_no_empty_dump(tmp_path: Path) -> None:
    environment = host(tmp_path, NAMES)
    (tmp_path / "programs/iptables-save").write_text("#!/bin/sh\nexit 4\n")
    path = collected(tmp_path, environment)
    assert "iptables-save.txt" not in files(path)
    _, report = read(path)
    assert "iptables-save" in {word.capture_with for word in report.not_assessed} | {
        part for word in report.not_assessed for part in (word.capture_with or "").split("; ")
    }


def test_a_dry_run_runs_nothing_and_names_every_command(tmp_path: Path) -> None:
    environment = host(tmp_path, NAMES)
    for program in (tmp_path / "programs").iterdir():
        if program.name not in ("iptables", "ip6tables"):
            program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran-{program.name}'\n")
    done = collect(tmp_path, environment, "--dry-run")
    assert done.returncode == 0
    for command in ("docker network inspect", "iptables-save -c", "ip6tables-save -c", "sysctl -a", "ip addr"):
        assert command in done.stdout
    assert not list(tmp_path.glob("ran-*"))
    assert not list(tmp_path.glob("icclint-*"))


def test_legacy_iptables_is_not_asked_where_that_would_load_its_module(tmp_path: Path) -> None:
    if Path("/proc/net/ip_tables_names").exists() and Path("/proc/net/ip_tables_names").read_text():
        # This machine uses it, so it may be asked.
        asked = True
    else:
        asked = False
    environment = host(tmp_path, NAMES)
    for program in ("iptables-legacy-save", "ip6tables-legacy-save", "iptables-save"):
        (tmp_path / f"programs/{program}").write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran-{program}'\n")
    (tmp_path / "programs/iptables").write_text("#!/bin/sh\necho 'iptables v1.8.13 (legacy)'\n")
    found = files(collected(tmp_path, environment))
    assert (tmp_path / "ran-iptables-legacy-save").exists() is False
    assert (tmp_path / "ran-iptables-save").exists() is asked
    assert found["iptables-save.txt"] == ""
    assert asked or "was not asked" in found["manifest.tsv"]


@pytest.mark.parametrize("options", [["--frobnicate"], ["--output"]])
def test_a_wrong_option_is_refused(options: list[str]) -> None:
    done = subprocess.run(["sh", str(SCRIPT), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


# Redaction.


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", [NAMES, PUBLIC, "28.5.2/06-two-networks", "28.5.2/05b-user-icc-false-link"])
def test_a_redacted_capture_says_what_the_host_says_without_its_names(
    name: str, shell: tuple[str, ...], tmp_path: Path
) -> None:
    path = collected(tmp_path, host(tmp_path, name), "--redact", shell=shell)
    _, report = read(path)
    assert not report.gaps
    assert not report.not_assessed
    assert [(finding.rule, finding.confidence) for finding in report.findings] == [
        (rule, confidence) for rule, _, confidence in expected(name)
    ]
    host_ = captured.host(name)
    names = {container.name for container in host_.containers or ()} | {"web-prod-7"}
    names |= {network.name for network in host_.networks or ()} - {"bridge", "host", "none"}
    text = "\n".join(files(path).values()) + path.name
    for secret in names:
        # `other` is a word of the formats too.
        assert not re.search(rf'["/ =]{re.escape(secret)}["/: ,\n]', text), secret


def redacted_rules(folder: Path, rules: str, family: int = 4, shell: tuple[str, ...] = ("sh",)) -> str:
    folder.mkdir(exist_ok=True)
    file = "iptables-save.txt" if family == 4 else "ip6tables-save.txt"
    return files(collected(folder, host(folder, NAMES, **{file: rules}), "--redact", shell=shell))[file]


AWKS = [shell for shell in (("sh",), ("busybox", "sh")) if shutil.which(shell[0])]
"""Each with the awk that it finds."""


NETWORK = r"(?<=-s )\S+"


@pytest.mark.parametrize("shell", AWKS, ids=" ".join)
def test_public_ipv4_addresses_keep_their_relations(shell: tuple[str, ...], tmp_path: Path) -> None:
    chance = random.Random(5)
    networks = [ip_network((chance.choice((8, 52, 172, 192, 198, 203, 100)) << 24 | chance.getrandbits(24), 32))]
    for _ in range(120):
        near = int(chance.choice(networks).network_address) ^ (chance.getrandbits(24) >> chance.randrange(24))
        networks.append(IPv4Network((near, chance.choice((8, 12, 16, 20, 22, 24, 28, 32, 32))), strict=False))
    rules = "".join(f"-A FORWARD -s {n} -j DROP\n" for n in networks)
    text = redacted_rules(tmp_path / "a", f"*filter\n{rules}COMMIT\n", 4, shell)
    mapped = [IPv4Network(found) for found in re.findall(NETWORK, text)]
    assert len(mapped) == len(networks)
    for one, new in zip(networks, mapped, strict=True):
        assert one.prefixlen == new.prefixlen
        assert one.is_private == new.is_private
        for other, new_other in zip(networks, mapped, strict=True):
            assert one.subnet_of(other) == new.subnet_of(new_other), (one, other)
    public = [pair for pair in zip(networks, mapped, strict=True) if pair[0].is_global and pair[0].prefixlen == 32]
    assert sum(one != new for one, new in public) > len(public) * 0.9


@pytest.mark.parametrize("shell", AWKS, ids=" ".join)
def test_public_ipv6_addresses_keep_their_relations(shell: tuple[str, ...], tmp_path: Path) -> None:
    chance = random.Random(6)
    networks = [ip_network((0x2A01 << 112 | chance.getrandbits(112), 128))]
    for _ in range(80):
        near = int(chance.choice(networks).network_address) ^ (chance.getrandbits(100) >> chance.randrange(100))
        networks.append(IPv6Network((near, chance.choice((32, 40, 48, 56, 60, 64, 96, 128))), strict=False))
    rules = "".join(f"-A FORWARD -s {n} -j DROP\n" for n in networks)
    text = redacted_rules(tmp_path / "a", f"*filter\n{rules}COMMIT\n", 6, shell)
    mapped = [IPv6Network(found) for found in re.findall(NETWORK, text)]
    assert len(mapped) == len(networks)
    for one, new in zip(networks, mapped, strict=True):
        for other, new_other in zip(networks, mapped, strict=True):
            assert one.subnet_of(other) == new.subnet_of(new_other), (one, other)
    assert sum(one != new for one, new in zip(networks, mapped, strict=True)) > 70


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1", "127.0.0.53", "169.254.1.1", "100.64.0.1", "224.0.0.1",
     "255.255.255.255", "0.0.0.0", "192.0.2.10", "fe80::1", "fd00::1", "ff02::1", "::1", "2001:db8::1"],
)  # fmt: skip
def test_addresses_that_are_nobodys_stay(address: str, tmp_path: Path) -> None:
    family = ip_address(address).version
    rules = f"*filter\n-A FORWARD -s {address}/{32 if family == 4 else 128} -j DROP\nCOMMIT\n"
    assert redacted_rules(tmp_path / "a", rules, family) == rules


def test_an_address_is_the_same_in_every_document_and_another_in_another_capture(tmp_path: Path) -> None:
    rules = "*filter\n-A FORWARD -s 8.8.4.4/32 -j DROP\nCOMMIT\n"
    shown = "2: eth0: <UP> mtu 1500\n    inet 8.8.4.4/24 brd 8.8.4.255 scope global eth0\n"
    seen = set()
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        environment = host(folder, NAMES, **{"iptables-save.txt": rules, "ip-addr.txt": shown})
        found = files(collected(folder, environment, "--redact"))
        (address,) = re.findall(r"-s (\S+)/32", found["iptables-save.txt"])
        assert f"inet {address}/24 brd {address.rpartition('.')[0]}.255 " in found["ip-addr.txt"]
        seen.add(address)
    assert len(seen) > 1


@pytest.mark.parametrize(
    "remark", ["--comment payroll", '--comment "the \\"payroll\\" hosts"', '--log-prefix "payroll: "']
)
def test_remarks_of_people_are_replaced(remark: str, tmp_path: Path) -> None:
    rules = f"*filter\n-A FORWARD -m comment {remark} -j ACCEPT\n-A INPUT -m comment {remark} -j ACCEPT\nCOMMIT\n"
    text = redacted_rules(tmp_path / "a", rules)
    assert "payroll" not in text
    assert text.count("remark-1") == 2
    assert text.count(" -j ACCEPT\n") == 2


@pytest.mark.parametrize("match", ["--src-range 8.8.1.0-8.8.3.255", "-s 8.8.0.1/255.255.0.255"])
def test_what_cannot_be_redacted_without_a_change_of_meaning_stops_it(match: str, tmp_path: Path) -> None:
    environment = host(tmp_path, NAMES, **{"iptables-save.txt": f"*filter\n-A FORWARD {match} -j DROP\nCOMMIT\n"})
    done = collect(tmp_path, environment, "--redact")
    assert done.returncode == 1
    assert "cannot be redacted without a change of its meaning" in done.stderr
    assert not list(tmp_path.glob("icclint-*"))
