"""The chains that Docker makes, and the shapes of rules that only Docker writes.

Sources: moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go and link.go, libnetwork/service_linux.go,
libnetwork/firewall_linux.go, at the releases 1.8 to 29.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from icclint.ir.host import Host
from icclint.ir.match import Accept, AddressMatch, Drop, InterfaceMatch, OpaqueMatch, PortMatch, ProtocolMatch
from icclint.ir.ruleset import Chain, Rule

DOCKER_CHAINS = frozenset(
    (
        "DOCKER",
        "DOCKER-USER",
        "DOCKER-FORWARD",
        "DOCKER-CT",
        "DOCKER-BRIDGE",
        "DOCKER-INTERNAL",
        "DOCKER-ISOLATION",
        "DOCKER-ISOLATION-STAGE-1",
        "DOCKER-ISOLATION-STAGE-2",
        "DOCKER-INGRESS",
    )
)
"""Every chain that an engine ever made in the host's own tables."""

ENGINE_TABLE = "docker-bridges"
"""The table of nftables itself, one for IPv4 and one for IPv6, in which engines since 29.0 keep their rules if they are
told to (moby, libnetwork/drivers/bridge/internal/nftabler)."""
_WAY_IN = "filter-forward-in__"
"""How the names of its chains for what is forwarded to a bridge begin; the bridge follows."""

ENGINE_CHAINS = DOCKER_CHAINS - {"DOCKER-USER"}
"""Those whose rules are the engine's alone; DOCKER-USER is the administrator's."""


def native_bridge(chain: str) -> str | None:
    """The bridge that a chain of nftables itself is the way into; None for all other chains."""
    return chain.removeprefix(_WAY_IN) if chain.startswith(_WAY_IN) else None


def lets_in(rule: Rule, bridge: str | None) -> bool:
    """Whether a rule stands in the chain in which an engine says what is forwarded to a bridge."""
    return rule.chain == "DOCKER" or (bridge is not None and native_bridge(rule.chain) == bridge)


def native_way_in(host: Host, bridge: str | None, family: int) -> Sequence[Rule]:
    """The rules of nftables itself in which an engine says what is forwarded to a bridge."""
    chains = (rules.chains.get(f"{_WAY_IN}{bridge}") for rules in host.native_rules(family))
    return next((chain.rules for chain in chains if chain is not None), ())


def iptables_knows_docker(host: Host) -> bool:
    """Whether any captured table of iptables holds a chain that an engine makes, or a rule for a bridge of Docker's."""
    bridges = {network.bridge for network in host.bridges}
    chains = [c for ruleset in host.rulesets for table in ruleset.tables.values() for c in table.chains.values()]
    return any(chain.name in DOCKER_CHAINS for chain in chains) or any(
        isinstance(match, InterfaceMatch) and match.pattern in bridges
        for chain in chains
        for rule in chain.rules
        for match in rule.matches
    )


def closes_containers(host: Host, family: int) -> bool:
    """Whether the rules are those of an engine that lets nobody in to what no container publishes.

    Since 28.0.0 chain DOCKER ends in ``! -i BRIDGE -o BRIDGE -j DROP`` for each bridge, and since 28.0.1 there is a
    chain DOCKER-FORWARD; engines before leave it to the policy of FORWARD (moby, iptabler/network.go). All that know
    nftables do.
    """
    filters = [ruleset.tables["filter"] for ruleset in host.rulesets_of(family) if "filter" in ruleset.tables]
    return bool(host.native_rules(family)) or any(
        "DOCKER-FORWARD" in table.chains
        or ("DOCKER" in table.chains and any(isinstance(r.target, Drop) for r in table.chains["DOCKER"].rules))
        for table in filters
    )


def guarded_addresses(host: Host, family: int) -> frozenset[int]:
    """The containers' addresses that table raw keeps from everybody but their own bridge.

    The rule is ``-d ADDRESS/32 ! -i BRIDGE -j DROP``, before 28.2 for each published port only (iptabler/endpoint.go,
    port.go).
    """
    raws = [ruleset.tables["raw"].chains for ruleset in host.rulesets_of(family) if "raw" in ruleset.tables]
    guards = [chains["PREROUTING"] for chains in raws if "PREROUTING" in chains]
    guards += [
        base.chain
        for rules in host.native_rules(family)
        for base in rules.base_chains
        if (base.kind, base.hook) == ("filter", "PREROUTING")
    ]
    return frozenset(
        match.ranges[0][0]
        for chain in guards
        for rule in chain.rules
        if isinstance(rule.target, Drop) and any(isinstance(m, InterfaceMatch) and m.negated for m in rule.matches)
        for match in rule.matches
        if isinstance(match, AddressMatch) and match.side == "destination" and not match.negated
    )


