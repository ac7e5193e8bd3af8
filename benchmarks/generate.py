"""Rulesets and hosts of any size, the same on every machine: a profile and a size are all that counts.

``python -m benchmarks.generate docker-1000`` prints one, and without a name the digests of all in `digests.toml`. They
are made after captured ones: the Docker-shaped has lines of the shapes of tests/captures/28.5.2, in their order, the
kube-proxy-shaped those that kube-proxy writes (kubernetes, pkg/proxy/iptables/proxier.go, 1.28).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from math import isqrt
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

SEED = 7
CONTAINERS_PER_RULE = 0.245
"""6,000 containers to 24,490 rules, which leaves about 1.4 published ports for each."""
LINKS_PER_RULE = 0.03
DEAD_PER_RULE = 0.01

Tables = dict[str, dict[str, list[str]]]
"""The rules of each chain of each table, without ``-A CHAIN``."""
BUILT_IN = {"PREROUTING": "ACCEPT", "INPUT": "ACCEPT", "FORWARD": "DROP", "OUTPUT": "ACCEPT", "POSTROUTING": "ACCEPT"}
"""The built-in chains with their policies in table filter; in the others they accept."""


class Dead(str):
    """A rule that was planted where no packet gets to it."""

    __slots__ = ()


# -- Docker ----------------------------------------------------------------


class Bridge(NamedTuple):
    """A bridge network with the addresses of its containers. The first of a host is the default one, ``docker0``."""

    network: str
    id: str
    name: str
    subnet: IPv4Network
    icc: bool
    containers: list[IPv4Address]


class Port(NamedTuple):
    """A published port; ``host`` is None where it is published on all addresses, and else the only one."""

    bridge: str
    address: IPv4Address
    protocol: str
    port: int
    host: IPv4Address | None
    host_port: int


class Host(NamedTuple):
    """What Docker makes its rules of. ``links`` are clients and servers on the default network, as no other has any."""

    bridges: list[Bridge]
    links: list[tuple[IPv4Address, IPv4Address]]
    ports: list[Port]


SERVICES = (("tcp", 80), ("tcp", 443), ("udp", 5353), ("tcp", 8080), ("tcp", 9999))
LOOPBACK = IPv4Address("127.0.0.1")
MOST_HOST_PORTS = 50_000


def docker_host(containers: int, rules: int) -> Host:
    """A host of so many containers whose dump has so many rules, or more where its networks alone make more."""
    random = Random(SEED)
    bridges = _bridges(random, containers, rules)
    links = _links(random, bridges[0].containers, int(rules * LINKS_PER_RULE))
    # 7 rules there are once, and 8 or 9 for each network.
    own = 7 + sum(8 if bridge.icc else 9 for bridge in bridges)
    return Host(bridges, links, list(_ports(random, bridges, max(rules - own - containers - 2 * len(links), 0))))


def _bridges(random: Random, containers: int, rules: int) -> list[Bridge]:
    bridges = [_bridge(random, number) for number in range(max(2, isqrt(rules) // 3))]
    for number in range(containers):
        bridge = bridges[number % len(bridges)]
        bridge.containers.append(bridge.subnet[len(bridge.containers) + 2])
    return bridges


def _bridge(random: Random, number: int) -> Bridge:
    name = f"{random.getrandbits(256):064x}"
    if not number:
        return Bridge("bridge", name, "docker0", IPv4Network("172.17.0.0/16"), icc=False, containers=[])
    subnet = IPv4Network((int(IPv4Address("10.0.0.0")) + (number << 12), 20))
    return Bridge(f"net{number}", name, f"br-{name[:12]}", subnet, icc=random.random() < 0.75, containers=[])


def _links(random: Random, ends: list[IPv4Address], count: int) -> list[tuple[IPv4Address, IPv4Address]]:
    links: dict[tuple[IPv4Address, IPv4Address], None] = {}
    while len(links) < min(count, len(ends) * (len(ends) - 1) // 2):
        client, server = random.sample(ends, 2)
        if (server, client) not in links:
            links[client, server] = None
    return list(links)


def _ports(random: Random, bridges: list[Bridge], rules: int) -> Iterator[Port]:
    """Published ports of so many rules: two for each, and a third for one on loopback, which makes the number odd."""
    places = [(bridge.name, address) for bridge in bridges for address in bridge.containers]
    random.shuffle(places)
    for number in range(rules // 2):
        turn, place = divmod(number, len(places))
        protocol, port = SERVICES[turn] if turn < len(SERVICES) else ("tcp", 10_000 + turn)
        block, host_port = divmod(number, MOST_HOST_PORTS)
        host = IPv4Address("198.18.0.1") + block if rules // 2 > MOST_HOST_PORTS else None
        host = LOOPBACK if not number and rules % 2 else host
        yield Port(*places[place], protocol, port, host, 10_000 + host_port)


def docker_tables(host: Host) -> Tables:
    """The rules that Docker 28.5 makes for a host, in its order."""
    raw = [f"-d {address}/32 ! -i {bridge.name} -j DROP" for bridge in host.bridges for address in bridge.containers]
    on_loopback = [port for port in host.ports if port.host == LOOPBACK]
    raw += [f"-d {LOOPBACK}/32 ! -i lo {_asks(port.protocol, port.host_port)} -j DROP" for port in on_loopback]
    newest_first = [(bridge.name, bridge.subnet) for bridge in reversed(host.bridges)]
    nat = {
        "PREROUTING": ["-m addrtype --dst-type LOCAL -j DOCKER"],
        "INPUT": [],
        "OUTPUT": ["! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"],
        "POSTROUTING": [f"-s {subnet} ! -o {name} -j MASQUERADE" for name, subnet in newest_first],
        "DOCKER": [*(f"-i {name} -j RETURN" for name, _ in newest_first), *map(_translation, host.ports)],
    }
    return {"raw": {"PREROUTING": raw, "OUTPUT": []}, "filter": docker_filter(host), "nat": nat}


def docker_filter(host: Host) -> dict[str, list[str]]:
    """Table filter of a host."""
    names = [bridge.name for bridge in host.bridges]
    stages = ["-j DOCKER-CT", "-j DOCKER-ISOLATION-STAGE-1", "-j DOCKER-BRIDGE"]
    return {
        "INPUT": [],
        "FORWARD": ["-j DOCKER-USER", "-j DOCKER-FORWARD"],
        "OUTPUT": [],
        "DOCKER": [
            *map(_opening, reversed(host.ports)),
            *(f"! -i {name} -o {name} -j DROP" for name in names),
            *(rule for link in host.links for rule in _link_rules(*link)),
        ],
        "DOCKER-BRIDGE": [f"-o {name} -j DOCKER" for name in names],
        "DOCKER-CT": [f"-o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" for name in names],
        "DOCKER-FORWARD": [*stages, *(rule for bridge in host.bridges for rule in _forwarding(bridge))],
        "DOCKER-ISOLATION-STAGE-1": [f"-i {name} ! -o {name} -j DOCKER-ISOLATION-STAGE-2" for name in names],
        "DOCKER-ISOLATION-STAGE-2": [f"-o {name} -j DROP" for name in reversed(names)],
        "DOCKER-USER": [],
    }


def _forwarding(bridge: Bridge) -> list[str]:
    if bridge.icc:
        return [f"-i {bridge.name} -j ACCEPT"]
    return [f"-i {bridge.name} -o {bridge.name} -j DROP", f"-i {bridge.name} ! -o {bridge.name} -j ACCEPT"]


def _opening(port: Port) -> str:
    asked = _asks(port.protocol, port.port)
    return f"-d {port.address}/32 ! -i {port.bridge} -o {port.bridge} {asked} -j ACCEPT"


def _translation(port: Port) -> str:
    host = f"-d {port.host}/32 " if port.host else ""
    asked = _asks(port.protocol, port.host_port)
    return f"{host}! -i {port.bridge} {asked} -j DNAT --to-destination {port.address}:{port.port}"


def _link_rules(client: IPv4Address, server: IPv4Address) -> Iterator[str]:
    for source, destination, side in ((client, server, "dport"), (server, client, "sport")):
        yield f"-s {source}/32 -d {destination}/32 -i docker0 -o docker0 {_asks('tcp', 80, side)} -j ACCEPT"


def _asks(protocol: str, port: int, side: str = "dport") -> str:
    return f"-p {protocol} -m {protocol} --{side} {port}"


def docker(rules: int) -> Tables:
    return docker_tables(docker_host(int(rules * CONTAINERS_PER_RULE), rules))


def closed(rules: int) -> Tables:
    """The same, where an administrator's two rules stand before all that accepts on the default network."""
    tables = docker(rules)
    halves = IPv4Network("172.17.0.0/16").subnets()
    tables["filter"]["DOCKER-USER"] += [f"-s {half} -i docker0 -o docker0 -j DROP" for half in halves]
    return tables


