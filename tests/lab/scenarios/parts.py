"""Steps that several scenarios are made of."""

from __future__ import annotations

import re
import shlex

from tests.lab.host import NotOnThisEngineError
from tests.lab.lab import Lab

_ICC = "com.docker.network.bridge.enable_icc"
ICC_OFF, ICC_ON = ("-o", f"{_ICC}=false"), ("-o", f"{_ICC}=true")


def option_icc(value: str) -> tuple[str, str]:
    """ICC as a network's option, in some spelling."""
    return "-o", f"{_ICC}={value}"


def label_icc(value: str) -> tuple[str, str]:
    """ICC as a label, which is none of an engine's business."""
    return "--label", f"{_ICC}={value}"


def pair(lab: Lab) -> None:
    """Two containers on the default bridge: web1 exposes 80/tcp, web2 exposes nothing."""
    lab.containers.run("web1", "--expose", "80")
    lab.containers.run("web2")


def apps(lab: Lab) -> None:
    """Two containers on a network of their own that has ICC off."""
    lab.containers.create_network("apps", *ICC_OFF)
    lab.containers.run("app1", "--network", "apps")
    lab.containers.run("app2", "--network", "apps")


def start_containers(lab: Lab, *names: str) -> None:
    """Starts containers that stopped with their engine."""
    lab.host.do("docker", "start", *names)


def forward_policy(lab: Lab, policy: str) -> None:
    """Sets the policy of FORWARD by hand."""
    lab.host.iptables("-P", "FORWARD", policy)


def rules_by_hand(lab: Lab, *rules: str) -> None:
    """Gives iptables some arguments, one call each."""
    for rule in rules:
        lab.host.iptables(*shlex.split(rule))


def delete_icc_rules(lab: Lab, bridge: str) -> None:
    """Deletes by hand every rule that keeps the containers of a bridge apart."""
    found = icc_rules(lab.host.ask("iptables", "-w", "-S"), bridge)
    if not found:
        raise NotOnThisEngineError(f"no rule keeps the containers of {bridge} apart")
    rules_by_hand(lab, *(f"-D {rule}" for rule in found))


def icc_rules(dump: str, bridge: str) -> list[str]:
    """The rules in the output of ``iptables -S`` that keep the containers of a bridge apart, chain first."""
    return re.findall(rf"^-A (\S+ -i {bridge} -o {bridge}(?: .*)? -j (?:DROP|REJECT))$", dump, re.MULTILINE)
