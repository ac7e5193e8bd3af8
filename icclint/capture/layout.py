"""How the tools that people collect with lay out what they save, as read in their sources.

A bundle has thousands of files, of which a few are outputs that tell of the host's network. The others are copies of
files on its disk (a rules file tells what is loaded at boot, not what is in force) and outputs from other network
namespaces, which would be taken for the host's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from icclint.capture.tree import TELLS_NOTHING, Entry, Folder, is_named_like_a_capture
from icclint.parse.kind import NOT_KNOWN, Kind

MOST_BY_HAND = 100
"""More files than a person puts together; with more of them a folder is some tool's bundle, whatever its layout."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A tool's layout: ``marks`` are the names that lie in a host's folder, all of them; ``outputs`` the folders in it
    that hold outputs of commands, if only some do.
    """

    name: str
    marks: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()

    def set_aside(self, path: Sequence[str]) -> str:
        """Why a file at that path in the host's folder tells nothing of the host; empty where it may."""
        if "/".join(path) in _KEPT:
            return ""
        if _OTHER_NAMESPACE.intersection(path[:-1]):
            return "of another network namespace"
        if self.outputs and path[0] not in self.outputs:
            return "not among the outputs of commands"
        return "a copy of a file on disk" if _ON_DISK.intersection(path[:-1]) else ""


_OTHER_NAMESPACE = frozenset(("namespaces", "netns"))
_ON_DISK = frozenset(("etc", "var", "usr", "boot", "root", "home", "run", "proc", "lib", "opt", "var_log"))
# What the engine was started with is on disk.
_KEPT = frozenset(("etc/docker/daemon.json", "etc/default/docker", "etc/sysconfig/docker"))


def _layout(name: str, marks: str, outputs: str = "") -> Layout:
    return Layout(name, frozenset(marks.split()), frozenset(outputs.split()))


MANIFEST = "manifest.tsv"
"""What a bundle of ``icclint collect`` holds to tell of itself."""

LAYOUTS = (
    _layout("icclint collect", MANIFEST),
    _layout("sos report", "sos_commands", "sos_commands"),
    _layout("UAC", "live_response", "live_response"),
    _layout("Cat-Scale", "Process_and_Network", "Process_and_Network Docker Podman System_Info"),
    _layout("Red Hat Insights", "insights_commands", "insights_commands"),
    _layout("Replicated support bundle", "host-collectors", "host-collectors"),
    _layout("Amazon EKS log collector", "networking sysctls", "networking sysctls docker"),
    _layout("Rancher log collector", "networking systeminfo", "networking systeminfo docker"),
    _layout("Amazon ECS logs collector", "ecs-agent docker"),
)
"""The layouts by their own marks."""

BY_TOPIC = Layout("folders by topic")
BUNDLE = Layout("many files")

_TOPICS = frozenset(
    ("commands", "containers", "docker", "firewall", "fw", "ip", "iptables", "kernel", "net", "network", "networking",
     "networks", "nft", "podman", "sysctl", "sysctls", "system", "systeminfo")
)  # fmt: skip


def layout_of(folder: Folder) -> Layout | None:
    """The layout of a host's folder, or None where nothing but its documents can tell that it is one."""
    names = folder.files.keys() | folder.folders.keys()
    for layout in LAYOUTS:
        if layout.marks <= names:
            return layout
    telling = {name.lower() for name, below in folder.folders.items() if below.holds_known}
    return BY_TOPIC if len(telling) > 1 and telling <= _TOPICS else None


def may_be_laid_out(names: Collection[str]) -> bool:
    """Whether a folder that holds such names may have a layout, whatever its documents are."""
    return any(layout.marks.issubset(names) for layout in LAYOUTS) or sum(name.lower() in _TOPICS for name in names) > 1


_ARCHIVE = re.compile(r"\.(?:tar(?:\.\w+)?|tgz|txz|tbz2?|tzst|zip)$", re.IGNORECASE)


def is_named_like_an_archive(name: str) -> bool:
    """Whether a file's name says that it is an archive."""
    return _ARCHIVE.search(name) is not None


def named_hosts(folder: Folder) -> list[Folder]:
    """The folders of hosts that lie in ``hosts`` or ``nodes`` of a folder, as must-gather has it."""
    groups = (folder.folders.get(name) for name in ("hosts", "nodes"))
    return [below for group in groups if group for _, below in sorted(group.folders.items()) if below.holds_known]


def belongs(entry: Entry) -> bool:
    """Whether a file of a bundle is a document of the host: one that is known, or that by its name should be."""
    if entry.kind is Kind.EMPTY or _is_no_such_network(entry):
        return False
    if is_named_like_a_capture(entry.name) or entry.of_all:
        return True
    if entry.kind in (Kind.TRANSCRIPT, Kind.DIFF):
        # No tool that collects types commands; what looks so is a log or a history.
        return False
    if entry.kind is Kind.IPTABLES and entry.content is not None:
        # One line among many looks like a rule easily: the help of a program, a log.
        return _BEGINS_LIKE_RULES.match(entry.content) is not None
    return entry.kind is not None and entry.kind not in TELLS_NOTHING


def why_not(entry: Entry) -> str:
    """Why a file that was read does not belong to the host's documents."""
    match entry.kind:
        case Kind.EMPTY:
            return "empty"
        case Kind.BROKEN_JSON:
            return "not JSON, though it begins like it"
        case Kind.IPTABLES:
            return "does not begin like rules, though a line of it looks like one"
    return NOT_KNOWN


_BEGINS_LIKE_RULES = re.compile(rb"(?:\s*(?:#.*)?\n)*\s*(?:-[PNA] |\*\w+\s*\n|:\S+ \S+|\[\d+:\d+\] -A |Chain )")


def _is_no_such_network(entry: Entry) -> bool:
    # What docker prints for an identifier that it does not know; UAC asks for networks by the ids of containers.
    return entry.kind is Kind.BROKEN_JSON and re.match(rb"\[\]\s+Error[: ]", entry.content or b"") is not None
