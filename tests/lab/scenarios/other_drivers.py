"""Networks of other drivers that claim ICC off by the bridge driver's option."""

from __future__ import annotations

from tests.lab.host import NotOnThisEngineError
from tests.lab.lab import Lab
from tests.lab.scenario import scenario
from tests.lab.scenarios.parts import ICC_OFF
from tests.lab.world import HOST, LAN


@scenario(
    "13a-macvlan",
    "macvlan network created with enable_icc=false (see steps for what the engine said).",
)
def macvlan(lab: Lab) -> None:
    lab.engine.start()
    addresses = ("--subnet", "192.0.2.0/24", "--gateway", LAN, "--ip-range", "192.0.2.128/25")
    options = ("-d", "macvlan", *addresses, "-o", "parent=eth0")
    if not lab.containers.try_network("mac0", *options, *ICC_OFF):
        lab.containers.create_network("mac0", *options)
    lab.containers.run("m1", "--network", "mac0", "--expose", "80")
    lab.containers.run("m2", "--network", "mac0")


@scenario("13b-overlay", "Swarm of one, attachable overlay network created with enable_icc=false.")
def overlay(lab: Lab) -> None:
    lab.engine.start()
    if not lab.host.attempt("docker", "swarm", "init", "--advertise-addr", HOST):
        raise NotOnThisEngineError(lab.host.steps[-1])
    if not lab.containers.try_network("ov0", "-d", "overlay", "--attachable", *ICC_OFF):
        raise NotOnThisEngineError(lab.host.steps[-1])
    lab.containers.run("o1", "--network", "ov0", "--expose", "80")
    lab.containers.run("o2", "--network", "ov0")
