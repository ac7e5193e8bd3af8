"""The host's machine and its surroundings, before an engine is started.

The host has ``eth0``. At its other end is the LAN, one namespace that is three things: a neighbour, the host's router
and resolver, and a machine beyond. It routes the private ranges to the host, as a careless neighbour or a hostile one
would.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from tests.lab.host import Host, setting
from tests.lab.namespaces import Namespace
from tests.lab.roots import ROOTS, WORK

HOST, HOST6 = "192.0.2.10", "2001:db8:0:1::10"
LAN, LAN6 = "192.0.2.1", "2001:db8:0:1::1"
BEYOND = "198.51.100.7"
CONTAINER_RANGES = ("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8", "fd00::/8", "2001:db8:ff::/48")
"""Where the LAN believes containers to be."""

HOST_NAME = "docker1"


def furnish(engine: str) -> Host:
    """The host of an engine, in this process's namespaces: they must be its own, and so must its process ids."""
    root = _mounted(ROOTS / engine)
    socket.sethostname(HOST_NAME)
    (root / "etc/hostname").write_text(f"{HOST_NAME}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {HOST_NAME}\n")
    (root / "etc/resolv.conf").write_text(f"nameserver {LAN}\n")
    return Host(root)


def _mounted(lower: Path) -> Path:
    """A root file system whose changes are forgotten with the namespaces."""
    scratch = WORK / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "size=6G", "tmpfs", scratch)
    upper, work, root = (scratch / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    _mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay", root)
    _mount("-t", "proc", "proc", root / "proc")
    _mount("-t", "sysfs", "sysfs", root / "sys")
    _mount("--rbind", "/sys/fs/cgroup", root / "sys/fs/cgroup")
    _mount("--rbind", "/dev", root / "dev")
    # The engine's storage cannot lie on an overlay.
    for name in ("run", "tmp", "var/lib/docker"):
        (root / name).mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "tmpfs", root / name)
    return root


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


def connect(host: Host) -> Namespace:
    """Gives the host its network, and returns the LAN's namespace."""
    lan = Namespace.new()
    with lan.entered():
        # The namespace of the lab's first process is the host's.
        _links(host, "link set lo up", "link add lan0 type veth peer name eth0 netns 1")
        setting("net.ipv6.conf.lan0.accept_dad").write_text("0")
        _links(host, *_addresses("lan0", f"{LAN}/24", f"{LAN6}/64"), f"address add {BEYOND}/32 dev lo")
    setting("net.ipv6.conf.eth0.accept_dad").write_text("0")
    _links(host, "link set lo up", *_addresses("eth0", f"{HOST}/24", f"{HOST6}/64"))
    _links(host, f"route add default via {LAN}", f"route add default via {LAN6}")
    with lan.entered():
        _links(host, *(f"route add {r} via {HOST6 if ':' in r else HOST}" for r in CONTAINER_RANGES))
    # Every refusal is to be seen.
    for name in ("net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit"):
        setting(name).write_text("0")
    # As on a fresh machine: then engines set the policy of FORWARD to DROP.
    host.sysctl("net.ipv4.ip_forward", 0)
    return lan


def _addresses(interface: str, ipv4: str, ipv6: str) -> tuple[str, ...]:
    return (
        f"address add {ipv4} dev {interface}",
        f"address add {ipv6} dev {interface} nodad",
        f"link set {interface} up",
    )


def _links(host: Host, *lines: str) -> None:
    host.ask("ip", "-batch", "-", given="".join(f"{line}\n" for line in lines))
