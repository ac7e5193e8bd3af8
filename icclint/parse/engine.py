"""What ``docker version`` and ``docker info`` print of the engine, as text and as JSON.

Shapes: docker/cli, cli/command/system/version.go and info.go, v1.6 to v29; moby, api/types/system/info.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from icclint.parse.gaps import Gaps, shortened
from icclint.parse.json import JsonText, Path
from icclint.source import Document, Gap, Span


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that is said of the engine, as written.

    ``name`` is ``version``, ``kernel``, ``firewall backend``, ``security option``, or the name of a kernel setting,
    whose ``value`` is ``true`` or ``false``.
    """

    name: str
    value: str
    span: Span


_ENTRY = re.compile(r"(?P<indent>\s*)(?P<key>[A-Za-z][\w /().+-]*?):(?:\s+(?P<value>\S.*))?$")
_ERROR = re.compile(r"(?i)error|cannot |got permission|permission denied")
_OPENS = re.compile(r"(?:Client|Server)(?: version)?:(?:\s|$)")
_OLD_INFO = re.compile(r"\s*Server Version:\s+\S")

# Where the text says it: the keys from the outermost on.
_IN_TEXT = {
    ("Server", "Engine", "Version"): "version",
    # Up to 18.03, and of other makers' engines, whose parts are not named.
    ("Server", "Version"): "version",
    ("Server version",): "version",
    ("Server Version",): "version",
    ("Server", "Server Version"): "version",
    ("Kernel Version",): "kernel",
    ("Server", "Kernel Version"): "kernel",
    ("Firewall Backend",): "firewall backend",
    ("Server", "Firewall Backend"): "firewall backend",
}
_SECURITY_OPTIONS = "Security Options"
_WARNINGS = {
    "WARNING: IPv4 forwarding is disabled": "net.ipv4.ip_forward",
    "WARNING: bridge-nf-call-iptables is disabled": "net.bridge.bridge-nf-call-iptables",
    "WARNING: bridge-nf-call-ip6tables is disabled": "net.bridge.bridge-nf-call-ip6tables",
}


def parse_engine(document: Document) -> tuple[tuple[Shown, ...], tuple[Gap, ...]]:
    """What the text outputs of ``docker version`` and ``docker info`` say of the engine."""
    shown: list[Shown] = []
    gaps = Gaps(document)
    above: list[tuple[int, str]] = []
    for number, line in enumerate(document.lines, start=1):
        if not line.strip():
            continue
        entry = _ENTRY.match(line.rstrip())
        if not line[0].isspace() and (entry is None or _ERROR.match(line)):
            gaps.foreign(number, "not a line that docker version or docker info prints")
            continue
        gaps.understood()
        indent = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        if above and above[-1][1] == _SECURITY_OPTIONS:
            shown.append(Shown("security option", line.strip(), document.text_span(number)))
        if line.strip() in _WARNINGS:
            shown.append(Shown(_WARNINGS[line.strip()], "false", document.text_span(number)))
        if entry is None:
            continue
        above.append((indent, entry["key"]))
        name = _IN_TEXT.get(tuple(key for _, key in above))
        if name and entry["value"]:
            shown.append(Shown(name, entry["value"], document.text_span(number)))
        elif entry["key"] == _SECURITY_OPTIONS and entry["value"]:
            # Up to 1.12 on one line.
            span = document.text_span(number)
            shown += [Shown("security option", option, span) for option in entry["value"].split()]
    return tuple(shown), gaps.all()


def read_engine(text: JsonText) -> tuple[tuple[Shown, ...], tuple[Gap, ...]]:
    """What their JSON, or that of the engine's API, says of the engine."""
    shown = tuple(_members(text, text.value if isinstance(text.value, list) else [text.value]))
    return shown, (*text.gaps, *_errors(text))


_IN_JSON: dict[Path, str] = {
    ("Server", "Version"): "version",
    ("ServerVersion",): "version",
    ("Server", "KernelVersion"): "kernel",
    ("KernelVersion",): "kernel",
    ("IPv4Forwarding",): "net.ipv4.ip_forward",
    ("BridgeNfIptables",): "net.bridge.bridge-nf-call-iptables",
    ("BridgeNfIp6tables",): "net.bridge.bridge-nf-call-ip6tables",
    ("FirewallBackend", "Driver"): "firewall backend",
}


def _members(text: JsonText, values: list[Any]) -> Iterator[Shown]:
    for index, value in enumerate(values):
        base: Path = (index,) if isinstance(text.value, list) else ()
        # GET /version of the API is what the client prints of the server.
        paths = _IN_JSON | ({("Version",): "version"} if is_engine_version(value) and "Client" not in value else {})
        for path, name in paths.items():
            said = _at(value, path)
            said = str(said).lower() if isinstance(said, bool) else said
            if isinstance(said, str) and said:
                yield Shown(name, said, text.spans[(*base, *path)])
        options = _at(value, ("SecurityOptions",))
        for place, option in enumerate(options if isinstance(options, list) else ()):
            if isinstance(option, str):
                yield Shown("security option", option, text.spans[(*base, "SecurityOptions", place)])


def _errors(text: JsonText) -> Iterator[Gap]:
    """Why the client learnt nothing of the engine."""
    errors = _at(text.value, ("ServerErrors",))
    for place, error in enumerate(errors if isinstance(errors, list) else ()):
        yield Gap(text.spans["ServerErrors", place], shortened(str(error)), "docker info could not ask the engine")


def _at(value: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def looks_like_engine(lines: Iterable[str]) -> bool:
    """Whether lines are those of ``docker version`` or ``docker info``."""
    said = [line for line in lines if line.strip()]
    return bool(said) and (_OPENS.match(said[0]) is not None or any(_OLD_INFO.match(line) for line in said))


def is_engine_version(value: Any) -> bool:
    """Whether a JSON value is what ``docker version`` prints, or GET /version of the API."""
    return isinstance(value, dict) and (
        {"Client", "Server"} <= value.keys() or {"ApiVersion", "Version"} <= value.keys()
    )


def is_engine_info(value: Any) -> bool:
    """Whether a JSON value is what ``docker info`` prints."""
    return isinstance(value, dict) and "ServerVersion" in value
