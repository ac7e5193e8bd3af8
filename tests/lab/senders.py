"""The near side of probes: what sends them, and hears the answers and errors that come back."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from functools import partial
from struct import pack, unpack_from

from tests.lab.flights import Flights
from tests.lab.probes import Flight, Party
from tests.lab.receivers import ETHERTYPE, FAMILIES
from tests.lab.sockets import READ_OR_WRITE, Loop, address_in
from tests.lab.truth import IcmpError

_ICMP = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_ECHO_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_ECHO_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_UNREACHABLE = {socket.AF_INET: 3, socket.AF_INET6: 1}

# Options by which a socket keeps the ICMP errors that its packets met (ip(7), ipv6(7)), and how it gives them away:
# a struct sock_extended_err, then the address of who sent it.
_KEEP_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_MSG_ERRQUEUE = 0x2000
_OFFENDERS = {2: (socket.AF_INET, slice(20, 24)), 3: (socket.AF_INET6, slice(24, 40))}


class Sender:
    """Sends for one party."""

    def __init__(self, party: Party, loop: Loop, flights: Flights) -> None:
        self._party, self._loop, self._flights = party, loop, flights
        self._icmp: dict[socket.AddressFamily, socket.socket] = {}

    def open(self) -> None:
        """Opens the sockets that it sends ICMP with."""
        with self._party.namespace.entered():
            for family in FAMILIES:
                opened = socket.socket(family, socket.SOCK_RAW, _ICMP[family])
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                self._icmp[family] = opened
                self._loop.watch(opened, partial(self._icmp_came, family))

    def send(self, flight: Flight) -> None:
        """Sends a probe. What its own kernel says against it ends the flight."""
        try:
            match flight.probe.protocol:
                case "l2":
                    self._send_frame(flight)
                case "icmp":
                    self._send_echo(flight)
                case "udp":
                    self._send_datagram(flight)
                case "tcp":
                    self._send_syn(flight)
        except OSError as error:
            self._fail(flight, error.errno)

    # -- sending -----------------------------------------------------------

    def _send_frame(self, flight: Flight) -> None:
        way = flight.probe.way
        assert way.mac is not None
        assert way.interface is not None
        with self._party.namespace.entered():
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        with opened:
            to = (way.interface, ETHERTYPE, 0, 0, bytes.fromhex(way.mac.replace(":", "")))
            opened.sendto(flight.payload.ljust(56, b"."), to)

    def _send_echo(self, flight: Flight) -> None:
        family = flight.probe.way.family
        flight.source_address = self._source(flight)
        head = pack("!BBHHH", _ECHO_REQUEST[family], 0, 0, flight.ident, 1)
        if family == socket.AF_INET:  # the kernel computes ICMPv6's itself
            head = head[:2] + pack("!H", _checksum(head + flight.payload)) + head[4:]
        self._icmp[family].sendto(head + flight.payload, self._destination(flight))

    def _send_datagram(self, flight: Flight) -> None:
        opened = self._open(flight, socket.SOCK_DGRAM)
        opened.connect(self._destination(flight))
        flight.source_address = address_in(opened.getsockname())
        opened.send(flight.payload)
        self._loop.watch(opened, partial(self._datagram_came, flight))

    def _send_syn(self, flight: Flight) -> None:
        opened = self._open(flight, socket.SOCK_STREAM)
        code = opened.connect_ex(self._destination(flight))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")
        flight.source_address = address_in(opened.getsockname())
        self._loop.watch(opened, partial(self._connection_changed, flight), READ_OR_WRITE)

    def _open(self, flight: Flight, kind: socket.SocketKind) -> socket.socket:
        """A socket with the flight's source port."""
        with self._party.namespace.entered():
            opened = flight.socket = socket.socket(flight.probe.way.family, kind)
        opened.setblocking(False)
        opened.setsockopt(*_KEEP_ERRORS[flight.probe.way.family], 1)
        if not flight.probe.source_port:
            opened.bind(("", flight.ident))
            return opened
        # The party itself may listen there.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        flight.source_address = self._source(flight)
        opened.bind((flight.source_address, flight.probe.source_port))
        self._flights.know_ports(flight)
        return opened

    def _source(self, flight: Flight) -> str:
        """The address that the party's routes make it send from."""
        with self._party.namespace.entered(), socket.socket(flight.probe.way.family, socket.SOCK_DGRAM) as opened:
            opened.connect(self._destination(flight))
            return address_in(opened.getsockname())

    def _destination(self, flight: Flight) -> tuple[str, int] | tuple[str, int, int, int]:
        way, port = flight.probe.way, flight.probe.port or 0
        assert way.address is not None
        if way.family == socket.AF_INET:
            return way.address, port
        if way.interface is None:
            return way.address, port, 0, 0
        with self._party.namespace.entered():
            return way.address, port, 0, socket.if_nametoindex(way.interface)

    # -- what comes back ---------------------------------------------------

    def _connection_changed(self, flight: Flight, opened: socket.socket) -> None:
        # Asked for before the errors are read, since reading them clears it.
        code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._read_errors(flight, opened)
        if code:
            self._fail(flight, code)
            return
        with suppress(OSError):  # not connected yet
            opened.getpeername()
            flight.connected = True
            opened.send(flight.payload)
            self._loop.watch(opened, partial(self._stream_came, flight))

    def _stream_came(self, flight: Flight, opened: socket.socket) -> None:
        try:
            data = opened.recv(256)
        except OSError as error:
            self._fail(flight, error.errno)
            return
        if data:
            flight.answer(_answerer(data))
        else:
            flight.hung_up = True
        self.end(flight)

    def _datagram_came(self, flight: Flight, opened: socket.socket) -> None:
        self._read_errors(flight, opened)
        try:
            flight.answer(_answerer(opened.recv(256)))
            self.end(flight)
        except BlockingIOError:
            if flight.icmp:
                self.end(flight)
        except OSError as error:
            self._fail(flight, error.errno)

    def _read_errors(self, flight: Flight, opened: socket.socket) -> None:
        with suppress(OSError):
            while True:
                _, control, _, _ = opened.recvmsg(256, 512, _MSG_ERRQUEUE)
                for _, _, value in control:
                    _, origin, kind, code = unpack_from("=IBBB", value)
                    if origin in _OFFENDERS:
                        family, where = _OFFENDERS[origin]
                        self._note_error(flight, kind, code, socket.inet_ntop(family, value[where]))

    def _icmp_came(self, family: socket.AddressFamily, opened: socket.socket) -> None:
        with suppress(OSError):
            while True:
                packet, peer = opened.recvfrom(512)
                self._icmp_message(family, _without_header(family, packet), address_in(peer))

    def _icmp_message(self, family: socket.AddressFamily, message: bytes, sender: str) -> None:
        quoted = message[8:]
        if not quoted:
            return
        if message[0] == _UNREACHABLE[family]:
            quoted = _without_header(socket.AF_INET, quoted) if family == socket.AF_INET else quoted[40:]
            flight = self._own_echo(quoted[8:])
            if flight:
                self._note_error(flight, message[0], message[1], sender)
                if flight.icmp:
                    self.end(flight)
        elif message[0] == _ECHO_REPLY[family]:
            flight = self._own_echo(quoted)
            if flight:
                flight.replied = True
                # Nobody hears what reaches the host itself.
                flight.served = flight.served or flight.probe.way.target == "host"
                self.end(flight)

    def _own_echo(self, payload: bytes) -> Flight | None:
        flight = self._flights.carrying(payload)
        own = flight and flight.probe.protocol == "icmp" and flight.probe.way.source == self._party.name
        return flight if own else None

    def _note_error(self, flight: Flight, kind: int, code: int, sender: str) -> None:
        # The sender's own kernel says by one that no neighbour answered.
        if sender not in self._party.addresses and sender not in (flight.source_address, "0.0.0.0", "::"):
            flight.icmp = IcmpError.model_validate({"type": kind, "code": code, "from": sender})

    def _fail(self, flight: Flight, code: int | None) -> None:
        flight.error = errno.errorcode[code or 0]
        self.end(flight)

    def end(self, flight: Flight) -> None:
        """Nothing more is waited for."""
        flight.ended = True
        if flight.socket is not None:
            self._loop.forget(flight.socket)
            flight.socket = None


def _answerer(data: bytes) -> str:
    return data.removeprefix(b"from ").strip().decode()


def _without_header(family: socket.AddressFamily, packet: bytes) -> bytes:
    """What an IP packet carries; a raw socket gives the header with IPv4 only."""
    return packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET and packet else packet


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(unpack_from(f"!{(len(data) + 1) // 2}H", data + b"\0"))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
