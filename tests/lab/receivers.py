"""The far side of probes: listeners in every party's namespace, and ears that hear what reaches a namespace at all."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from struct import pack, unpack_from

from tests.lab.flights import Flights
from tests.lab.probes import Flight, Party
from tests.lab.sockets import Loop, address_in

ETHERTYPE = 0x88B5
"""Frames that are neither IP nor ARP, of the type that is for local experiments."""
FAMILIES = (socket.AF_INET, socket.AF_INET6)

_EVERYTHING = 3
_IP_PKTINFO = 8  # Python has no name for it before 3.14
_ECHO_REQUESTS = {socket.IPPROTO_ICMP: b"\x08", socket.IPPROTO_ICMPV6: b"\x80"}
_SYN, _ACK = 2, 16


class Receiver:
    """Receives for one party."""

    def __init__(self, party: Party, loop: Loop, flights: Flights) -> None:
        self._party, self._loop, self._flights = party, loop, flights

    def open(self) -> None:
        """Opens its sockets."""
        with self._party.namespace.entered():
            for protocol, port in self._party.services:
                for family in FAMILIES:
                    self._listen(protocol, port, family)
            # On the host, what comes in may be for anybody, so only listeners tell what is for the host.
            if not self._party.is_host:
                heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING))
                heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
                self._loop.watch(heard, self._hear)

    def _listen(self, protocol: str, port: int, family: socket.AddressFamily) -> None:
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        if protocol == "tcp":
            listener.listen(1024)
            self._loop.watch(listener, self._accept)
            return
        if family == socket.AF_INET:
            listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self._loop.watch(listener, self._receive)

    @property
    def _greeting(self) -> bytes:
        return b"from %s\n" % self._party.name.encode()

    # -- listeners ---------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, peer = listener.accept()
                self._loop.watch(connection, partial(self._serve, address_in(peer)))

    def _serve(self, peer: str, connection: socket.socket) -> None:
        with suppress(OSError):  # whoever connected may have given up
            flight = self._flights.carrying(connection.recv(256))
            if flight:
                flight.serve(self._party, peer)
                connection.send(self._greeting)
        self._loop.forget(connection)

    def _receive(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                data, control, _, peer = listener.recvmsg(256, 256)
                flight = self._flights.carrying(data)
                if flight:
                    flight.serve(self._party, address_in(peer))
                    with suppress(OSError):  # there may be no way back
                        listener.sendmsg([self._greeting], [_same_address(*part) for part in control], 0, peer)

    # -- ears --------------------------------------------------------------

    def _hear(self, heard: socket.socket) -> None:
        with suppress(OSError):
            while True:
                packet, (_, ethertype, direction, *_) = heard.recvfrom(512)
                if direction == socket.PACKET_HOST:
                    self._heard(ethertype, packet)

    def _heard(self, ethertype: int, packet: bytes) -> None:
        if ethertype == ETHERTYPE:
            self._sight(self._flights.carrying(packet), None)
        elif ethertype == 0x0800 and len(packet) >= 20:
            addresses = packet[12:16], packet[16:20]
            self._heard_ip(socket.AF_INET, packet[9], addresses, packet[(packet[0] & 15) * 4 :])
        elif ethertype == 0x86DD and len(packet) >= 40:
            self._heard_ip(socket.AF_INET6, packet[6], (packet[8:24], packet[24:40]), packet[40:])

    def _heard_ip(
        self, family: socket.AddressFamily, protocol: int, addresses: tuple[bytes, bytes], body: bytes
    ) -> None:
        source, destination = (socket.inet_ntop(family, address) for address in addresses)
        if destination not in self._party.addresses:
            return
        if protocol == socket.IPPROTO_TCP and len(body) >= 14 and body[13] & (_SYN | _ACK) == _SYN:
            source_port, port = unpack_from("!HH", body)
            self._sight(self._flights.opening((source, source_port, destination, port)), source)
        elif protocol == socket.IPPROTO_UDP or _ECHO_REQUESTS.get(protocol) == body[:1]:
            self._sight(self._flights.carrying(body[8:]), source)

    def _sight(self, flight: Flight | None, source: str | None) -> None:
        if flight and flight.probe.way.target == self._party.name:
            flight.sight(source)


def _same_address(level: int, kind: int, value: bytes) -> tuple[int, int, bytes]:
    """The control message that makes an answer come from the address that was asked, as a careful server does."""
    if level == socket.IPPROTO_IP:
        # The interface is the kernel's to choose.
        return level, kind, pack("=I", 0) + value[4:8] + bytes(4)
    return level, kind, value
