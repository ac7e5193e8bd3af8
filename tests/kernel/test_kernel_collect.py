"""The script that captures a host, run in a network namespace with rules of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from icclint.capture.limits import Limits
from icclint.capture.read import read_captures
from icclint.lower.host import lower_host
from tests.kernel.lab import VARIANTS

SCRIPT = Path(__file__).parents[2] / "icclint" / "collect.sh"
SHELLS = [shell for shell in (("sh",), ("dash",), ("bash",), ("busybox", "sh")) if shutil.which(shell[0])]
RULES = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -s 8.8.0.0/16 -i br-web -m conntrack --ctstate NEW -m comment --comment payroll -j ACCEPT
-A DOCKER-USER -s 8.8.8.8/32 -j DROP
COMMIT
"""


@pytest.mark.kernel
@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("redact", [(), ("--redact",)], ids=["", "redacted"])
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_rules_of_a_namespace_are_captured_and_no_module_is_loaded(
    variant: str, shell: tuple[str, ...], redact: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "rules").write_text(RULES)
    words = " ".join((*shell, str(SCRIPT), "--output", str(tmp_path), *redact))
    restored = f"iptables-{variant}-restore {tmp_path}/rules && ls /sys/module >{tmp_path}/before"
    story = f"ip link set lo up && {restored} && {words} && ls /sys/module >{tmp_path}/after"
    done = subprocess.run(["unshare", "--net", "sh", "-c", story], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    (capture,), errors = read_captures([done.stdout.strip()], tmp_path, Limits())
    assert not errors
    host, _ = lower_host(capture.host, capture.documents)
    (ruleset,) = (ruleset for ruleset in host.rulesets_of(4) if ruleset.tables)
    filter_ = ruleset.tables["filter"]
    assert filter_.chains["FORWARD"].policy == "DROP"
    jump, accept = filter_.chains["FORWARD"].rules
    (drop,) = filter_.chains["DOCKER-USER"].rules
    assert jump.text.endswith("-A FORWARD -j DOCKER-USER")
    assert (accept.comment, accept.target.kind, drop.target.kind) == (
        "remark-1" if redact else "payroll",
        "accept",
        "drop",
    )
    assert host.sysctls is not None
    assert host.interfaces is not None
