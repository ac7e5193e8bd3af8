"""Tells what a document is by its content, whatever it is called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from icclint.parse.cut_inspect import recover
from icclint.parse.cuts import is_cut
from icclint.parse.daemon import is_daemon_file
from icclint.parse.diff import looks_like_diff
from icclint.parse.engine import is_engine_info, is_engine_version, looks_like_engine
from icclint.parse.firewalld import looks_like_firewalld
from icclint.parse.inspect import is_container, is_network
from icclint.parse.iproute import looks_like_interfaces, looks_like_routes
from icclint.parse.ipset import looks_like_sets
from icclint.parse.iptables import is_of_another_tool, looks_like_rules
from icclint.parse.modules import looks_like_modules
from icclint.parse.nftables import looks_like_nftables
from icclint.parse.processes import looks_like_processes
from icclint.parse.sysctl import looks_like_sysctl
from icclint.parse.transcript import looks_like_transcript
from icclint.parse.ufw import looks_like_ufw
from icclint.parse.unit import looks_like_unit
from icclint.source import Document


class Kind(Enum):
    """What a document is.

    ``MANIFEST`` tells of the capture itself, ``EMPTY`` tells nothing. A ``TRANSCRIPT`` is read command by command, a
    ``DIFF`` as the dump before and the dump after it. ``NOT_READ`` are kinds that belong to a capture and that no rule
    asks for yet.
    """

    IPTABLES = "iptables"
    NETWORKS = "docker networks"
    CONTAINERS = "docker containers"
    ENGINE = "docker version, docker info"
    ENGINE_JSON = "docker version, docker info as JSON"
    DAEMON = "daemon.json"
    PROCESSES = "ps"
    UNIT = "systemd unit"
    IPSETS = "ipset"
    MODULES = "lsmod"
    UFW = "ufw status"
    FIREWALLD = "firewall-cmd --list-all"
    SYSCTL = "sysctl"
    NFTABLES = "nftables"
    INTERFACES = "ip addr, ip link, bridge link"
    ROUTES = "ip route"
    INTERFACES_JSON = "ip -j addr, ip -j link, bridge -j link"
    ROUTES_JSON = "ip -j route"
    CUT_INSPECT = "docker inspect, cut"
    BROKEN_JSON = "broken JSON"
    TRANSCRIPT = "transcript"
    DIFF = "diff"
    MANIFEST = "manifest"
    EMPTY = "empty"
    NOT_READ = "not read"
    UNKNOWN = "unknown"


NOT_KNOWN = "not a kind of document that icclint knows"
"""Why a document of kind ``UNKNOWN`` is a gap."""

_MANIFEST = "# icclint capture 1"

_LIKE_JSON = re.compile(r"\s*[\[{]\s*(?:[\[{\"\]}]|$)")
_MEMBER = re.compile(r'\s*"[^"\\]+": ')
# `docker network ls`.
_LIKE_OTHERS = re.compile(r"NETWORK ID\s+NAME")


# Commands that print nothing where there is nothing, by the names that people give to their outputs.
_SAVE_NAME = re.compile(r"tables[^/]*save[^/]*$|save[^/]*tables[^/]*$", re.IGNORECASE)
_NFT_NAME = re.compile(r"(?<![a-z])nft[^/]*$", re.IGNORECASE)
_DAEMON_NAME = re.compile(r"daemon[^/]*\.json$", re.IGNORECASE)
_CONTAINERS_NAME = re.compile(r"container[^/]*$", re.IGNORECASE)


def kind_of(document: Document) -> Kind:
    """The kind of a document, told by its content; of an empty one nothing but its name can tell."""
    if document.is_binary:
        return Kind.UNKNOWN
    text = document.text
    if not text.strip():
        return _kind_of_silence(document.name)
    if text.startswith(_MANIFEST):
        return Kind.MANIFEST
    lines = list(document.lines)
    if looks_like_transcript(document):
        return Kind.TRANSCRIPT
    if _LIKE_JSON.match(text) or _MEMBER.match(next((line for line in lines if line.strip() and not is_cut(line)), "")):
        return _kind_of_json(document)
    if looks_like_nftables(lines):
        return Kind.NFTABLES
    if is_of_another_tool(lines):
        return Kind.NOT_READ
    if looks_like_diff(lines):
        return Kind.DIFF
    if looks_like_rules(lines):
        return Kind.IPTABLES
    if looks_like_sysctl(lines):
        return Kind.SYSCTL
    if looks_like_sets(lines):
        return Kind.IPSETS
    if looks_like_ufw(lines):
        return Kind.UFW
    if looks_like_firewalld(lines):
        return Kind.FIREWALLD
    if looks_like_modules(lines):
        return Kind.MODULES
    if looks_like_engine(lines):
        return Kind.ENGINE
    if looks_like_processes(lines):
        return Kind.PROCESSES
    if looks_like_unit(lines):
        return Kind.UNIT
    first = next(line for line in lines if line.strip())
    if _LIKE_OTHERS.match(first):
        return Kind.NOT_READ
    if looks_like_interfaces(first):
        return Kind.INTERFACES
    return Kind.ROUTES if looks_like_routes(first) else Kind.UNKNOWN


def _kind_of_silence(name: str) -> Kind:
    if _SAVE_NAME.search(name):
        return Kind.IPTABLES
    return Kind.NFTABLES if _NFT_NAME.search(name) else Kind.EMPTY


def _kind_of_json(document: Document) -> Kind:
    try:
        value = json.loads(document.text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Kind.CUT_INSPECT if recover(document) else Kind.BROKEN_JSON
    if value == []:
        return Kind.CONTAINERS if _CONTAINERS_NAME.search(document.name) else Kind.EMPTY
    if value == {} and _DAEMON_NAME.search(document.name):
        return Kind.DAEMON
    objects = value if isinstance(value, list) else [value]
    return next((kind for kind, fits in _JSON_KINDS.items() if any(map(fits, objects))), Kind.UNKNOWN)


def _refuse(constant: str) -> Any:
    # Python reads NaN and Infinity, which are no JSON.
    raise ValueError(constant)


_JSON_KINDS: dict[Kind, Callable[[Any], bool]] = {
    Kind.NETWORKS: is_network,
    Kind.CONTAINERS: is_container,
    Kind.INTERFACES_JSON: lambda value: isinstance(value, dict) and "ifname" in value,
    Kind.ROUTES_JSON: lambda value: isinstance(value, dict) and "dst" in value,
    Kind.ENGINE_JSON: lambda value: is_engine_version(value) or is_engine_info(value),
    Kind.DAEMON: is_daemon_file,
    # `nft -j`.
    Kind.NOT_READ: lambda value: isinstance(value, dict) and "nftables" in value,
}
