"""A host at one time: all that one capture tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.ir.bridge import BridgePort, BridgeSwitch
from icclint.ir.container import Container
from icclint.ir.engine import Daemon, Engine
from icclint.ir.firewall import FirewalldPart, Ufw
from icclint.ir.ipset import IpSet
from icclint.ir.network import Network
from icclint.ir.nftables import NativeTable, TableRules
from icclint.ir.route import Interface, Route
from icclint.ir.ruleset import Ruleset
from icclint.source import Span


class Sysctl(Frozen):
    """One kernel setting with its place."""

    value: str
    span: Span


class Module(Frozen):
    """One loaded module of the kernel; ``users`` are the modules that use it."""

    name: str
    users: frozenset[str]
    span: Span


class Host(Frozen):
    """Everything known of a host. What was not captured is None, never empty.

    ``rulesets`` holds one entry for each family and variant of iptables that a dump was found of. ``sysctls`` is
    None without a sysctl dump; ``all_sysctls`` tells that the dump holds every setting, so that a missing one
    does not exist on the host. ``legacy_warning`` is where a dump of the nft variant warns that legacy tables
    hold rules too. ``native_tables`` are those of nftables itself that a packet meets. ``interfaces`` and
    ``routes`` are what ``ip addr`` and ``ip route`` showed; ``bridge_ports`` and ``bridge_switches`` are what they,
    ``ip -d link`` and ``bridge -d link`` showed of bridges. ``ipsets`` are the sets that rules ask by ``-m set``,
    ``modules`` what ``lsmod`` or a part of it showed, in which what the kernel has built in has no place. ``ufw`` and
    ``firewalld`` are what those say of themselves; their rules stand in ``rulesets`` and ``native_tables``.
    ``engine`` is None where no version of it was shown, and ``daemon`` where neither daemon.json nor a command line
    of dockerd was captured.
    """

    name: str
    rulesets: tuple[Ruleset, ...]
    networks: tuple[Network, ...] | None
    containers: tuple[Container, ...] | None
    sysctls: Annotated[Mapping[str, Sysctl], SkipValidation] | None
    all_sysctls: bool
    native_tables: tuple[NativeTable, ...] | None
    interfaces: tuple[Interface, ...] | None = None
    routes: tuple[Route, ...] | None = None
    bridge_ports: tuple[BridgePort, ...] | None = None
    bridge_switches: tuple[BridgeSwitch, ...] = ()
    ipsets: tuple[IpSet, ...] | None = None
    modules: tuple[Module, ...] | None = None
    ufw: Ufw | None = None
    firewalld: tuple[FirewalldPart, ...] | None = None
    engine: Engine | None = None
    daemon: Daemon | None = None
    legacy_warning: Span | None = None

    def rulesets_of(self, family: int) -> tuple[Ruleset, ...]:
        """The captured rulesets of one family, which all apply."""
        return tuple(ruleset for ruleset in self.rulesets if ruleset.family == family)

    def native_rules(self, family: int) -> tuple[TableRules, ...]:
        """What stands in the tables of nftables itself for one family, as far as they are read."""
        word = {4: "ip", 6: "ip6"}[family]
        tables = [table for table in self.native_tables or () if table.family == word]
        return tuple(table.rules for table in tables if table.rules is not None)

    @property
    def bridges(self) -> tuple[Network, ...]:
        """The networks of the bridge driver; empty where no network was captured."""
        return tuple(network for network in self.networks or () if network.bridge is not None)

    def network_of_bridge(self, bridge: str) -> Network | None:
        """The network whose interface has that name."""
        return next((network for network in self.bridges if network.bridge == bridge), None)
