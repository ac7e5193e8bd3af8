"""All documents of one capture to one host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from icclint.ir.container import Container
from icclint.ir.host import Host, NativeTable, Sysctl
from icclint.ir.network import Network
from icclint.lower.network import lower_container, lower_network
from icclint.lower.ruleset import lower_dumps
from icclint.parse.inspect import read_containers, read_networks
from icclint.parse.iptables import Dump, parse_dump
from icclint.parse.json import JsonError, parse_json
from icclint.parse.kind import Kind
from icclint.parse.nftables import parse_nftables
from icclint.parse.sysctl import SysctlDump, parse_sysctl
from icclint.source import Document, Gap


@dataclass
class _Evidence:
    """What has been read so far. A kind of which no document was found stays None."""

    dumps: list[tuple[str, Dump]] = field(default_factory=list)
    networks: list[Network] | None = None
    containers: list[Container] | None = None
    sysctls: list[SysctlDump] = field(default_factory=list)
    native_tables: list[NativeTable] | None = None
    gaps: list[Gap] = field(default_factory=list)


def lower_host(name: str, documents: Iterable[tuple[Document, Kind]]) -> tuple[Host, tuple[Gap, ...]]:
    """The host that some documents tell of, and the gaps in them. What one document lacks spoils no other."""
    evidence = _Evidence()
    for document, kind in documents:
        _read(document, kind, evidence)
    rulesets = lower_dumps(evidence.dumps)
    sysctls = {s.name: Sysctl(value=s.value, span=s.span) for dump in evidence.sysctls for s in dump.settings}
    host = Host(
        name=name,
        rulesets=rulesets.rulesets,
        networks=None if evidence.networks is None else _by_name(evidence.networks),
        containers=None if evidence.containers is None else tuple(evidence.containers),
        sysctls=sysctls if evidence.sysctls else None,
        # `sysctl -a` prints hundreds of settings of the kernel itself; a choice of a few says nothing of the others.
        all_sysctls="kernel.hostname" in sysctls or "kernel.pid_max" in sysctls,
        native_tables=None if evidence.native_tables is None else tuple(evidence.native_tables),
        legacy_warning=rulesets.legacy_warning,
    )
    gaps = {*evidence.gaps, *rulesets.gaps}
    return host, tuple(sorted(gaps, key=lambda gap: (gap.span, gap.reason)))


def _by_name(networks: list[Network]) -> tuple[Network, ...]:
    """Each network once, by its id, in the order of their names."""
    known = {network.id or network.name: network for network in reversed(networks)}
    return tuple(sorted(known.values(), key=lambda network: (network.name, network.id)))


def _read(document: Document, kind: Kind, evidence: _Evidence) -> None:
    evidence.gaps += document.undecodable()
    match kind:
        case Kind.IPTABLES:
            dump = parse_dump(document)
            evidence.dumps.append((document.name, dump))
            evidence.gaps += dump.gaps
        case Kind.NETWORKS | Kind.CONTAINERS:
            _read_json(document, kind, evidence)
        case Kind.SYSCTL:
            settings = parse_sysctl(document)
            evidence.sysctls.append(settings)
            evidence.gaps += settings.gaps
        case Kind.NFTABLES:
            tables = [NativeTable(family=t.family, name=t.name, span=t.span) for t in parse_nftables(document)]
            evidence.native_tables = (evidence.native_tables or []) + tables
        case Kind.BROKEN_JSON:
            try:
                parse_json(document)
            except JsonError as error:
                evidence.gaps.append(error.gap)
        case Kind.UNKNOWN:
            evidence.gaps.append(
                Gap(
                    document.whole_span(),
                    document.name,
                    "not a kind of document that icclint knows",
                    whole=True,
                )
            )
        case Kind.NOT_READ:
            pass


def _read_json(document: Document, kind: Kind, evidence: _Evidence) -> None:
    text = parse_json(document)
    evidence.gaps += text.gaps
    if kind is Kind.CONTAINERS:
        containers, gaps = read_containers(text)
        evidence.containers = (evidence.containers or []) + [lower_container(c) for c in containers]
    else:
        networks, gaps = read_networks(text)
        lowered = [lower_network(network) for network in networks]
        evidence.networks = (evidence.networks or []) + [network for network, _ in lowered]
        gaps += [gap for _, more in lowered for gap in more]
    evidence.gaps += gaps