# -- kube-proxy ------------------------------------------------------------

MOST_NODE_PORTS = 2768
"""They begin at 30000 and end at 32767."""


def kube(rules: int) -> Tables:
    """About so many rules of services of one to five endpoints, the tenth part of them with a node port."""
    random = Random(SEED)
    portals = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    nat: dict[str, list[str]] = {
        "PREROUTING": [portals],
        "INPUT": [],
        "OUTPUT": [portals],
        "POSTROUTING": ['-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'],
        "KUBE-MARK-MASQ": ["-j MARK --set-xmark 0x4000/0x4000"],
        "KUBE-NODEPORTS": [],
        "KUBE-POSTROUTING": [
            "-m mark ! --mark 0x4000/0x4000 -j RETURN",
            "-j MARK --set-xmark 0x4000/0x0",
            '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
        ],
        "KUBE-SERVICES": [],
    }
    left = rules - 8
    number, pod = 0, IPv4Address("10.128.0.2")
    while left >= 20:
        pods = [pod + more for more in range(random.randint(1, 5))]
        left -= _service(nat, random, number, pods)
        number, pod = number + 1, pods[-1] + 1
    last = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    nat["KUBE-SERVICES"].append(f'-m comment --comment "{last}" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS')
    return {"nat": nat}


def _service(nat: dict[str, list[str]], random: Random, number: int, pods: list[IPv4Address]) -> int:
    """Adds a service, and tells of how many rules it is."""
    name, service = f"ns{number // 20}/svc-{number}:http", f"KUBE-SVC-{_hash(random)}"
    address = IPv4Address("10.96.0.1") + number
    asked = f'-d {address}/32 -p tcp -m comment --comment "{name} cluster IP" -m tcp --dport 80'
    nat["KUBE-SERVICES"].append(f"{asked} -j {service}")
    nat[service] = [f"! -s 10.128.0.0/9 {asked} -j KUBE-MARK-MASQ"]
    for chosen_of, pod in zip(range(len(pods), 0, -1), pods, strict=True):
        chance = f"-m statistic --mode random --probability {1 / chosen_of:.11f} " if chosen_of > 1 else ""
        endpoint = f"KUBE-SEP-{_hash(random)}"
        nat[service].append(f'-m comment --comment "{name} -> {pod}:8080" {chance}-j {endpoint}')
        nat[endpoint] = [
            f'-s {pod}/32 -m comment --comment "{name}" -j KUBE-MARK-MASQ',
            f'-p tcp -m comment --comment "{name}" -m tcp -j DNAT --to-destination {pod}:8080',
        ]
    port, rest = divmod(number, 10)
    if rest or port >= MOST_NODE_PORTS:
        return 2 + 3 * len(pods)
    external = service.replace("SVC", "EXT")
    asked = f'-p tcp -m comment --comment "{name}" -m tcp --dport {30_000 + port}'
    nat["KUBE-NODEPORTS"].append(f"{asked} -j {external}")
    masquerade = f'-m comment --comment "masquerade traffic for {name} external destinations" -j KUBE-MARK-MASQ'
    nat[external] = [masquerade, f"-j {service}"]
    return 5 + 3 * len(pods)