@dataclass(frozen=True, slots=True)
class LinkRule:
    """One half of what ``docker run --link`` writes on the default bridge while ICC is off.

    ``client`` may connect to ``server`` on ``port``. The half that carries the replies matches the port as the
    source port, and no connection state at all.
    """

    client: IPv4Address
    server: IPv4Address
    protocol: int
    port: int
    reply: bool
    bridge: str
    rule: Rule

    @property
    def pair(self) -> tuple[IPv4Address, IPv4Address, int, int, str]:
        """What both halves of a link have in common."""
        return self.client, self.server, self.protocol, self.port, self.bridge


def as_link_rule(rule: Rule) -> LinkRule | None:
    """The link that a rule of chain DOCKER carries out, or None for any other rule.

    The shape is ``-s A/32 -d B/32 -i BRIDGE -o BRIDGE -p PROTO -m PROTO --dport|--sport PORT -j ACCEPT`` (moby,
    libnetwork/drivers/bridge/link.go; pkg/iptables ChainInfo.Link). With nftables the chain is the bridge's, and the
    rule names no interface (nftabler/link.go).
    """
    native = native_bridge(rule.chain)
    if (native is None and (rule.table, rule.chain) != ("filter", "DOCKER")) or not isinstance(rule.target, Accept):
        return None
    if any(match.negated for match in rule.matches):
        return None
    addresses = {match.side: match for match in rule.matches if isinstance(match, AddressMatch)}
    interfaces = {match.side: match for match in rule.matches if isinstance(match, InterfaceMatch)}
    protocols = [match for match in rule.matches if isinstance(match, ProtocolMatch)]
    ports = [match for match in rule.matches if isinstance(match, PortMatch)]
    named = 2 if native is None else 0
    if len(rule.matches) != 4 + named or len(addresses) != 2 or len(interfaces) != named or not protocols or not ports:
        return None
    source, destination = addresses["source"].ranges, addresses["destination"].ranges
    bridge = native or interfaces["in"].pattern
    singles = all(first == last for first, last in (*source, *destination, *ports[0].ranges))
    elsewhere = native is None and bridge != interfaces["out"].pattern
    if not singles or ports[0].side == "either" or elsewhere:
        return None
    reply = ports[0].side == "source"
    client, server = IPv4Address(source[0][0]), IPv4Address(destination[0][0])
    if reply:
        client, server = server, client
    return LinkRule(client, server, protocols[0].number, ports[0].ranges[0][0], reply, bridge, rule)


def link_rules(host: Host) -> tuple[LinkRule, ...]:
    """The rules of links in every captured IPv4 ruleset; no engine writes them for IPv6."""
    chains = _docker_chains(host)
    chains += [chain for rules in host.native_rules(4) for chain in rules.chains.values()]
    found = (as_link_rule(rule) for chain in chains for rule in chain.rules)
    return tuple(link for link in found if link is not None)


def hidden_link(host: Host) -> str | None:
    """The command that would show all of a rule that may be a link's: ``iptables -L`` without ``-v`` has no interfaces.

    None where there is no such rule, or all of it is shown.
    """
    return next(
        (
            match.shown_with
            for chain in _docker_chains(host)
            for rule in chain.rules
            if isinstance(rule.target, Accept)
            and len([match for match in rule.matches if isinstance(match, AddressMatch)]) == 2
            for match in rule.matches
            if isinstance(match, OpaqueMatch) and match.shown_with
        ),
        None,
    )


def _docker_chains(host: Host) -> list[Chain]:
    tables = [ruleset.tables["filter"].chains for ruleset in host.rulesets_of(4) if "filter" in ruleset.tables]
    return [chains["DOCKER"] for chains in tables if "DOCKER" in chains]
