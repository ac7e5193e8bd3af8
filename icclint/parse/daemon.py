"""What dockerd was told: the settings of daemon.json and the flags of a command line.

Names and types: moby, daemon/config/config.go and config_linux.go, cmd/dockerd/config.go and config_unix.go, v1.12 to
v29. Flags: spf13/pflag, where a switch takes a value after ``=`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from icclint.parse.json import JsonText
from icclint.source import Gap, Span

SWITCHES = frozenset((
    "icc", "iptables", "ip6tables", "ip-forward", "ip-forward-no-drop", "ip-masq", "ipv6", "userland-proxy",
    "allow-direct-routing", "live-restore",
))  # fmt: skip
"""The settings of the network that are on or off."""
TEXTS = frozenset(("ip", "bridge", "bip", "firewall-backend"))
"""Those that are a text."""
NETWORK_OPTIONS = "default-network-opts"
"""The one that holds options by driver; its flag has no ``s`` at the end."""

_VALUED = TEXTS | {NETWORK_OPTIONS}

# What no other tool's JSON has at its top; `ip`, `bridge` and the like could be anybody's.
_ONLY_OF_DOCKERD = SWITCHES - {"iptables", "ipv6"} | {
    "bip", "firewall-backend", "data-root", "default-address-pools", NETWORK_OPTIONS, "exec-opts",
    "insecure-registries", "log-driver", "log-opts", "registry-mirrors", "storage-driver", "userns-remap",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command line, without its quotes."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Directive:
    """One setting, by its name in daemon.json: a JSON value there, a text from a command line."""

    name: str
    value: Any
    span: Span


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """What one daemon.json or one command line states of the network.

    ``unknown`` are the words of a command line that stand for what only the environment of the process knew.
    """

    origin: Literal["file", "process", "unit"]
    span: Span
    directives: tuple[Directive, ...]
    unknown: tuple[Word, ...] = ()


def is_daemon_file(value: Any) -> bool:
    """Whether a JSON value holds settings that only dockerd has."""
    return isinstance(value, dict) and not value.keys().isdisjoint(_ONLY_OF_DOCKERD)


def read_daemon_file(text: JsonText) -> tuple[DaemonSettings, tuple[Gap, ...]]:
    """The settings of daemon.json that concern the network."""
    settings = text.value if isinstance(text.value, dict) else {}
    directives = tuple(
        Directive(name, value, text.spans[name,])
        for name, value in settings.items()
        if name in SWITCHES or name in _VALUED
    )
    return DaemonSettings("file", text.spans[()], directives), text.gaps


_PROGRAM = re.compile(r"(?:.*/)?dockerd(?:-current)?")
# Up to 1.12 the engine was a command of the client.
_OLD_PROGRAM = re.compile(r"(?:.*/)?docker(?:-current)?")
_OLD_COMMANDS = ("daemon", "-d", "--daemon")


def is_dockerd(words: Sequence[str]) -> bool:
    """Whether a command line starts the engine."""
    if not words:
        return False
    if _PROGRAM.fullmatch(words[0]):
        return True
    return len(words) > 1 and _OLD_PROGRAM.fullmatch(words[0]) is not None and words[1] in _OLD_COMMANDS


def directives(words: Sequence[Word]) -> Iterator[Directive]:
    """The settings of the network that a command line of dockerd states."""
    for word, following in pairwise([*words, None]):
        assert word is not None
        flag, has_value, value = word.text.partition("=")
        name = {"-b": "bridge", "--default-network-opt": NETWORK_OPTIONS}.get(flag, flag.removeprefix("--"))
        if not flag.startswith("-") or name == flag:
            continue
        if name in SWITCHES:
            yield Directive(name, value if has_value else "true", word.span)
        elif name in _VALUED:
            if has_value:
                yield Directive(name, value, word.span)
            elif following is not None:
                yield Directive(name, following.text, _both(word.span, following.span))


def _both(first: Span, last: Span) -> Span:
    return Span(first.document, first.line, first.column, last.end_line, last.end_column)