def _hash(random: Random) -> str:
    return "".join(random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))


def mix(rules: int) -> Tables:
    """A node of both: three parts of Docker's rules and two of kube-proxy's."""
    tables = docker(rules * 3 // 5)
    for chain, bodies in kube(rules * 2 // 5)["nat"].items():
        tables["nat"].setdefault(chain, []).extend(bodies)
    return tables


# -- dead rules ------------------------------------------------------------


def dead(rules: int) -> Tables:
    """The filter table of a host of Docker, of so many rules, one of a hundred of them planted where it is dead."""
    random = Random(SEED)
    bridges = _bridges(random, rules // 4, rules)
    ports = list(_ports(random, bridges, 2 * rules))
    planted = [_planted(random, number, ports[number]) for number in range(round(rules * DEAD_PER_RULE))]
    own = 5 + sum(6 if bridge.icc else 7 for bridge in bridges)
    groups = [[_opening(port)] for port in ports[: rules - own - sum(map(len, planted))]]
    for number, group in enumerate(planted):
        # Behind the rule that it may be a copy of.
        groups[random.randrange(number, len(groups))] += group
    filtering = docker_filter(Host(bridges, [], []))
    filtering["DOCKER"][:0] = [rule for group in groups for rule in group]
    return {"filter": filtering}


def _planted(random: Random, number: int, port: Port) -> list[str]:
    """One dead rule, behind the live ones that cover it; two of five are covered by the opening of a port."""
    on = f"! -i {port.bridge} -o {port.bridge}"
    # Addresses that no container has, each once.
    subnet = IPv4Network((int(IPv4Address("100.64.0.0")) + (number << 8), 24))
    to = f"-d {subnet[1]}/32"
    match number % 5:
        case 0:
            return [Dead(_opening(port))]
        case 1:
            return [Dead(f"-s 203.0.113.7/32 {_opening(port)}")]
        case 2:
            middle = random.randint(1, 65534)
            halves = (f"0:{middle}", f"{middle + 1}:65535")
            covers = [f"{to} {on} -p tcp -m tcp --dport {half} -j ACCEPT" for half in halves]
            return [*covers, Dead(f"{to} {on} -p tcp -j ACCEPT")]
        case 3:
            return [*(f"-d {half} {on} -j DROP" for half in subnet.subnets()), Dead(f"-d {subnet} {on} -j DROP")]
        case _:
            # The chain is called for packets to bridges only.
            return [Dead(f"{to} -o eth0 -j ACCEPT")]


# -- text ------------------------------------------------------------------

PROFILES: Mapping[str, Callable[[int], Tables]] = {p.__name__: p for p in (docker, closed, kube, mix, dead)}


def lines(tables: Tables) -> Iterator[str]:
    """The dump of some tables as iptables-save of the nft variant prints it; planted rules stay `Dead`."""
    when = "Mon Nov 23 00:07:18 2026"
    for table, chains in tables.items():
        yield f"# Generated by iptables-save v1.8.9 (nf_tables) on {when}"
        yield f"*{table}"
        policies = BUILT_IN if table == "filter" else dict.fromkeys(BUILT_IN, "ACCEPT")
        ordered = [*(name for name in chains if name in BUILT_IN), *sorted(chains.keys() - BUILT_IN.keys())]
        yield from (f":{name} {policies.get(name, '-')} [0:0]" for name in ordered)
        yield from (type(body)(f"-A {name} {body}") for name in ordered for body in chains[name])
        yield "COMMIT"
        yield f"# Completed on {when}"


def networks(host: Host) -> str:
    """What ``docker network inspect`` prints of a host's bridges: a captured one with what differs put in its place."""
    captured = Path(__file__).parent.parent / "samples" / "28.5.2" / "icc-off" / "networks.json"
    like = next(one for one in json.loads(captured.read_text()) if one["Driver"] == "bridge")
    random = Random(SEED)
    return json.dumps([like | _inspected(random, bridge, like["Options"]) for bridge in host.bridges], indent=4) + "\n"


def _inspected(random: Random, bridge: Bridge, options: dict[str, str]) -> dict[str, Any]:
    prefix = "com.docker.network.bridge."
    own = {f"{prefix}enable_icc": "true" if bridge.icc else "false"}
    return {
        "Name": bridge.network,
        "Id": bridge.id,
        "IPAM": {"Driver": "default", "Options": {}, "Config": [_pool(bridge.subnet)]},
        "Containers": {
            f"{random.getrandbits(256):064x}": {
                "Name": f"c{int(address)}",
                "EndpointID": f"{random.getrandbits(256):064x}",
                "MacAddress": ":".join(f"{byte:02x}" for byte in (0x02, 0x42, *address.packed)),
                "IPv4Address": f"{address}/{bridge.subnet.prefixlen}",
                "IPv6Address": "",
            }
            for address in bridge.containers
        },
        "Options": options | own if bridge.name == "docker0" else own,
    }


def _pool(subnet: IPv4Network) -> dict[str, str]:
    return {"Subnet": str(subnet), "Gateway": str(subnet[1])}


def rules_of(containers: int) -> int:
    """How many rules the Docker-shaped ruleset has that so many containers are of."""
    return -(-containers * 1000 // 245)


def text(name: str) -> str:
    """The text of ``PROFILE-SIZE``: a size is a number of rules, and that of ``networks`` one of containers.

    The networks belong to the Docker-shaped ruleset of `rules_of` them.
    """
    profile, _, size = name.partition("-")
    if profile == "networks":
        return networks(docker_host(int(size), rules_of(int(size))))
    return "\n".join(lines(PROFILES[profile](int(size)))) + "\n"


def digest(content: bytes) -> str:
    """What tells that a text is the one that was meant."""
    return hashlib.sha256(content).hexdigest()[:32]


SIZES = (100, 1_000, 10_000, 24_490, 100_000, 1_000_000)
CONTAINERS = (2, 50, 600, 5_000, 6_000, 60_000, 250_000)
NAMES = [f"{profile}-{size}" for profile in PROFILES for size in SIZES] + [f"networks-{size}" for size in CONTAINERS]

if __name__ == "__main__":
    sys.stdout.writelines(map(text, sys.argv[1:]))
    if len(sys.argv) == 1:
        print("# The SHA-256 of each text that generate.py makes. `python -m benchmarks.generate` prints this.")
        sys.stdout.writelines(f'{name} = "{digest(text(name).encode())}"\n' for name in NAMES)
