"""Inspected networks and containers to the typed representation."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network

from icclint.docker.options import BRIDGE_NAME, DEFAULT_BRIDGE, ENABLE_ICC, parse_bool
from icclint.ir.container import Attachment, Container, PublishedPort
from icclint.ir.network import Address, Endpoint, Network, Subnet
from icclint.parse.inspect import (
    Inspected,
    InspectedAttachment,
    InspectedBinding,
    InspectedContainer,
    InspectedHostConfig,
    InspectedNetwork,
)
from icclint.source import Gap


def lower_network(
    inspected: Inspected[InspectedNetwork], not_shown: frozenset[str] = frozenset()
) -> tuple[Network, list[Gap]]:
    """A network with its endpoints, as far as they are shown. An address that cannot be read is a gap."""
    value = inspected.value
    gaps: list[Gap] = []
    subnets, gateways = _pools(inspected, gaps)
    is_bridge = value.Driver == "bridge"
    network = Network(
        name=value.Name,
        id=value.Id,
        driver=value.Driver,
        scope=value.Scope,
        internal=value.Internal,
        ipv6=value.EnableIPv6,
        bridge=_bridge(value) if is_bridge else None,
        icc=_icc(value, not_shown) if is_bridge else None,
        default_bridge=is_bridge and (parse_bool(value.Options.get(DEFAULT_BRIDGE, "")) or value.Name == "bridge"),
        options=value.Options,
        labels=value.Labels,
        subnets=subnets,
        gateways=gateways,
        endpoints=() if "Containers" in not_shown else _endpoints(inspected, gaps),
        not_shown=not_shown,
        spans=inspected.spans,
    )
    return network, gaps


def lower_container(inspected: Inspected[InspectedContainer]) -> tuple[Container, list[Gap]]:
    """A container with its places on networks and its published ports. What cannot be read is a gap; the rest stays."""
    value = inspected.value
    gaps: list[Gap] = []
    span = inspected.span("Name") or inspected.span()
    assert span is not None
    settings = value.NetworkSettings
    container = Container(
        id=value.Id,
        name=value.Name.lstrip("/"),
        links=_linked(value.HostConfig.Links),
        network_mode=value.HostConfig.NetworkMode,
        exposed=frozenset(settings.Ports),
        raw_sockets=_raw_sockets(value.HostConfig),
        attachments=tuple(_attachment(inspected, name, place, gaps) for name, place in settings.Networks.items()),
        published=tuple(
            published
            for port, bindings in settings.Ports.items()
            for index, binding in enumerate(bindings or ())
            if binding.HostPort
            for published in _published(inspected, port, index, binding, gaps)
        ),
        span=span,
    )
    return container, gaps


def _linked(links: list[str]) -> frozenset[str]:
    """The servers of links, written ``/server:/client/alias`` or ``server:alias`` (moby, daemon/links)."""
    return frozenset(link.partition(":")[0].lstrip("/") for link in links)


def _raw_sockets(stated: InspectedHostConfig) -> bool | None:
    """Whether a container gets NET_RAW, which it does by default (moby, daemon/pkg/oci/caps, TweakCapabilities)."""
    if stated.Privileged:
        return True
    if "CapDrop" not in stated.model_fields_set:
        return None
    added, dropped = (
        {name.upper().removeprefix("CAP_") for name in names} for names in (stated.CapAdd, stated.CapDrop)
    )
    if "ALL" in added:
        return "NET_RAW" not in dropped
    return "NET_RAW" in added or dropped.isdisjoint(("ALL", "NET_RAW"))


def _attachment(
    inspected: Inspected[InspectedContainer], name: str, place: InspectedAttachment, gaps: list[Gap]
) -> Attachment:
    addresses: list[Address] = []
    for key, text in (("IPAddress", place.IPAddress), ("GlobalIPv6Address", place.GlobalIPv6Address)):
        try:
            addresses += [ip_address(text)] if text else []
        except ValueError:
            _unreadable(inspected, ("NetworkSettings", "Networks", name, key), text, gaps)
    leads_out = {4: place.Gateway, 6: place.IPv6Gateway}
    routes = frozenset(family for family, gateway in leads_out.items() if gateway)
    return Attachment(network=name, links=_linked(place.Links), addresses=tuple(addresses), default_routes=routes)


def _published(
    inspected: Inspected[InspectedContainer], key: str, index: int, binding: InspectedBinding, gaps: list[Gap]
) -> Iterator[PublishedPort]:
    port, _, protocol = key.partition("/")
    try:
        # Engines up to 20.10 print 0.0.0.0 where they mean IPv6 too; later ones have a second binding for it, which is
        # the only one where the other family is routed.
        address = ip_address(binding.HostIp) if binding.HostIp not in ("", "0.0.0.0") else None
        yield PublishedPort(
            protocol=protocol or "tcp", host_address=address, host_port=int(binding.HostPort), port=int(port)
        )
    except ValueError:
        _unreadable(inspected, ("NetworkSettings", "Ports", key, index), str(binding.HostIp), gaps)


def shows_its_interface(value: InspectedNetwork, not_shown: frozenset[str]) -> bool:
    """Whether it can be told of which driver a network is, and by what name the host has its bridge."""
    if value.Driver and value.Driver != "bridge":
        return True
    told = "Options" not in not_shown and (bool(value.Id) or value.Name == "bridge")
    return bool(value.Driver) and (told or BRIDGE_NAME in value.Options)


def _bridge(value: InspectedNetwork) -> str:
    return value.Options.get(BRIDGE_NAME) or ("docker0" if value.Name == "bridge" else f"br-{value.Id[:12]}")


def _icc(value: InspectedNetwork, not_shown: frozenset[str]) -> bool | None:
    if ENABLE_ICC not in value.Options and "Options" in not_shown:
        return None
    # The engine refuses other texts when it makes a network, so an unreadable one never was in force.
    return parse_bool(value.Options.get(ENABLE_ICC, "true")) is not False


def _pools(inspected: Inspected[InspectedNetwork], gaps: list[Gap]) -> tuple[tuple[Subnet, ...], tuple[Address, ...]]:
    subnets: list[Subnet] = []
    gateways: list[Address] = []
    for index, pool in enumerate(inspected.value.IPAM.pools):
        for key, text in (("Subnet", pool.Subnet), ("Gateway", pool.Gateway)):
            if not text:
                continue
            try:
                if key == "Subnet":
                    subnets.append(ip_network(text, strict=False))
                else:
                    # With a prefix length for IPv4 up to 1.12, and for IPv6 up to 28.0.
                    gateways.append(ip_address(text.partition("/")[0]))
            except ValueError:
                _unreadable(inspected, ("IPAM", "Config", index, key), text, gaps)
    return tuple(subnets), tuple(gateways)


def _endpoints(inspected: Inspected[InspectedNetwork], gaps: list[Gap]) -> tuple[Endpoint, ...]:
    endpoints = []
    for key, value in inspected.value.Containers.items():
        addresses: list[Address] = []
        for field, text in (("IPv4Address", value.IPv4Address), ("IPv6Address", value.IPv6Address)):
            if not text:
                continue
            try:
                addresses.append(ip_interface(text).ip)
            except ValueError:
                _unreadable(inspected, ("Containers", key, field), text, gaps)
        span = inspected.span("Containers", key, "Name") or inspected.span("Containers", key)
        assert span is not None
        endpoints.append(
            Endpoint(
                name=value.Name or key[:12],
                container=key,
                addresses=tuple(addresses),
                mac=value.MacAddress or None,
                span=span,
            )
        )
    return tuple(sorted(endpoints, key=lambda endpoint: (endpoint.name, endpoint.container)))


def _unreadable(
    inspected: Inspected[InspectedNetwork] | Inspected[InspectedContainer],
    path: tuple[str | int, ...],
    text: str,
    gaps: list[Gap],
) -> None:
    span = inspected.span(*path)
    assert span is not None
    gaps.append(Gap(span, text, "not an address"))
