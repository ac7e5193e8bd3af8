"""A host's tables of one family in the order in which a packet meets them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import SkipValidation

from icclint.docker.chains import iptables_knows_docker
from icclint.ir.base import Frozen
from icclint.ir.host import Host, Module
from icclint.ir.ruleset import BUILT_IN_CHAINS, Chain, Rule, Ruleset, Table
from icclint.packets.ipsets import Sets
from icclint.packets.routing import Routing
from icclint.packets.verdict import Assumption, Decision

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
"""Where packets meet tables. A forwarded one meets PREROUTING, FORWARD and POSTROUTING.

A frame that is bridged meets the same ones while br_netfilter calls iptables (net/bridge/br_netfilter_hooks.c).
"""
_PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}


_CONNTRACK = -200


def _priority(ruleset: Ruleset, table: str, hook: str) -> int:
    """When a table of iptables is asked among those of a hook (uapi/linux/netfilter_ipv4.h)."""
    if table == "nat":
        return 100 if hook in ("INPUT", "POSTROUTING") else -100
    if table == "security" and ruleset.variant != "legacy":
        # iptables-nft asks it later than the legacy tables do, in INPUT behind nat (iptables/nft.c, xtables_ipv4).
        return 150
    return _PRIORITIES[table]


def seen_interface(side: str, name: str | None, hook: str, bridged: bool) -> str:
    """The name that ``-i`` and ``-o`` compare; empty where the hook is not told of the interface.

    User-defined chains may ask in such places (net/ipv4/netfilter/ip_tables.c, ip_packet_match; nft_meta.c,
    nft_meta_store_ifname). POSTROUTING is told of the way in since Linux 5.7, but br_netfilter does not know it there.
    """
    untold = hook in ("PREROUTING", "INPUT") if side == "out" else hook == "POSTROUTING" and bridged
    return "" if untold else name or ""


def asks_of_the_past(states: frozenset[str], state: str) -> bool:
    """Whether ``--ctstate`` asks if a connection was translated that is older than the packet, so that no rule tells.

    SNAT and DNAT are marks of the connection, which each of its packets bears (net/netfilter/xt_conntrack.c).
    """
    return state in ("ESTABLISHED", "RELATED") and not states.isdisjoint(("SNAT", "DNAT"))


_BRIDGE_SWITCH = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
_TOOL = {4: "iptables", 6: "ip6tables"}
_NATIVE_FAMILIES = {4: ("ip", "inet", "netdev"), 6: ("ip6", "inet", "netdev")}


class Visit(Frozen):
    """One built-in chain, or base chain of nftables itself, on a packet's way, with the table that it belongs to.

    ``chain`` is None where the dump does not hold it. Of a table of nftables itself, ``table`` is what iptables would
    call it: ``nat``, ``raw`` for what comes before connection tracking, otherwise ``filter``.
    """

    table: Table
    hook: str
    chain: Chain | None
    priority: int


class Firewall(Frozen):
    """All tables that a forwarded packet of one family meets.

    ``captured`` tells whether there is a dump of this family at all; without one nothing can be told.
    ``sees_marks`` tells whether the tables that can mark a packet before FORWARD were captured; otherwise its mark is
    not known there.
    ``visits`` are in order, by hook, and every variant of iptables has its say: a packet must pass all of them.
    ``standing`` are assumptions that every delivery hangs on, since tables were not captured.
    ``switch`` is what `bridge_netfilter` says of the bridges that are none of ``calling``, which have the switch of
    their own on. ``isolation`` is what stops frames from port to port, by bridge. ``sets`` are those of ipset that are
    known. ``forwarding_off`` is the decision
    that stops every routed packet, where the kernel was told not to forward.
    """

    family: int
    captured: bool
    sees_marks: bool
    visits: Annotated[Mapping[str, tuple[Visit, ...]], SkipValidation]
    standing: tuple[Assumption, ...]
    switch: Decision | Assumption | None
    calling: frozenset[str]
    isolation: Annotated[Mapping[str, Decision | Assumption], SkipValidation]
    sets: Annotated[Sets, SkipValidation]
    forwarding_off: Decision | None
    routing: Annotated[Routing, SkipValidation]

    @property
    def tool(self) -> str:
        """The command of this family."""
        return _TOOL[self.family]

    def without(self, table: str) -> Firewall:
        """The same tables but one."""
        visits = {hook: tuple(v for v in found if v.table.name != table) for hook, found in self.visits.items()}
        return self.model_copy(update={"visits": visits})

    def bridge_netfilter(self, bridge: str | None) -> Decision | Assumption | None:
        """What lets every frame of a bridge pass unseen: a decision, an assumption where it is not known whether.

        None where bridged frames do meet these tables: by the host's switch, or by the bridge's own (net/bridge/
        br_netfilter_hooks.c, br_nf_pre_routing).
        """
        return None if bridge in self.calling else self.switch

    def hands_back(self, interface: str | None) -> bool:
        """Whether what came in by an interface, and whose new destination is beyond it too, stays on a bridge.

        br_netfilter changes the destination while the frame is still the bridge's, and gives it back to it, though it
        was sent to the router; only a frame for elsewhere is routed (net/bridge/br_netfilter_hooks.c,
        br_nf_pre_routing_finish).
        """
        bridges = self.routing.host.bridges
        return self.bridge_netfilter(interface) is None and any(network.bridge == interface for network in bridges)


def firewall(host: Host, family: int) -> Firewall:
    """The firewall of a host for one family, from all captured rulesets of it."""
    rulesets = host.rulesets_of(family)
    return Firewall(
        family=family,
        captured=bool(rulesets),
        sees_marks=all(_sees_marks(ruleset) for ruleset in rulesets),
        visits={
            hook: tuple(
                sorted((*_of_iptables(rulesets, hook), *_native(host, family, hook)), key=lambda visit: visit.priority)
            )
            for hook in HOOKS
        },
        standing=tuple(_standing(host, rulesets, family)),
        switch=_bridge_switch(host, family),
        calling=_calling(host, family),
        isolation=_isolation(host),
        sets=Sets(host.ipsets or ()),
        forwarding_off=forwarding_off(host, family),
        routing=Routing(host, family),
    )


def _of_iptables(rulesets: tuple[Ruleset, ...], hook: str) -> Iterator[Visit]:
    for ruleset in rulesets:
        for name, table in ruleset.tables.items():
            if hook in BUILT_IN_CHAINS.get(name, ()) and not _is_missing(table, hook):
                priority = _priority(ruleset, name, hook)
                yield Visit(table=table, hook=hook, chain=table.chains.get(hook), priority=priority)


def _native(host: Host, family: int, hook: str) -> Iterator[Visit]:
    """The base chains of nftables' own tables; at one priority they come behind those of iptables.

    The kernel knows who came first, but a packet must pass all of them in any order.
    """
    for rules in host.native_rules(family):
        for base in rules.base_chains:
            if base.hook == hook:
                name = "nat" if base.kind == "nat" else "raw" if base.priority < _CONNTRACK else "filter"
                document = base.chain.span.document if base.chain.span is not None else ""
                table = Table(name=name, document=document, complete=True, chains=rules.chains)
                yield Visit(table=table, hook=hook, chain=base.chain, priority=base.priority)


def _is_missing(table: Table, hook: str) -> bool:
    """Whether a chain is as little known as if its table had not been captured.

    That goes for the tables beside filter, of which ``iptables -t nat -S POSTROUTING`` shows one chain.
    """
    return table.name != "filter" and not table.complete and hook not in table.chains


def _sees_marks(ruleset: Ruleset) -> bool:
    tables = [ruleset.tables.get(name) for name in ("raw", "mangle")]
    return ruleset.all_tables or all(table is not None and not _is_missing(table, "PREROUTING") for table in tables)


def _missing(ruleset: Ruleset) -> Iterator[str]:
    """What of a ruleset was not captured that a packet may meet, in words."""
    tables = sorted({"raw", "mangle", "nat", "filter"} - ruleset.tables.keys())
    if tables and not ruleset.all_tables:
        yield f"the tables {', '.join(tables)}"
    for table in ruleset.tables.values():
        chains = [hook for hook in BUILT_IN_CHAINS.get(table.name, ()) if hook in HOOKS and _is_missing(table, hook)]
        if chains:
            yield f"the chains {', '.join(chains)} of table {table.name}"


def _standing(host: Host, rulesets: tuple[Ruleset, ...], family: int) -> Iterator[Assumption]:
    for ruleset in rulesets:
        missing = " and ".join(_missing(ruleset))
        if not missing:
            continue
        yield Assumption(
            key=f"tables {family} {ruleset.variant}",
            holds=True,
            text=f"{missing} of {_TOOL[family]}, not captured, let the packet pass as it is",
            capture_with=f"{_TOOL[family]}-save",
        )
    for table in host.native_tables or ():
        if table.family in _NATIVE_FAMILIES[family] and table.rules is None:
            yield Assumption(
                key=f"nft table {table.family} {table.name}",
                holds=True,
                text=f"nftables' own table {table.family} {table.name}, which is not read, lets the packet pass",
                span=table.span,
            )
    if host.native_tables is None and not iptables_knows_docker(host):
        # Docker 29 can keep its rules in tables of its own; then those of iptables say nothing (moby, nftabler).
        yield Assumption(
            key="nft tables",
            holds=True,
            text="no table of nftables' own holds Docker's rules, of which iptables holds none",
            capture_with="nft list ruleset",
        )
    variants = {ruleset.variant for ruleset in rulesets}
    if host.legacy_warning is not None and "legacy" not in variants:
        yield Assumption(
            key=f"legacy {family}",
            holds=True,
            text=f"the legacy tables of {_TOOL[family]}, which the dump warns of, let the packet pass",
            span=host.legacy_warning,
            capture_with=f"{_TOOL[family]}-legacy-save",
        )


def forwarding_off(host: Host, family: int) -> Decision | None:
    """That the kernel forwards nothing, where the capture says so (Documentation/networking/ip-sysctl.rst)."""
    name = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}[family]
    setting = host.sysctls.get(name) if host.sysctls is not None else None
    if setting is None or setting.value.strip() != "0":
        return None
    return Decision(by="setting", text=f"{name} = 0", span=setting.span)


def _bridge_switch(host: Host, family: int) -> Decision | Assumption | None:
    """Whether bridged frames meet the tables: None if they do, a decision if not, an assumption if unknown."""
    name = _BRIDGE_SWITCH[family]
    setting = (host.sysctls or {}).get(name)
    if setting is None:
        return _without_br_netfilter(host, family) or Assumption(
            key=name,
            holds=True,
            text=f"{name} is 1, so that bridged frames meet {_TOOL[family]}",
            capture_with=f"sysctl {name}",
            bridge_netfilter=True,
        )
    if setting.value.strip() == "0":
        return Decision(by="setting", text=f"{name} = 0", span=setting.span)
    return None


def _calling(host: Host, family: int) -> frozenset[str]:
    """The bridges whose own switch is on, which does nothing without br_netfilter."""
    known = _BRIDGE_SWITCH[family] in (host.sysctls or {})
    if not known and _without_br_netfilter(host, family) is not None:
        return frozenset()
    return frozenset(switch.bridge for switch in host.bridge_switches if family in switch.families)


def _without_br_netfilter(host: Host, family: int) -> Decision | None:
    """That br_netfilter is not loaded, where the capture says so and no switch of its own.

    Its switches exist only while it is loaded, so a complete list of settings without them says no (net/bridge/
    br_netfilter_hooks.c, brnf_table). So does a list of modules that has the bridge without it: where the bridge is a
    module, the kernel cannot have br_netfilter built in (net/Kconfig, BRIDGE_NETFILTER).
    """
    if host.all_sysctls and host.sysctls:
        text = f"{_BRIDGE_SWITCH[family]} is absent: br_netfilter is not loaded"
        return Decision(by="setting", text=text, span=next(iter(host.sysctls.values())).span)
    bridge = _bridge_alone(host)
    if bridge is None:
        return None
    return Decision(by="setting", text="the module bridge is loaded, and br_netfilter is not", span=bridge.span)


_FIRST_OF_ITS_OWN = (3, 18)
"""The kernel from which on br_netfilter is a module of its own, and no part of bridge (commit 34666d467cbf)."""


def _bridge_alone(host: Host) -> Module | None:
    """The module of bridges where it is loaded without br_netfilter, which uses it."""
    modules = {module.name: module for module in host.modules or ()}
    bridge = modules.get("bridge")
    osrelease = (host.sysctls or {}).get("kernel.osrelease")
    kernel = osrelease.value if osrelease is not None else host.engine.kernel if host.engine is not None else None
    numbers = re.match(r"([0-9]{1,5})\.([0-9]{1,5})(?![0-9])", kernel or "")
    if bridge is None or numbers is None or (int(numbers[1]), int(numbers[2])) < _FIRST_OF_ITS_OWN:
        return None
    return None if "br_netfilter" in modules or "br_netfilter" in bridge.users else bridge


def _isolation(host: Host) -> dict[str, Decision | Assumption]:
    """What stops frames from port to port of a bridge: a decision where it stops all, an assumption where it may not.

    Between two isolated ports no frame passes, after PREROUTING and before FORWARD (net/bridge/br_forward.c,
    should_deliver). No capture tells which port is whose.
    """
    found: dict[str, Decision | Assumption] = {}
    for bridge in sorted({port.bridge for port in host.bridge_ports or () if port.isolated}):
        ports = [port for port in host.bridge_ports or () if port.bridge == bridge]
        isolated = [port for port in ports if port.isolated]
        if len(isolated) == len(ports) > 1:
            text = f"every port of {bridge} is isolated"
            found[bridge] = Decision(by="setting", text=text, span=isolated[0].span)
        elif len(isolated) > 1:
            found[bridge] = Assumption(
                key=f"isolated ports of {bridge}",
                holds=True,
                text=f"sender and receiver are not both behind isolated ports of {bridge}",
                span=isolated[0].span,
            )
    return found


def absent_chain(firewall: Firewall, visit: Visit, caller: Rule | None = None) -> Decision:
    """That a packet's way leads into a chain that the dump does not hold: the hook's own, or the one a rule calls."""
    table = visit.table.name
    chain = visit.hook if caller is None else getattr(caller.target, "chain", "")
    return Decision(
        by="absent",
        text=f"chain {chain} of table {table} was not captured",
        span=caller.span if caller else None,
        rule=caller,
        capture_with=f"{firewall.tool}{'' if table == 'filter' else f' -t {table}'} -S",
    )


def absent_policy(firewall: Firewall, visit: Visit, chain: Chain) -> Decision:
    """That a packet falls to a policy that was not captured."""
    table = "" if visit.table.name == "filter" else f" -t {visit.table.name}"
    return Decision(
        by="absent",
        text=f"the policy of chain {chain.name} of table {visit.table.name} was not captured",
        span=chain.span,
        capture_with=f"{firewall.tool}{table} -S",
    )


def not_captured(firewall: Firewall) -> Decision:
    """That there is no dump of this family."""
    return Decision(
        by="absent",
        text=f"no rules of {firewall.tool} were captured",
        span=None,
        capture_with=f"{firewall.tool}-save",
    )
