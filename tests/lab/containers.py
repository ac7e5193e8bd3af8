"""Containers and networks, made and asked for with the engine's own command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.lab.engine import IMAGE
from tests.lab.host import Host

_SLEEP = (IMAGE, "/bin/busybox", "sleep", "86400")


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers and networks of a host whose engine runs."""

    host: Host

    def run(self, name: str, *options: str) -> None:
        """Starts a container that sleeps."""
        self.host.do("docker", "run", "-d", "--name", name, "--hostname", name, *options, *_SLEEP)

    def run_in(self, mode: str, name: str) -> None:
        """Starts a container that sleeps in the network of another, or of the host, which forbids it a host name."""
        self.host.do("docker", "run", "-d", "--name", name, "--network", mode, *_SLEEP)

    def create_network(self, name: str, *options: str) -> None:
        """Creates a network, a bridge unless the options say otherwise."""
        self.host.do("docker", "network", "create", *options, name)

    def try_network(self, name: str, *options: str) -> bool:
        """Creates a network if the engine allows it."""
        return self.host.attempt("docker", "network", "create", *options, name)

    def inspect_all(self) -> list[dict[str, Any]]:
        """What the engine claims of all containers, stopped ones too, by age."""
        identifiers = self.host.ask("docker", "ps", "-aq", "--no-trunc").split()
        found = self._asked("inspect", *identifiers) if identifiers else []
        return sorted(found, key=lambda container: str(container["Created"]))

    def inspect_networks(self) -> list[dict[str, Any]]:
        """What the engine claims of all networks."""
        return self._asked("network", "inspect", *self.host.ask("docker", "network", "ls", "-q", "--no-trunc").split())

    def address(self, name: str) -> str:
        """The IPv4 address of a container in its first network."""
        networks = self._asked("inspect", name)[0]["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def bridge(self, network: str) -> str:
        """The interface of a bridge network."""
        found = bridge_of(self._asked("network", "inspect", network)[0])
        assert found is not None, f"{network} is no bridge network"
        return found

    def _asked(self, *command: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.host.ask("docker", *command))
        return found


def bridge_of(network: dict[str, Any]) -> str | None:
    """The interface of a network as the engine inspects it; None where its driver is another."""
    if network["Driver"] != "bridge":
        return None
    return str((network["Options"] or {}).get("com.docker.network.bridge.name") or f"br-{network['Id'][:12]}")
