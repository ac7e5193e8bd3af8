"""All that a scenario has in its hands."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.containers import Containers
from tests.lab.engine import Engine
from tests.lab.host import Host
from tests.lab.namespaces import Namespace
from tests.lab.world import connect, furnish

VARIANTS = ("nft", "legacy")
"""The variants of iptables that an engine may find."""
BACKENDS = (*VARIANTS, "nftables")
"""What an engine may write its rules with: a variant of iptables, or nftables itself, since 29.0."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A host, the LAN at its other end, an engine that is not started yet, and what containers it is given.

    ``backend`` is one of `BACKENDS`.
    """

    backend: str
    host: Host
    lan: Namespace
    engine: Engine
    containers: Containers


def build(engine: str, backend: str, cgroup: str) -> Lab:
    """A lab in this process's namespaces, which must be its own. Its engine works beneath a cgroup of this name."""
    host = furnish(engine)
    itself = backend not in VARIANTS
    host.use_iptables("nft" if itself else backend)
    # How the machine was set up is no part of the story.
    host.steps.clear()
    lan = connect(host)
    if itself:
        # With nftables an engine does not turn forwarding on itself, and refuses to start without it.
        host.sysctl("net.ipv4.ip_forward", 1)
        host.sysctl("net.ipv6.conf.all.forwarding", 1)
    flags = ("--firewall-backend=nftables",) if itself else ()
    return Lab(backend, host, lan, Engine(host, engine, cgroup, flags), Containers(host))
