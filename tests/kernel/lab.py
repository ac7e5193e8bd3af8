"""A host in a network namespace, with bridges and containers around it, that packets are really sent through.

Nothing outside of namespaces that this module makes is touched. They have no names: the kernel takes them away with
the last file descriptor, however a run ends.

Containers have no addresses: they send bytes and see bytes, and their kernels answer nothing. The host has fixed
neighbours and forwarding entries, so no packet but those of a volley is ever on a wire, and the host's own errors.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from pathlib import Path
from struct import pack, unpack_from
from typing import Any

from icclint.ir.host import Host
from icclint.ir.ruleset import BUILT_IN_CHAINS
from icclint.lower.host import lower_host
from icclint.packets.packet import Packet
from icclint.parse.kind import Kind
from icclint.source import Document
from tests.kernel.conntrack import first_state
from tests.kernel.frames import MOST, answered, arrived, ends, fragments, frame

VARIANTS = ("nft", "legacy")
FAMILIES = (4, 6)
HOOKS = {
    "raw": ("PREROUTING",),
    "mangle": ("PREROUTING", "FORWARD", "POSTROUTING"),
    "nat": ("PREROUTING", "POSTROUTING"),
    "filter": ("FORWARD",),
    "security": ("FORWARD",),
}
"""The chains that a forwarded packet meets, by table."""

_TOOL = {4: "iptables", 6: "ip6tables"}
_BRIDGE_SWITCHES = ("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables")
_SWITCH_OF_A_BRIDGE = {4: "nf_call_iptables", 6: "nf_call_ip6tables"}
_CAPTURED = (*_BRIDGE_SWITCHES, "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/rp_filter")
_MODULES = {"br_netfilter": "/proc/sys/net/bridge", "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max"}
"""What may have to be loaded, and the settings that it brings."""
_CLONE_NEWNET = 0x40000000
_MTU = 65535


def unusable() -> str | None:
    """Why no lab can be made here; None where one can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    tools = [
        "ip",
        "bridge",
        "ipset",
        *(f"{_TOOL[f]}-{v}-{what}" for f in FAMILIES for v in VARIANTS for what in ("save", "restore")),
    ]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    for module, settings in _MODULES.items():
        if not Path(settings).exists() and shutil.which("modprobe"):
            subprocess.run(["modprobe", module], check=False, capture_output=True)
        if not Path(settings).exists():
            return f"the kernel has no {module}"
    try:
        Namespace().close()
    except OSError as error:
        return f"no network namespace can be made: {error}"
    return None


class Namespace:
    """A network namespace. The code of a ``with`` block, and the programs that it starts, run inside."""

    def __init__(self) -> None:
        with _coming_back():
            _system_call("unshare", _CLONE_NEWNET)
            self.descriptor = _own_namespace()
        self.path = f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Runs a block inside."""
        with _coming_back():
            _system_call("setns", self.descriptor, _CLONE_NEWNET)
            yield

    def close(self) -> None:
        """Gives it back to the kernel."""
        os.close(self.descriptor)


@contextmanager
def _coming_back() -> Iterator[None]:
    before = _own_namespace()
    try:
        yield
    finally:
        _system_call("setns", before, _CLONE_NEWNET)
        os.close(before)


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _system_call(name: str, *arguments: int) -> None:
    # Python has these in os since 3.12 only.
    if getattr(_LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Station:
    """One end of packets: a container, or the world outside. ``port`` is its cable's other end, in the host."""

    name: str
    interface: str
    port: str
    mac: bytes
    addresses: dict[int, tuple[int, ...]] = field(hash=False)

    @property
    def bridged(self) -> bool:
        """Whether its cable ends in a bridge."""
        return self.port != self.interface


def _station(name: str, interface: str, port: str, last: int, *addresses: str) -> Station:
    parsed = [ip_address(address) for address in addresses]
    return Station(
        name,
        interface,
        port,
        bytes((2, 0, 0, 0, 0, last)),
        {f: tuple(int(a) for a in parsed if a.version == f) for f in FAMILIES},
    )


