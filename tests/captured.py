"""The captures of real engines under tests/captures, and what real packets did on those hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from icclint.capture.read import Capture, read_captures
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.question import Question

ROOT = Path(__file__).parent / "captures"
NAMES = sorted(f"{folder.parent.name}/{folder.name}" for folder in ROOT.glob("*/*/"))
"""Every capture, as ENGINE/SCENARIO."""

NOT_CAPTURED = ("truth.json",)
"""What lies in the folder and is no output of the host."""


@cache
def capture(name: str) -> Capture:
    """One capture without its truth."""
    files = [str(path) for path in sorted((ROOT / name).iterdir()) if path.name not in NOT_CAPTURED]
    captures, errors = read_captures(files, ROOT / name)
    assert not errors
    return captures[0]


@cache
def host(name: str) -> Host:
    """The host that a capture tells of."""
    found = capture(name)
    return lower_host(found.host, found.documents)[0]


@dataclass(frozen=True)
class Probe:
    """A packet that was really sent, whether it arrived, and whether the answer came back.

    ``path`` is the kind of way that it took, ``network`` the one whose address it was sent to, ``target`` who was to
    get it: a container's name, ``host`` or ``lan``; ``bridge`` is the target's bridge there.
    """

    question: Question
    path: str
    network: str | None
    target: str
    bridge: str | None
    arrived: bool
    answered: bool


@cache
def probes(name: str) -> tuple[Probe, ...]:
    """All packets that were sent on a host, but for frames that are neither IPv4 nor IPv6."""
    return tuple(_probes(json.loads((ROOT / name / "truth.json").read_text())))


def _probes(truth: dict[str, Any]) -> Iterator[Probe]:
    for path in truth["paths"]:
        if path["path"] == "layer2":
            continue
        for proto, port, result, *more in path["probes"]:
            details = more[0] if more else {}
            yield Probe(
                question=Question(
                    source=_sender(path),
                    destination=path["daddr"],
                    protocol="icmp" if proto == "icmp6" else proto,
                    port=port,
                    source_port=details.get("sport"),
                    family=path["family"],
                    source_address=path.get("saddr"),
                ),
                path=path["path"],
                network=path.get("network"),
                target=path["dst"],
                bridge=_bridge(truth, path),
                arrived=result == "delivered" or details.get("seen", False),
                answered=details.get("replied", result == "delivered"),
            )


def _sender(path: dict[str, Any]) -> str:
    named = {"host": "host", "lan": "outside"}.get(path["src"])
    # On a network that both are on, that network is the way; otherwise the sender's own routing chooses.
    on = f"@{path['network']}" if path["path"] in ("bridge", "link-local", "own-gateway") else ""
    return named or f"container:{path['src']}{on}"


def _bridge(truth: dict[str, Any], path: dict[str, Any]) -> str | None:
    networks = truth["containers"].get(path["dst"], {"networks": {}})["networks"]
    found = networks.get(path.get("network"), {"driver": None})
    return found["bridge"] if found["driver"] == "bridge" else None
