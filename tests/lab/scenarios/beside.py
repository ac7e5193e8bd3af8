"""Docker beside another firewall, or with both variants of iptables."""

from __future__ import annotations

from tests.lab.host import NotOnThisEngineError
from tests.lab.lab import Lab
from tests.lab.scenario import scenario
from tests.lab.scenarios.parts import forward_policy, pair, start_containers

_UFW = """\
*filter
:ufw-before-forward - [0:0]
:ufw-after-forward - [0:0]
:ufw-reject-forward - [0:0]
:ufw-user-forward - [0:0]
:ufw-skip-to-policy-forward - [0:0]
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
:ufw-track-forward - [0:0]
:ufw-logging-deny - [0:0]
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 11 -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 12 -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-skip-to-policy-forward -j DROP
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment "'dapp_OpenSSH'" -j ACCEPT
-A ufw-logging-deny -m conntrack --ctstate INVALID -m limit --limit 3/min --limit-burst 10 -j RETURN
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-after-forward
-A FORWARD -j ufw-reject-forward
-A FORWARD -j ufw-track-forward
COMMIT
"""


@scenario("16a-ufw-before-docker", "Typical ufw chains were there first; icc off; 8080 is not allowed by ufw.")
def ufw_before_docker(lab: Lab) -> None:
    lab.host.sysctl("net.ipv4.ip_forward", 1)
    lab.host.do("iptables-restore", "-n", given=_UFW)
    lab.host.iptables("-P", "INPUT", "DROP")
    forward_policy(lab, "DROP")
    lab.engine.start("--icc=false")
    pair(lab)
    lab.containers.run("web3", "-p", "8080:80")


@scenario(
    "27a-legacy-rules-nft-dump",
    "The engine (icc off) wrote its rules with iptables-legacy; iptables-save is iptables-nft's and shows none. "
    "iptables-legacy-save.txt has them.",
)
def legacy_rules_nft_dump(lab: Lab) -> None:
    _write_legacy_rules(lab)


@scenario(
    "27b-both-backends",
    "The engine wrote its rules (icc off) with iptables-legacy, then was restarted with iptables-nft and icc on; "
    "the legacy rules still drop.",
)
def both_backends(lab: Lab) -> None:
    _write_legacy_rules(lab)
    lab.engine.stop()
    lab.engine.start()
    start_containers(lab, "web1", "web2")


def _write_legacy_rules(lab: Lab) -> None:
    """Starts the engine with the other variant than the one that dumps will be taken with."""
    if lab.backend != "nft":
        raise NotOnThisEngineError("it needs the nft backend")
    lab.host.use_iptables("legacy")
    lab.engine.start("--icc=false")
    pair(lab)
    lab.host.use_iptables("nft")
