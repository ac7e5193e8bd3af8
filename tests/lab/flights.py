"""The probes that are in the air."""

from __future__ import annotations

import re

from tests.lab.probes import Flight, Probe

# Below the ports that kernels choose by themselves, as they do for docker-proxy.
_FIRST, _LAST = 20000, 32767
_PAYLOAD = re.compile(rb"icclint:(\d+) ")

Ports = tuple[str | None, int | None, str | None, int | None]
"""Source address and port, destination address and port."""


class Flights:
    """All flights that have not landed, by what tells one from the others at the far side."""

    def __init__(self) -> None:
        self._next = _FIRST
        self._by_ident: dict[int, Flight] = {}
        self._by_ports: dict[Ports, Flight] = {}

    def launch(self, probe: Probe) -> Flight:
        """A new flight. Numbers come round late, so that no flow repeats one that conntrack still knows."""
        flight = Flight(probe, self._next)
        self._next = _FIRST if self._next == _LAST else self._next + 1
        self._by_ident[flight.ident] = flight
        return flight

    def know_ports(self, flight: Flight) -> None:
        """Knows a flight by its ports too, whose source port is not its number."""
        self._by_ports[_ports(flight)] = flight

    def land(self, flight: Flight) -> None:
        """Whatever is heard of it from now on comes too late."""
        del self._by_ident[flight.ident]
        self._by_ports.pop(_ports(flight), None)

    def carrying(self, payload: bytes) -> Flight | None:
        """The flight of a payload."""
        found = _PAYLOAD.match(payload)
        return self._by_ident.get(int(found[1])) if found else None

    def opening(self, ports: Ports) -> Flight | None:
        """The flight of a TCP packet, which carries nothing yet."""
        flight = self._by_ident.get(ports[1] or 0) or self._by_ports.get(ports)
        return flight if flight and flight.probe.protocol == "tcp" else None


def _ports(flight: Flight) -> Ports:
    probe = flight.probe
    return flight.source_address, probe.source_port, probe.way.address, probe.port
