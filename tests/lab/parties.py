"""Who takes part in a measurement, and what the engine and the kernel say of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.lab import world
from tests.lab.containers import bridge_of
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.namespaces import Namespace
from tests.lab.plan import CONTAINER_SERVICES, HOST_SERVICES, LAN_SERVICES
from tests.lab.probes import Party, Service
from tests.lab.truth import Attachment, Bystander, Interface, Participant, Published

Inspected = dict[str, Any]
"""A container or a network as the engine inspects it."""
Links = list[dict[str, Any]]
"""Interfaces as ``ip -j addr`` prints them."""
Facts = dict[str, Participant | Bystander]
"""Containers by name."""


def links(host: Host) -> Links:
    """The interfaces of this thread's namespace."""
    found: Links = json.loads(host.ask("ip", "-j", "addr"))
    return found


def listening(services: Iterable[Service]) -> list[str]:
    """Services as truth.json writes them."""
    return [f"{port}/{protocol}" for protocol, port in services]


def parties(lab: Lab, networks: list[Inspected], containers: list[Inspected]) -> tuple[list[Party], Facts]:
    """Everybody who can send and get packets, and the facts of all containers."""
    found = [
        Party("host", Namespace.own(), HOST_SERVICES, _addresses(links(lab.host))),
        Party("lan", lab.lan, LAN_SERVICES, frozenset((world.LAN, world.LAN6, world.BEYOND))),
    ]
    facts: Facts = {}
    for container in containers:
        name, namespace = _name(container), _own_namespace(container)
        if namespace is None:
            facts[name] = Bystander(**_common(container, {}))
            continue
        with namespace.entered():
            interfaces = links(lab.host)
        found.append(Party(name, namespace, CONTAINER_SERVICES, _addresses(interfaces)))
        facts[name] = _participant(container, networks, interfaces)
    return found, facts


def _name(container: Inspected) -> str:
    return str(container["Name"]).removeprefix("/")


def _addresses(interfaces: Links) -> frozenset[str]:
    return frozenset(address["local"] for link in interfaces for address in link["addr_info"])


def _own_namespace(container: Inspected) -> Namespace | None:
    mode, process = container["HostConfig"]["NetworkMode"], container["State"]["Pid"]
    if not process or mode == "host" or mode.startswith("container:"):
        return None
    return Namespace(Path(f"/proc/{process}/ns/net"))


def _participant(container: Inspected, networks: list[Inspected], interfaces: Links) -> Participant:
    return Participant(
        **_common(container, _attachments(container, networks, interfaces)),
        listening=listening(CONTAINER_SERVICES),
        interfaces={link["ifname"]: _interface(link) for link in interfaces if link["ifname"] != "lo"},
        published=list(_published(container["NetworkSettings"]["Ports"] or {})),
    )


def _common(container: Inspected, networks: dict[str, Attachment]) -> dict[str, Any]:
    return {
        "id": container["Id"],
        "image_exposes": sorted(container["Config"].get("ExposedPorts") or {}),
        "network_mode": container["HostConfig"]["NetworkMode"],
        "running": container["State"]["Running"],
        "networks": networks,
    }


def _interface(link: dict[str, Any]) -> Interface:
    addresses = [f"{address['local']}/{address['prefixlen']}" for address in link["addr_info"]]
    return Interface(mac=link.get("address"), addresses=addresses)


def _published(ports: dict[str, Any]) -> Iterable[Published]:
    for port, bindings in sorted(ports.items()):
        number, _, protocol = port.partition("/")
        for binding in bindings or []:
            if binding["HostPort"]:
                host_port = int(binding["HostPort"])
                yield Published(host_ip=binding["HostIp"], host_port=host_port, port=int(number), proto=protocol)


def _attachments(container: Inspected, networks: list[Inspected], interfaces: Links) -> dict[str, Attachment]:
    by_id = {network["Id"]: network for network in networks}
    ends = container["NetworkSettings"]["Networks"] or {}
    return {name: _attachment(end, by_id.get(end["NetworkID"]), interfaces) for name, end in ends.items()}


def _attachment(end: Inspected, network: Inspected | None, interfaces: Links) -> Attachment:
    claimed = (end["IPAddress"], end["GlobalIPv6Address"])
    link = _link_of(end, claimed, interfaces)
    addresses = [address["local"] for address in link["addr_info"]] if link else []
    local = [address for address in addresses if address.startswith("fe80:")]
    return Attachment(
        ipv4=claimed[0] or None,
        ipv6=claimed[1] or None,
        gateway=end["Gateway"] or None,
        gateway6=end["IPv6Gateway"] or None,
        mac=link["address"] if link else None,
        interface=link["ifname"] if link else None,
        link_local=local[0] if local else None,
        unclaimed=[address for address in addresses if address not in (*claimed, *local)],
        bridge=bridge_of(network) if network else None,
        driver=network["Driver"] if network else None,
    )


def _link_of(end: Inspected, claimed: tuple[str, str], interfaces: Links) -> dict[str, Any] | None:
    """The interface of a network: by the addresses that the engine claims, else by the MAC."""
    for link in interfaces:
        if any(address["local"] in claimed for address in link["addr_info"]):
            return link
    return next((link for link in interfaces if end["MacAddress"] and link.get("address") == end["MacAddress"]), None)
