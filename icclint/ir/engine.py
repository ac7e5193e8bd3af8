"""The Docker engine of a host, and what its daemon was told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Annotated

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.source import Span

_RELEASE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*(?![0-9])")


class Engine(Frozen):
    """The engine as ``docker version`` and ``docker info`` show it.

    ``version`` is its own word (``28.5.2+dfsg4``, ``17.09.0-ce``). ``firewall_backend`` is what ``docker info`` names
    since 28.3 (``iptables``, ``nftables``, either with ``+firewalld``); ``rootless`` tells whether it runs in a user's
    own namespaces, whose rules no dump of the host holds; ``kernel`` is the version of the kernel. They are None where
    they were not shown.
    """

    version: str
    span: Span
    firewall_backend: str | None = None
    rootless: bool | None = None
    kernel: str | None = None

    @property
    def release(self) -> tuple[int, ...]:
        """The numbers of its version, to be compared; empty for a version that begins with none."""
        numbers = _RELEASE.match(self.version)
        return tuple(map(int, numbers[0].split("."))) if numbers else ()


class Daemon(Frozen):
    """What dockerd was told, by its command line and by daemon.json. None is what neither states.

    A setting that is not stated has its default only if nothing else states it: ``command_line`` is where a whole
    command line was found, ``configuration_file`` is where daemon.json begins, and None is what was not captured.
    The names are those of daemon.json (moby, daemon/config/config_linux.go); ``ip`` is the address that ports are
    published on, ``bridge_address`` is ``bip``. ``default_network_opts`` are the options that new networks get, by
    driver. daemon.json may have been changed since dockerd was started.
    """

    icc: bool | None = None
    iptables: bool | None = None
    ip6tables: bool | None = None
    ip_forward: bool | None = None
    ip_forward_no_drop: bool | None = None
    ip_masq: bool | None = None
    ipv6: bool | None = None
    userland_proxy: bool | None = None
    allow_direct_routing: bool | None = None
    live_restore: bool | None = None
    ip: IPv4Address | IPv6Address | None = None
    bridge: str | None = None
    bridge_address: IPv4Interface | None = None
    firewall_backend: str | None = None
    default_network_opts: Annotated[Mapping[str, Mapping[str, str]], SkipValidation] = {}
    command_line: Span | None = None
    configuration_file: Span | None = None
    spans: Annotated[Mapping[str, Span], SkipValidation] = {}

    def span_of(self, setting: str) -> Span | None:
        """Where one of its settings, by the field's name, is stated."""
        return self.spans.get(setting)