A = _station("a", "br0", "port-a", 0xA, "172.30.0.2", "172.30.0.70", "fd00:30::2", "fd00:30::7:2")
B = _station("b", "br0", "port-b", 0xB, "172.30.0.3", "172.30.0.131", "fd00:30::3", "fd00:30::8:3")
C = _station("c", "br1", "port-c", 0xC, "172.31.0.2", "172.31.0.200", "fd00:31::2", "fd00:31::9:2")
WORLD = _station("world", "eth0", "eth0", 0xE, "192.0.2.2", "192.0.2.99", "2001:db8::2", "2001:db8::99")
STATIONS = (A, B, C, WORLD)
SERVED = (53, 80, 8080)
"""UDP ports that the host listens on: what comes there is taken without an answer."""

GATEWAYS = {
    "br0": ("172.30.0.1/24", "fd00:30::1/64"),
    "br1": ("172.31.0.1/24", "fd00:31::1/64"),
    "eth0": ("192.0.2.1/24", "2001:db8::1/64"),
}
"""The host's own addresses, by its interfaces."""
HOST = _station("host", "", "", 0, *(text.partition("/")[0] for texts in GATEWAYS.values() for text in texts))
_GATEWAY_MACS = {name: bytes((2, 0, 0, 0, 1, i)) for i, name in enumerate(GATEWAYS)}


def _network(bridge: str) -> dict[str, object]:
    pools = [
        {"Subnet": str(ip_interface(text).network), "Gateway": text.partition("/")[0]} for text in GATEWAYS[bridge]
    ]
    options = {"com.docker.network.bridge.name": bridge}
    return {"Name": bridge, "Driver": "bridge", "EnableIPv6": True, "IPAM": {"Config": pools}, "Options": options}


@dataclass(frozen=True, slots=True)
class Route:
    """The way from one station to another: bridged, or by the host as router."""

    source: Station
    destination: Station
    bridged: bool = False


ROUTES = (
    Route(A, B, bridged=True),
    Route(B, A, bridged=True),
    Route(A, C),
    Route(C, B),
    Route(C, WORLD),
    Route(A, B),
    Route(A, WORLD),
    Route(WORLD, C),
)


HOST_ROUTES = (
    Route(A, HOST),
    Route(C, HOST),
    Route(WORLD, HOST),
    Route(HOST, B),
    Route(HOST, WORLD),
    Route(HOST, HOST),
)


@dataclass(frozen=True, slots=True, repr=False)
class Probe:
    """A packet and the way that it is sent.

    ``embedded`` is what an ICMP error quotes. A ``fragmented`` packet is sent in two parts, and not seen to arrive.
    """

    route: Route
    packet: Packet
    embedded: bytes = b""
    fragmented: bool = False

    def __repr__(self) -> str:
        return f"<{self.route.source.name} to {self.route.destination.name}: {self.packet.describe()}>"


def probe(route: Route, family: int, protocol: int, **fields: Any) -> Probe:
    """A packet on some way; what is not given is what the first packet of a flow between these stations has."""
    source, destination = route.source, route.destination
    packet = Packet(
        family=family,
        in_interface=source.interface or None,
        # The host routes what is its own, and what nobody says of where it goes.
        out_interface=destination.interface if source is not HOST and destination is not HOST else None,
        bridged=route.bridged,
        source=fields.pop("source", source.addresses[family][0]),
        destination=fields.pop("destination", destination.addresses[family][0]),
        protocol=protocol,
        in_port=source.port if source.bridged else None,
        out_port=destination.port if route.bridged else None,
        **fields,
    )
    return Probe(route, packet.model_copy(update={"state": fields.get("state", first_state(packet))}))


