"""What is measured on a host: the shape of truth.json, and its text (README.md explains the words)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Protocol = Literal["tcp", "udp", "icmp", "l2"]
Result = Literal["delivered", "refused", "unreachable", "timeout"]
PathName = Literal[
    "bridge",
    "routed",
    "unclaimed-address",
    "link-local",
    "layer2",
    "own-gateway",
    "other-gateway",
    "host-lan-ip",
    "lan",
    "beyond-lan",
    "direct",
    "published-lan-ip",
    "published-loopback",
    "published-own-gateway",
    "published-other-gateway",
]


class _Fact(BaseModel):
    # Lax reading would make one shape of several.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Attachment(_Fact):
    """A container on a network: what the engine claims, then what there is. ``unclaimed`` are further addresses."""

    ipv4: str | None
    ipv6: str | None
    gateway: str | None
    gateway6: str | None
    mac: str | None
    interface: str | None
    link_local: str | None
    unclaimed: list[str]
    bridge: str | None
    driver: str | None


class Interface(_Fact):
    """An interface as a container's own namespace shows it."""

    mac: str | None
    addresses: list[str]


class Published(_Fact):
    """A port of a container that a port of the host leads to."""

    host_ip: str
    host_port: int
    port: int
    proto: str

    @property
    def text(self) -> str:
        """How a path names it."""
        return f"{self.host_ip}:{self.host_port}->{self.port}/{self.proto}"


class _Container(_Fact):
    id: str
    image_exposes: list[str]
    network_mode: str
    running: bool
    networks: dict[str, Attachment]


class Bystander(_Container):
    """A container without a namespace of its own: it does not run, or has the host's or another container's."""


class Participant(_Container):
    """A container that packets are sent from and to."""

    listening: list[str]
    interfaces: dict[str, Interface]
    published: list[Published]


class HostFacts(_Fact):
    """The host as the LAN knows it."""

    lan_ip: str
    lan_ip6: str
    listening: list[str]


class LanFacts(_Fact):
    """The neighbour and the machine beyond."""

    ip: str
    ip6: str
    beyond: str
    listening: list[str]


class IcmpError(_Fact):
    """An ICMP error and who sent it."""

    type: int
    code: int
    sender: str = Field(alias="from")


class Details(_Fact):
    """What there is to say of a probe beyond its result. What goes without saying is not set."""

    seen: bool | None = None
    replied: bool | None = None
    sport: int | None = None
    peer: str | None = None
    error: str | None = None
    icmp: IcmpError | None = None
    answered_by: str | None = None
    connected_to_something_else: bool | None = None
    unstable: list[Result] | None = None


Measured = tuple[Protocol, int | None, Result] | tuple[Protocol, int | None, Result, Details]
"""A probe: protocol, port, result and, where there is more to say, details."""


class Path(_Fact):
    """What some probes have in common, and the probes."""

    src: str
    dst: str
    path: PathName
    network: str | None = None
    shared: bool | None = None
    published: str | None = None
    family: Literal[4, 6] | None = None
    saddr: str | None = None
    daddr: str | None = None
    mac: str | None = None
    probes: list[Measured]


class Truth(_Fact):
    """All of truth.json."""

    engine: str
    backend: Literal["nft", "legacy", "nftables"]
    scenario: str
    note: str
    daemon_flags: list[str]
    steps: list[str]
    host: HostFacts
    lan: LanFacts
    containers: dict[str, Participant | Bystander]
    paths: list[Path]


def text(truth: Truth) -> str:
    """The text of truth.json: a line for each step, container and path, so that two captures can be compared."""
    plain = truth.model_dump(mode="json", by_alias=True, exclude_unset=True)
    members = {name: _compact(value) for name, value in plain.items()}
    members["steps"] = _lines("[", map(_compact, plain["steps"]), "]")
    named = (f"{_compact(name)}:{_compact(value)}" for name, value in plain["containers"].items())
    members["containers"] = _lines("{", named, "}")
    members["paths"] = _lines("[", map(_compact, plain["paths"]), "]")
    return "{\n" + ",\n".join(f' "{name}": {value}' for name, value in members.items()) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _lines(opening: str, lines: Iterable[str], closing: str) -> str:
    return f"{opening}\n" + ",\n".join(f"  {line}" for line in lines) + f"\n {closing}"
