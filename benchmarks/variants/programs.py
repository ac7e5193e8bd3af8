"""Whole programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import NotMeasuredError, Program


def check(path: Path) -> Program:
    """``icclint check``, which ends with 1 where there are findings."""
    return Program([sys.executable, "-m", "icclint", "check", str(path)], statuses=(0, 1))


def legacy(path: Path) -> Program:
    """The reader that hands rules to the kernel's ip_tables, which it is told not to."""
    return _program("iptables-legacy-restore", "--test", str(path))


def nft(path: Path) -> Program:
    """The one that hands them to nf_tables."""
    return _program("iptables-nft-restore", "--test", str(path))


def nftables(path: Path) -> Program:
    """nft itself. The translator of 1.8.9 loses the protocol of kube-proxy's DNAT rules, so Docker's have to do."""
    translate = _program("iptables-restore-translate", "-f", str(path))
    with open(f"{path}.nft", "w") as translated:
        subprocess.run(translate.command, stdout=translated, check=True)
    return _program("nft", "-c", "-f", translated.name)


def python(_: Path) -> Program:
    """The interpreter alone."""
    return Program([sys.executable, "-c", "pass"])


def yamllint(_: Path) -> Program:
    """A linter of Python that is known to feel quick."""
    return _program("yamllint", str(Path(__file__).with_name("one-line.yaml")))


def find(name: str) -> str | None:
    """The path of a program, those that belong to this Python first."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin")


def _program(name: str, *arguments: str) -> Program:
    found = find(name)
    if found is None:
        raise NotMeasuredError(f"{name} is not installed")
    return Program([found, *arguments])
