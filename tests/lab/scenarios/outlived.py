"""Rules that outlive what they were for: links, crashes, restarts."""

from __future__ import annotations

from tests.lab.host import CommandError
from tests.lab.lab import Lab
from tests.lab.scenario import scenario
from tests.lab.scenarios.parts import ICC_OFF, ICC_ON, pair, start_containers

# -- links -----------------------------------------------------------------


@scenario("04a-link-target-removed", "web2 was linked to web1 (exposes 80/tcp); web1 has been removed.")
def link_target_removed(lab: Lab) -> None:
    _remove_target(lab)


@scenario(
    "04b-link-target-address-reused",
    "web2 was linked to web1, removed since; 'other', linked to nothing, has web1's address.",
)
def link_target_address_reused(lab: Lab) -> None:
    _take_over(lab, _remove_target(lab))


@scenario(
    "04c-link-client-removed-too",
    "Both ends of the link have been removed; 'other' has web1's address.",
)
def link_client_removed_too(lab: Lab) -> None:
    _take_over(lab, _remove_target(lab))
    lab.host.do("docker", "rm", "-f", "web2")


def _remove_target(lab: Lab) -> str:
    """Links web2 to web1 and removes web1; returns the address that it had."""
    # A small range, so that addresses come round again.
    lab.engine.start("--icc=false", "--fixed-cidr=172.17.0.0/29")
    lab.containers.run("web1", "--expose", "80")
    lab.containers.run("web2", "--link", "web1")
    address = lab.containers.address("web1")
    lab.host.do("docker", "rm", "-f", "web1")
    return address


def _take_over(lab: Lab, address: str) -> None:
    """Starts containers until one is given an address; that one is 'other'."""
    for count in range(8):
        lab.containers.run("other")
        if lab.containers.address("other") == address:
            return
        lab.host.do("docker", "rename", "other", f"filler{count}")
    raise CommandError(f"{address} was not given out again")


# -- crashes and restarts --------------------------------------------------


@scenario(
    "15a-crash-network-lost",
    "Engine killed, bridge deleted, network database lost; 'fresh' (icc on) uses the old subnet.",
)
def crash_network_lost(lab: Lab) -> None:
    lab.engine.start()
    lab.containers.create_network("apps", "--subnet", "172.30.0.0/24", *ICC_OFF)
    lab.containers.run("app1", "--network", "apps", "--expose", "80")
    lab.containers.run("app2", "--network", "apps", "-p", "8080:80")
    bridge = lab.containers.bridge("apps")
    lab.engine.crash()
    lab.host.do("ip", "link", "del", bridge)
    lab.host.do("sh", "-c", "rm -rf /var/lib/docker/network /var/lib/docker/containers/*")
    lab.engine.start()
    lab.containers.create_network("fresh", "--subnet", "172.30.0.0/24", *ICC_ON)
    lab.containers.run("new1", "--network", "fresh", "--expose", "80")
    lab.containers.run("new2", "--network", "fresh")


@scenario(
    "15b-restart-icc-false-to-true",
    "The engine ran with icc off, was stopped and started with icc on.",
)
def restart_icc_false_to_true(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    pair(lab)
    _restart(lab, "--icc=true")


@scenario(
    "15c-restart-icc-true-to-false",
    "The engine ran with icc on, was stopped and started with icc off.",
)
def restart_icc_true_to_false(lab: Lab) -> None:
    lab.engine.start("--icc=true")
    pair(lab)
    _restart(lab, "--icc=false")


def _restart(lab: Lab, *flags: str) -> None:
    lab.engine.stop()
    lab.engine.start(*flags)
    start_containers(lab, "web1", "web2")


@scenario("15d-two-crashes", "icc off; after two kill -9 of engine and containers, same flags.")
def two_crashes(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    pair(lab)
    for _ in range(2):
        lab.engine.crash()
        lab.engine.start("--icc=false")
    start_containers(lab, "web1", "web2")
