"""Tells what a document is by its content, whatever it is called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from icclint.parse.iptables import looks_like_rules
from icclint.parse.nftables import looks_like_nftables
from icclint.parse.sysctl import looks_like_sysctl
from icclint.source import Document


class Kind(Enum):
    """What a document is. ``NOT_READ`` are kinds that belong to a capture and that no rule asks for yet."""

    IPTABLES = "iptables"
    NETWORKS = "docker networks"
    CONTAINERS = "docker containers"
    SYSCTL = "sysctl"
    NFTABLES = "nftables"
    BROKEN_JSON = "broken JSON"
    NOT_READ = "not read"
    UNKNOWN = "unknown"


_LIKE_JSON = re.compile(r"\s*[\[{]\s*(?:[\[{\"\]}]|$)")
# `docker version`, `ip addr`, `ip route`, `bridge link`, `docker network ls`.
_LIKE_OTHERS = re.compile(
    r"Client:|Server:|\d+: \S+: (?:<|mtu )|(?:default|[0-9a-f.:]+(?:/\d+)?) (?:via|dev) \S+|NETWORK ID\s+NAME"
)


def kind_of(document: Document) -> Kind:
    """The kind of a document. An empty one is the dump of a host that has no tables: iptables-save prints nothing."""
    if document.is_binary:
        return Kind.UNKNOWN
    text = document.text
    if not text.strip():
        return Kind.IPTABLES
    if _LIKE_JSON.match(text):
        return _kind_of_json(text)
    lines = list(document.lines)
    if looks_like_nftables(lines):
        return Kind.NFTABLES
    if looks_like_rules(iter(lines)):
        return Kind.IPTABLES
    if looks_like_sysctl(lines):
        return Kind.SYSCTL
    first = next(line for line in lines if line.strip())
    return Kind.NOT_READ if _LIKE_OTHERS.match(first) else Kind.UNKNOWN


def _kind_of_json(text: str) -> Kind:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Kind.BROKEN_JSON
    return next((kind for kind, fits in _JSON_KINDS.items() if fits(value)), Kind.UNKNOWN)


def _first(value: Any) -> dict[str, Any]:
    """The object that stands for all others of its document."""
    candidate = value[0] if isinstance(value, list) and value else value
    return candidate if isinstance(candidate, dict) else {}


_JSON_KINDS: dict[Kind, Callable[[Any], bool]] = {
    Kind.NETWORKS: lambda value: value == [] or {"Name", "Driver", "IPAM"} <= _first(value).keys(),
    Kind.CONTAINERS: lambda value: {"Id", "Name", "HostConfig"} <= _first(value).keys(),
    # `nft -j`, `docker info`, `ip -j addr` and `ip -j route`.
    Kind.NOT_READ: lambda value: bool({"nftables", "ServerVersion", "ifname", "dst"} & _first(value).keys()),
}