Place = tuple[str, int]
"""A line of a dump: the document's name, and the line's number."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet as a station saw it."""

    station: Station
    source: int
    destination: int
    destination_port: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the packets of a volley, by their numbers.

    ``arrived`` tells where they were seen besides the host itself, ``answered`` are those that the sender was told of.
    ``counted`` are the packets and bytes by which the counters of each rule and policy rose.
    """

    arrived: dict[int, list[Arrival]]
    answered: frozenset[int]
    counted: dict[Place, tuple[int, int]]


class Lab:
    """The host and its surroundings."""

    def __init__(self) -> None:
        self.host = Namespace()
        self.stations = {station: Namespace() for station in STATIONS}
        self._loaded: dict[tuple[int, str], bool] = {}
        self._sets = ""
        with self.host.entered():
            self._furnish()
            self._conntrack = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
            self._own = {f: socket.socket(_SOCKET_FAMILIES[f], socket.SOCK_RAW, socket.IPPROTO_RAW) for f in FAMILIES}
            self._served = [_listening(family, port) for family in FAMILIES for port in SERVED]
        self._sockets = {station: self._open(station) for station in STATIONS}
        with self.host.entered():
            self._interfaces = _run(["ip", "address"])
            self._routes = _run(["ip", "route"]) + _run(["ip", "-6", "route"])

    def close(self) -> None:
        """Takes everything down."""
        for opened in (self._conntrack, *self._own.values(), *self._served, *self._sockets.values()):
            opened.close()
        for namespace in (self.host, *self.stations.values()):
            namespace.close()

    def load(self, family: int, variant: str, rules: str) -> Host:
        """Makes these the only rules of a family, of both variants, and gives the host as a capture tells of it."""
        for other in VARIANTS:
            if other != variant and self._loaded.pop((family, other), False):
                self._restore(family, other, "")
        return self.add(family, variant, rules)

    def add(self, family: int, variant: str, rules: str) -> Host:
        """Like `load`, but the other variant keeps what it has."""
        self._restore(family, variant, rules)
        self._loaded[family, variant] = True
        return self._lowered(self._dumps(family))

    @contextmanager
    def without_bridge_netfilter(self) -> Iterator[None]:
        """Runs a block while bridged frames do not meet the tables."""
        with self.host.entered():
            _settings(dict.fromkeys(_BRIDGE_SWITCHES, 0))
        try:
            yield
        finally:
            with self.host.entered():
                _settings(dict.fromkeys(_BRIDGE_SWITCHES, 1))

    @contextmanager
    def with_ports(self, setting: str, *stations: Station) -> Iterator[None]:
        """Runs a block while a setting of some ports is on, by its name in ``bridge link set``."""
        with self.host.entered():
            for station in stations:
                _run(["bridge", "link", "set", "dev", station.port, setting, "on"])
        try:
            yield
        finally:
            with self.host.entered():
                for station in stations:
                    _run(["bridge", "link", "set", "dev", station.port, setting, "off"])

    @contextmanager
    def with_switch(self, bridge: str, family: int) -> Iterator[None]:
        """Runs a block while a bridge hands frames of a family to its tables by its own switch."""
        with self.host.entered():
            _run(["ip", "link", "set", bridge, "type", "bridge", _SWITCH_OF_A_BRIDGE[family], "1"])
        try:
            yield
        finally:
            with self.host.entered():
                _run(["ip", "link", "set", bridge, "type", "bridge", _SWITCH_OF_A_BRIDGE[family], "0"])

    @contextmanager
    def with_sets(self, commands: str) -> Iterator[str]:
        """Runs a block while there are sets of ipset, made by such commands, and gives what ``ipset save`` says.

        No rule stays that asks them.
        """
        with self.host.entered():
            _run(["ipset", "restore"], commands)
            self._sets = _run(["ipset", "save"])
        try:
            yield self._sets
        finally:
            for family, variant in self._loaded:
                self._restore(family, variant, "")
            self._sets = ""
            with self.host.entered():
                # A list lets go of its sets when it is emptied, the kernel of a rule some time after it is gone.
                _run(["ipset", "flush"])
                while subprocess.run(["ipset", "destroy"], capture_output=True, check=False).returncode != 0:
                    time.sleep(0.01)

    def send(self, family: int, probes: Sequence[Probe], *, one_flow: bool = False) -> Outcome:
        """Sends some packets and sees what becomes of them; each is the first of its flow, unless all are of one."""
        assert len(probes) <= MOST
        before = self._counters(family)
        self._receive()
        frames = [_framed(number, probe) for number, probe in enumerate(probes)]
        for number, probe in enumerate(probes):
            if number == 0 or not one_flow:
                self._forget_flows()
            for part in fragments(frames[number]) if probe.fragmented else (frames[number],):
                self._send(probe, part)
        after = self._counters(family)
        # On a busy machine packets may still be on their way, but none stands still for as long as a dump takes.
        while (later := self._counters(family)) != after:
            after = later
        seen = self._receive()
        return Outcome(
            arrived=_arrivals(probes, frames, seen),
            answered=frozenset(n for n, p in enumerate(probes) if n in map(answered, seen.get(p.route.source, ()))),
            counted={p: (packets - before[p][0], octets - before[p][1]) for p, (packets, octets) in after.items()},
        )

    def _send(self, probe: Probe, sent: bytes) -> None:
        if probe.route.source is not HOST:
            self._sockets[probe.route.source].send(sent)
            return
        # What the host's own rules drop, or what has no way, is an error to its sender.
        with suppress(OSError):
            self._own[probe.packet.family].sendto(sent[14:], (str(ip_address(probe.packet.destination)), 0))

    def _forget_flows(self) -> None:
        """Empties the table of connections (libnetfilter_conntrack's flush: a delete without a tuple)."""
        self._conntrack.send(pack("=IHHIIBBH", 20, _DELETE_FLOWS, _REQUEST_ACKNOWLEDGED, 1, 0, 0, 0, 0))
        (error,) = unpack_from("=i", self._conntrack.recv(4096), 16)
        assert error == 0, os.strerror(-error)

    def _furnish(self) -> None:
        _settings(
            {
                "net/ipv4/ip_forward": 1,
                "net/ipv6/conf/all/forwarding": 1,
                **dict.fromkeys(_BRIDGE_SWITCHES, 1),
                # Senders have addresses that the host would not look for at their interfaces.
                "net/ipv4/conf/all/rp_filter": 0,
                "net/ipv4/conf/default/rp_filter": 0,
                # A packet that goes out where it came in is not remarked upon, and REJECT answers however often.
                "net/ipv4/conf/all/send_redirects": 0,
                "net/ipv4/conf/default/send_redirects": 0,
                "net/ipv4/icmp_ratelimit": 0,
                "net/ipv6/icmp/ratelimit": 0,
                "net/ipv4/icmp_echo_ignore_all": 1,
                "net/ipv6/icmp/echo_ignore_all": 1,
                # Reports of multicast groups are over before the first volley.
                "net/ipv6/conf/default/mldv2_unsolicited_report_interval": 1,
                "net/ipv6/conf/default/accept_dad": 0,
                # What conntrack makes of a SCTP header without its CRC is not the question.
                "net/netfilter/nf_conntrack_checksum": 0,
                # Nor are sequence numbers, which hold the numbers of packets here.
                "net/netfilter/nf_conntrack_tcp_be_liberal": 1,
            }
        )
        commands = ["link set lo up"]
        for bridge in ("br0", "br1"):
            commands.append(f"link add {bridge} type bridge stp_state 0 mcast_snooping 0 forward_delay 0")
        for station in STATIONS:
            commands += self._cable(station)
        for name, addresses in GATEWAYS.items():
            # Without a link-local address the host cannot tell a sender of a better way than through itself.
            commands.append(f"link set {name} address {_GATEWAY_MACS[name].hex(':')} mtu {_MTU} addrgenmode none up")
            commands += [
                f"address add {address} dev {name}{' nodad' if ':' in address else ''}" for address in addresses
            ]
        for station in STATIONS:
            for family in FAMILIES:
                commands += [
                    f"neighbour add {ip_address(address)} lladdr {station.mac.hex(':')} dev {station.interface}"
                    for address in station.addresses[family]
                ]
        _run(["ip", "-batch", "-"], "\n".join(commands))
        for station in STATIONS:
            if station.bridged:
                _run(["bridge", "fdb", "replace", station.mac.hex(":"), "dev", station.port, "master", "static"])
                # As engines do where no docker-proxy runs, so that a container reaches what it publishes itself.
                _run(["bridge", "link", "set", "dev", station.port, "hairpin", "on"])

    def _cable(self, station: Station) -> Iterator[str]:
        inside = self.stations[station].path
        yield f"link add {station.port} mtu {_MTU} type veth peer name eth0 mtu {_MTU} netns {inside}"
        if station.bridged:
            yield f"link set {station.port} master {station.interface} up"

    def _open(self, station: Station) -> socket.socket:
        with self.stations[station].entered():
            _settings({"net/ipv6/conf/eth0/disable_ipv6": 1})
            _run(["ip", "link", "set", "eth0", "address", station.mac.hex(":"), "up"])
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_EVERYTHING))
        opened.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 1 << 22)
        opened.bind(("eth0", _EVERYTHING))
        return opened

    def _receive(self) -> dict[Station, list[bytes]]:
        return {station: list(_received(opened)) for station, opened in self._sockets.items()}

    def _restore(self, family: int, variant: str, rules: str) -> None:
        with self.host.entered():
            _run([f"{_TOOL[family]}-{variant}-restore"], _completed(rules))

    def _dumps(self, family: int) -> list[Document]:
        with self.host.entered():
            saved = {v: _run([f"{_TOOL[family]}-{v}-save", "-c"]) for v in VARIANTS if self._loaded.get((family, v))}
        return [Document(f"{_TOOL[family]}-{variant}-save.txt", text.encode()) for variant, text in saved.items()]

    def _counters(self, family: int) -> dict[Place, tuple[int, int]]:
        return {
            (document.name, number): (int(found[1]), int(found[2]))
            for document in self._dumps(family)
            for number, line in enumerate(document.lines, start=1)
            if (found := _COUNTERS.match(line))
        }

    def _lowered(self, dumps: list[Document]) -> Host:
        networks = json.dumps([_network("br0"), _network("br1")])
        with self.host.entered():
            links = _run(["ip", "-d", "link"])
            settings = [f"{name.replace('/', '.')} = {Path('/proc/sys', name).read_text()}" for name in _CAPTURED]
        texts = [("networks.json", networks, Kind.NETWORKS), ("sysctl.txt", "".join(settings), Kind.SYSCTL)]
        texts += [("ip-link.txt", links, Kind.INTERFACES), ("ipset.txt", self._sets, Kind.IPSETS)]
        texts += [("ip-addr.txt", self._interfaces, Kind.INTERFACES), ("ip-route.txt", self._routes, Kind.ROUTES)]
        documents = [(document, Kind.IPTABLES) for document in dumps]
        documents += [(Document(name, text.encode()), kind) for name, text, kind in texts]
        host, gaps = lower_host("lab", documents)
        assert not gaps, gaps
        return host


