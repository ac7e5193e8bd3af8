"""All that a scenario has in its hands."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.containers import Containers
from tests.lab.engine import Engine
from tests.lab.host import Host
from tests.lab.namespaces import Namespace
from tests.lab.world import connect, furnish

BACKENDS = ("nft", "legacy")
"""The variants of iptables that an engine may find."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A host, the LAN at its other end, an engine that is not started yet, and what containers it is given.

    ``backend`` is the variant of iptables that the engine finds.
    """

    backend: str
    host: Host
    lan: Namespace
    engine: Engine
    containers: Containers


def build(engine: str, backend: str, cgroup: str) -> Lab:
    """A lab in this process's namespaces, which must be its own. Its engine works beneath a cgroup of this name."""
    host = furnish(engine)
    host.use_iptables(backend)
    # How the machine was set up is no part of the story.
    host.steps.clear()
    lan = connect(host)
    return Lab(backend, host, lan, Engine(host, engine, cgroup), Containers(host))
