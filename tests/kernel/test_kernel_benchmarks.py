"""The generated rulesets of the benchmarks are rulesets: the programs that read them for the kernel take them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.generate import PROFILES
from benchmarks.inputs import Inputs
from benchmarks.variants import variant

pytestmark = pytest.mark.kernel


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("program", ["legacy", "nft"])
@pytest.mark.parametrize("profile", PROFILES)
def test_iptables_restore_takes_them(profile: str, program: str, tmp_path: Path) -> None:
    name = f"{profile}-1000"
    inputs = Inputs(tmp_path)
    inputs.make(name)
    variant(program, inputs.path(name)).verify(limit=60)


@pytest.mark.usefixtures("lab")
def test_nft_takes_them_translated(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    inputs.make("docker-1000")
    variant("nftables", inputs.path("docker-1000")).verify(limit=60)
