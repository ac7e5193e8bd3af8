"""The captures of real engines under tests/captures, and what real packets did on those hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from icclint.capture.read import Capture, read_captures
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.packets.packet import ICMP, ICMPV6, SYN, TCP, UDP, Packet

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
    """A packet that was really sent between two containers, and whether it arrived in the other's namespace."""

    packet: Packet
    network: str
    arrived: bool


@cache
def probes(name: str) -> tuple[Probe, ...]:
    """The packets between containers of bridge networks, by their own or their link-local addresses."""
    return tuple(_probes(json.loads((ROOT / name / "truth.json").read_text())))


def _probes(truth: dict[str, Any]) -> Iterator[Probe]:
    for path in truth["paths"]:
        if path["path"] not in ("bridge", "routed", "link-local") or not path.get("saddr"):
            continue
        source, target = (path[end].partition("%")[0] for end in ("saddr", "daddr"))
        incoming, outgoing = _bridge(truth, path["src"], source), _bridge(truth, path["dst"], target)
        if incoming is None or outgoing is None:
            continue
        for proto, port, result, *more in path["probes"]:
            details = more[0] if more else {}
            if result != "unreachable":  # the sender's own routing had no way, so no host saw a packet
                packet = _packet(path["family"], proto, port, details, (incoming, outgoing), (source, target))
                yield Probe(packet, path["network"], result == "delivered" or details.get("seen", False))


def _bridge(truth: dict[str, Any], container: str, address: str) -> str | None:
    """The bridge that an address of a container is on; None for networks of other drivers."""
    networks = truth["containers"].get(container, {"networks": {}})["networks"].values()
    return next(
        (
            network["bridge"]
            for network in networks
            if network["driver"] == "bridge" and address in (network["ipv4"], network["ipv6"], network["link_local"])
        ),
        None,
    )


def _packet(
    family: int,
    proto: str,
    port: int | None,
    details: dict[str, Any],
    bridges: tuple[str, str],
    addresses: tuple[str, str],
) -> Packet:
    protocol = {"tcp": TCP, "udp": UDP}.get(proto) or (ICMP if family == 4 else ICMPV6)
    ports = protocol in (TCP, UDP)
    return Packet(
        family=family,
        in_interface=bridges[0],
        out_interface=bridges[1],
        bridged=bridges[0] == bridges[1],
        source=int(ip_address(addresses[0])),
        destination=int(ip_address(addresses[1])),
        protocol=protocol,
        source_port=details.get("sport", 45678) if ports else None,
        destination_port=port,
        icmp=None if ports else (8 if family == 4 else 128, 0),
        tcp_flags=SYN if protocol == TCP else None,
    )
