"""The files that are measured, made when they are asked for, and held to their digests."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import PROFILES, digest, text
from benchmarks.measure import FailedError, apart

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "28.5.2" / "icc-off" / "iptables-save.txt"
DIGESTS = Path(__file__).with_name("digests.toml")


@dataclass(frozen=True)
class Inputs:
    """Files in a folder, by the names that the goals give them."""

    folder: Path

    def make(self, name: str) -> None:
        """Makes an input that is not there yet. Raises `FailedError` where it is not the file that was meant."""
        path = self.path(name)
        if path.exists() or name.partition("-")[0] not in (*PROFILES, "networks"):
            return
        apart(lambda: path.write_text(text(name)))
        if apart(lambda: digest(path.read_bytes())) != tomllib.loads(DIGESTS.read_text())[name]:
            raise FailedError(f"{name} is not the file of digests.toml")

    def path(self, name: str) -> Path:
        """Where an input is, or would be."""
        return SAMPLE if name == "sample" else self.folder / name
