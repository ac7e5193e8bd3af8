"""All documents of one capture to one host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from icclint.ir.bridge import BridgePort, BridgeSwitch
from icclint.ir.container import Container
from icclint.ir.firewall import FirewalldPart, Ufw
from icclint.ir.host import Host, Module, Sysctl
from icclint.ir.ipset import IpSet
from icclint.ir.network import Network
from icclint.ir.route import Interface, Route
from icclint.lower.engine import lower_daemon, lower_engine, told_settings
from icclint.lower.firewall import lower_firewalld, lower_ufw
from icclint.lower.ipset import joined_sets, lower_set
from icclint.lower.network import lower_container, lower_network, shows_its_interface
from icclint.lower.nftables import lower_native
from icclint.lower.route import joined_ports, lower_interface, lower_port, lower_route, lower_switch
from icclint.lower.ruleset import lower_dumps
from icclint.parse.cut_inspect import recover
from icclint.parse.daemon import DaemonSettings, read_daemon_file
from icclint.parse.dump import Dump
from icclint.parse.engine import Shown, parse_engine, read_engine
from icclint.parse.firewalld import parse_firewalld
from icclint.parse.gaps import bounded, undecodable
from icclint.parse.inspect import Inspected, InspectedNetwork, read_inspected
from icclint.parse.iproute import (
    ShownInterface,
    ShownRoute,
    parse_interfaces,
    parse_routes,
    read_interfaces,
    read_routes,
)
from icclint.parse.ipset import ShownSet, parse_sets
from icclint.parse.iptables import parse_dump
from icclint.parse.json import JsonError, parse_json
from icclint.parse.kind import NOT_KNOWN, Kind
from icclint.parse.modules import ShownModule, parse_modules
from icclint.parse.nftables import Listing, parse_nftables
from icclint.parse.processes import parse_processes
from icclint.parse.sysctl import SysctlDump, parse_sysctl
from icclint.parse.ufw import parse_ufw
from icclint.parse.unit import parse_unit
from icclint.source import Document, Gap


@dataclass
class _Evidence:
    """What has been read so far. A kind of which no document was found stays None."""

    dumps: list[tuple[str, Dump]] = field(default_factory=list)
    networks: list[Network] | None = None
    containers: list[Container] | None = None
    sysctls: list[SysctlDump] = field(default_factory=list)
    listings: list[Listing] | None = None
    interfaces: list[Interface] | None = None
    routes: list[Route] | None = None
    ipsets: list[IpSet] | None = None
    modules: list[Module] | None = None
    ufw: list[Ufw] = field(default_factory=list)
    firewalld: list[FirewalldPart] | None = None
    ports: list[BridgePort] | None = None
    switches: list[BridgeSwitch] = field(default_factory=list)
    engine: list[Shown] = field(default_factory=list)
    daemon: list[DaemonSettings] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


def lower_host(name: str, documents: Iterable[tuple[Document, Kind]]) -> tuple[Host, tuple[Gap, ...]]:
    """The host that some documents tell of, and the gaps in them. What one document lacks spoils no other."""
    evidence = _Evidence()
    for document, kind in sorted(documents, key=lambda pair: pair[0].name):
        evidence.gaps += undecodable(document)
        try:
            _read(document, kind, evidence)
        except JsonError as error:
            evidence.gaps.append(error.gap)
    listings = evidence.listings or ()
    native_tables, native_gaps = lower_native(table for listing in listings for table in listing.native)
    rulesets = lower_dumps(evidence.dumps, any(listing.has_none_of_iptables for listing in listings))
    sysctls = _settings(evidence)
    engine, engine_gaps = lower_engine(evidence.engine)
    daemon, daemon_gaps = lower_daemon(evidence.daemon)
    host = Host(
        name=name,
        rulesets=rulesets.rulesets,
        networks=_by_name(evidence),
        containers=None if evidence.containers is None else tuple(evidence.containers),
        sysctls=sysctls if evidence.sysctls or sysctls else None,
        all_sysctls=any({setting.name for setting in dump.settings} >= _SURE_SETTINGS for dump in evidence.sysctls),
        native_tables=None if evidence.listings is None else native_tables,
        interfaces=None if evidence.interfaces is None else tuple(evidence.interfaces),
        routes=None if evidence.routes is None else tuple(evidence.routes),
        bridge_ports=None if evidence.ports is None else joined_ports(evidence.ports),
        bridge_switches=tuple(evidence.switches),
        ipsets=None if evidence.ipsets is None else joined_sets(evidence.ipsets, evidence.gaps),
        modules=None if evidence.modules is None else tuple(evidence.modules),
        ufw=evidence.ufw[0] if evidence.ufw else None,
        firewalld=None if evidence.firewalld is None else tuple(evidence.firewalld),
        engine=engine,
        daemon=daemon,
        legacy_warning=rulesets.legacy_warning,
    )
    return host, tuple(bounded([*evidence.gaps, *rulesets.gaps, *native_gaps, *engine_gaps, *daemon_gaps]))


# Who asks for a few settings asks for none of kernel.*, and `sysctl -a`, which sorts by name, has shown net.bridge.*
# before net.ipv4.*, even where it was cut off.
_SURE_SETTINGS = {"kernel.hostname", "kernel.pid_max", "net.ipv4.ip_forward"}


def _settings(evidence: _Evidence) -> dict[str, Sysctl]:
    """The settings by their names; of two values the first one stands."""
    settings: dict[str, Sysctl] = {}
    dumped = [setting for dump in evidence.sysctls for setting in dump.settings]
    for setting in [*dumped, *told_settings(evidence.engine)]:
        known = settings.setdefault(setting.name, Sysctl(value=setting.value, span=setting.span))
        # Others, such as counters of the kernel, differ from one moment to the next.
        if known.value != setting.value and setting.name.startswith("net."):
            reason = f"{setting.name} differs from {known.span}, which is analysed instead"
            evidence.gaps.append(Gap(setting.span, setting.value, reason))
    return settings


def _by_name(evidence: _Evidence) -> tuple[Network, ...] | None:
    """Each network once, by its id, in the order of their names; of two that differ the first one stands."""
    if evidence.networks is None:
        return None
    known: dict[str, Network] = {}
    for network in evidence.networks:
        first = known.setdefault(network.id or network.name, network)
        if first is not network and _facts(first) != _facts(network):
            reason = f"network {network.name} differs from {first.span_of('Name')}, which is analysed instead"
            evidence.gaps.append(Gap(network.span_of("Name"), network.name, reason))
    return tuple(sorted(known.values(), key=lambda network: (network.name, network.id)))


def _facts(network: Network) -> object:
    """What a network is, wherever that is stated."""
    return network.model_dump(exclude={"spans": True, "endpoints": {"__all__": {"span"}}})


def _read(document: Document, kind: Kind, evidence: _Evidence) -> None:
    match kind:
        case Kind.IPTABLES:
            dump = parse_dump(document)
            evidence.dumps.append((document.name, dump))
            evidence.gaps += dump.gaps
        case Kind.NETWORKS | Kind.CONTAINERS:
            _read_inspected(document, evidence)
        case Kind.SYSCTL:
            sysctls = parse_sysctl(document)
            evidence.sysctls.append(sysctls)
            evidence.gaps += sysctls.gaps
        case Kind.NFTABLES:
            evidence.listings = [*(evidence.listings or ()), parse_nftables(document)]
        case Kind.INTERFACES:
            _add_interfaces(*parse_interfaces(document), evidence)
        case Kind.INTERFACES_JSON:
            _add_interfaces(*read_interfaces(parse_json(document)), evidence)
        case Kind.ROUTES:
            _add_routes(*parse_routes(document), evidence)
        case Kind.ROUTES_JSON:
            _add_routes(*read_routes(parse_json(document)), evidence)
        case Kind.ENGINE:
            _add_engine(*parse_engine(document), evidence)
        case Kind.ENGINE_JSON:
            _add_engine(*read_engine(parse_json(document)), evidence)
        case Kind.DAEMON:
            settings, gaps = read_daemon_file(parse_json(document))
            evidence.daemon.append(settings)
            evidence.gaps += gaps
        case Kind.PROCESSES:
            evidence.daemon += parse_processes(document)
        case Kind.UNIT:
            told = parse_unit(document)
            evidence.daemon += [] if told is None else [told]
        case Kind.IPSETS:
            _add_sets(*parse_sets(document), evidence)
        case Kind.MODULES:
            _add_modules(*parse_modules(document), evidence)
        case Kind.UFW:
            shown, gaps = parse_ufw(document)
            evidence.ufw += [] if shown is None else [lower_ufw(shown)]
            evidence.gaps += gaps
        case Kind.FIREWALLD:
            parts, gaps = parse_firewalld(document)
            evidence.firewalld = (evidence.firewalld or []) + [lower_firewalld(part) for part in parts]
            evidence.gaps += gaps
        case Kind.CUT_INSPECT:
            _read_cut(document, evidence)
        case Kind.BROKEN_JSON:
            parse_json(document)
        case Kind.UNKNOWN:
            evidence.gaps.append(Gap(document.whole_span(), document.name, NOT_KNOWN))
        case Kind.EMPTY | Kind.NOT_READ | Kind.TRANSCRIPT | Kind.DIFF | Kind.MANIFEST:
            pass


def _add_engine(shown: Iterable[Shown], gaps: Iterable[Gap], evidence: _Evidence) -> None:
    evidence.engine += shown
    evidence.gaps += gaps


def _add_sets(shown: Iterable[ShownSet], gaps: Iterable[Gap], evidence: _Evidence) -> None:
    lowered = [lower_set(one) for one in shown]
    evidence.ipsets = (evidence.ipsets or []) + [one for one, _ in lowered]
    evidence.gaps += [*gaps, *(gap for _, more in lowered for gap in more)]


def _add_modules(shown: Iterable[ShownModule], gaps: Iterable[Gap], evidence: _Evidence) -> None:
    modules = [Module(name=one.name, users=frozenset(one.users), span=one.span) for one in shown]
    evidence.modules = (evidence.modules or []) + modules
    evidence.gaps += gaps


def _add_interfaces(shown: Iterable[ShownInterface], gaps: Iterable[Gap], evidence: _Evidence) -> None:
    found = list(shown)
    lowered = [lower_interface(interface) for interface in found]
    # `ip link` and `bridge link` show no addresses, which says nothing of what addresses the host has.
    if any(interface.addresses for interface in found):
        evidence.interfaces = (evidence.interfaces or []) + [interface for interface, _ in lowered]
    evidence.ports = (evidence.ports or []) + [port for port in map(lower_port, found) if port is not None]
    evidence.switches += [switch for switch in map(lower_switch, found) if switch is not None]
    evidence.gaps += [*gaps, *(gap for _, more in lowered for gap in more)]


def _add_routes(shown: Iterable[ShownRoute], gaps: Iterable[Gap], evidence: _Evidence) -> None:
    lowered = [lower_route(route) for route in shown]
    evidence.routes = (evidence.routes or []) + [route for route in lowered if isinstance(route, Route)]
    evidence.gaps += [*gaps, *(gap for gap in lowered if isinstance(gap, Gap))]


def _read_cut(document: Document, evidence: _Evidence) -> None:
    """Networks of which something was taken out, as far as they are certain."""
    before = evidence.networks
    cuts: list[Gap] = []
    for found in recover(document):
        try:
            value = InspectedNetwork.model_validate(found.value)
        except ValidationError:
            value = None
        said = f"network {value.Name} is cut" if value else "a network is cut, and its name with it"
        if value is not None and shows_its_interface(value, found.lost):
            network, gaps = lower_network(Inspected(value, found.spans), found.lost | document.changed)
            evidence.networks = [*(evidence.networks or []), network]
            evidence.gaps += gaps
            said = f"{said}, and {', '.join(sorted(found.lost))} may be missing"
        else:
            said = f"{said}; it is left out, as nothing shows its interface"
        if found.gap is not None:
            cuts.append(replace(found.gap, reason=said))
    if evidence.networks is before:
        # Nothing of it is of use; this says where it ends.
        parse_json(document)
    evidence.gaps += cuts


def _read_inspected(document: Document, evidence: _Evidence) -> None:
    text = parse_json(document)
    found = read_inspected(text)
    evidence.gaps += [*text.gaps, *found.gaps]
    if found.networks:
        networks = [lower_network(network, document.changed) for network in found.networks]
        evidence.networks = (evidence.networks or []) + [network for network, _ in networks]
        evidence.gaps += [gap for _, gaps in networks for gap in gaps]
    # Every engine has networks, and a host may well have no container.
    if found.containers or text.value == []:
        containers = [lower_container(container) for container in found.containers]
        evidence.containers = (evidence.containers or []) + [container for container, _ in containers]
        evidence.gaps += [gap for _, gaps in containers for gap in gaps]