def _arrivals(
    probes: Sequence[Probe], frames: Sequence[bytes], seen: dict[Station, list[bytes]]
) -> dict[int, list[Arrival]]:
    found: dict[int, list[Arrival]] = {}
    for station, received in seen.items():
        for one in received:
            number = arrived(one, frames)
            if number is not None:
                found.setdefault(number, []).append(Arrival(station, *ends(one, probes[number].packet.protocol)))
    return found


def _listening(family: int, port: int) -> socket.socket:
    opened = socket.socket(_SOCKET_FAMILIES[family], socket.SOCK_DGRAM)
    if family == 6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.bind(("", port))
    return opened


def _framed(number: int, probe: Probe) -> bytes:
    route = probe.route
    towards = route.destination.mac if route.bridged else _GATEWAY_MACS.get(route.source.interface, bytes(6))
    return frame(probe.packet, number, route.source.mac, towards, probe.embedded)


def _completed(rules: str) -> str:
    """Rules in the form of iptables-save, with all tables and built-in chains.

    A table that iptables-restore does not read of stays as it is, and the nft variant counts at no policy of a chain
    that was not declared.
    """
    lines: dict[str, list[str]] = {table: [] for table in HOOKS}
    table = ""
    for line in filter(None, map(str.strip, rules.splitlines())):
        if line.startswith("*"):
            table = line[1:]
        else:
            lines[table].append(line)
    # Connection tracking, and with it the nat table, is at work where a rule asks for it, as on any host of Docker's.
    lines["filter"].append('-A INPUT -m conntrack --ctstate NEW -m comment --comment "idle"')
    text = []
    for name, found in lines.items():
        declared = {line[1:].split()[0] for line in found if line.startswith(":")}
        policies = [f":{chain} ACCEPT [0:0]" for chain in BUILT_IN_CHAINS[name] if chain not in declared]
        text += [f"*{name}", *policies, *found, "COMMIT"]
    return "\n".join(text) + "\n"


_COUNTERS = re.compile(r"(?::\S+ \S+ )?\[(\d+):(\d+)\]")
_SOCKET_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_NETLINK_NETFILTER = 12
_DELETE_FLOWS = 1 << 8 | 2
_REQUEST_ACKNOWLEDGED = 1 | 4
_EVERYTHING = 3
_RCVBUFFORCE = 33


def _received(opened: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            data, address = opened.recvfrom(1 << 17)
        except BlockingIOError:
            return
        if address[2] != socket.PACKET_OUTGOING:
            yield data


def _settings(values: dict[str, int]) -> None:
    for name, value in values.items():
        Path("/proc/sys", name).write_text(str(value))


def _run(command: list[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}\n{text}")
    return done.stdout
