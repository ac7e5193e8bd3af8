"""Rules and kernel settings changed by hand."""

from __future__ import annotations

from tests.lab.host import NotOnThisEngineError
from tests.lab.lab import Lab
from tests.lab.scenario import Scenario, scenario
from tests.lab.scenarios.parts import (
    ICC_OFF,
    apps,
    delete_icc_rules,
    forward_policy,
    pair,
    rules_by_hand,
    start_containers,
)

# -- rules deleted, icc off ------------------------------------------------


@scenario("09a-drop-deleted-policy-drop", "The default bridge's icc rule was deleted by hand; policy DROP.")
def drop_deleted_policy_drop(lab: Lab) -> None:
    _icc_off_twice(lab)
    delete_icc_rules(lab, "docker0")
    forward_policy(lab, "DROP")


@scenario("09b-drop-deleted-policy-accept", "The default bridge's icc rule was deleted by hand; policy ACCEPT.")
def drop_deleted_policy_accept(lab: Lab) -> None:
    _icc_off_twice(lab)
    delete_icc_rules(lab, "docker0")
    forward_policy(lab, "ACCEPT")


@scenario("09c-both-deleted-policy-accept", "The icc rules of docker0 and of apps were deleted; policy ACCEPT.")
def both_deleted_policy_accept(lab: Lab) -> None:
    _icc_off_twice(lab)
    delete_icc_rules(lab, "docker0")
    delete_icc_rules(lab, lab.containers.bridge("apps"))
    forward_policy(lab, "ACCEPT")


def _icc_off_twice(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    lab.containers.create_network("apps", *ICC_OFF)
    pair(lab)
    lab.containers.run("app1", "--network", "apps")
    lab.containers.run("app2", "--network", "apps")


@scenario("09d-flushed-policy-drop", "iptables -F while containers run; policy DROP stays.")
def flushed_policy_drop(lab: Lab) -> None:
    _flush(lab)


@scenario("09e-flushed-policy-accept", "iptables -F and policy ACCEPT while containers run.")
def flushed_policy_accept(lab: Lab) -> None:
    _flush(lab)
    forward_policy(lab, "ACCEPT")


def _flush(lab: Lab) -> None:
    """Flushes the filter table as the script of a firewall would."""
    lab.engine.start("--icc=false")
    pair(lab)
    lab.containers.run("web3", "-p", "8080:80")
    lab.host.iptables("-F")


# -- rules put in, icc off -------------------------------------------------


def _icc_off(name: str, note: str, *rules: str) -> Scenario:
    """A scenario in which rules were put in where ICC is off."""

    @scenario(name, f"icc off. {note}")
    def made(lab: Lab) -> None:
        lab.engine.start("--icc=false")
        pair(lab)
        rules_by_hand(lab, *rules)

    return made


accept_in_docker_user = _icc_off(
    "10a-accept-in-docker-user",
    "ACCEPT for docker0 to docker0 in DOCKER-USER.",
    "-I DOCKER-USER -i docker0 -o docker0 -j ACCEPT",
)
accept_forward_top = _icc_off(
    "10b-accept-forward-top",
    "ACCEPT for docker0 to docker0 at the top of FORWARD.",
    "-I FORWARD -i docker0 -o docker0 -j ACCEPT",
)
accept_one_port = _icc_off(
    "10c-accept-one-port",
    "ACCEPT for one container pair and one port in DOCKER-USER.",
    "-I DOCKER-USER -s 172.17.0.3 -d 172.17.0.2 -p tcp -m tcp --dport 80 -j ACCEPT",
)
accept_appended = _icc_off(
    "10d-accept-appended",
    "ACCEPT appended after Docker's rules: too late.",
    "-A FORWARD -i docker0 -o docker0 -j ACCEPT",
)
accept_established_only = _icc_off(
    "10e-accept-established-only",
    "ACCEPT for established flows only at the top.",
    "-I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
)

# -- bridge netfilter ------------------------------------------------------


@scenario("11a-bridge-nf-off", "Bridged frames do not visit iptables: icc off is claimed, not enforced.")
def bridge_nf_off(lab: Lab) -> None:
    _icc_off_twice(lab)
    lab.host.sysctl("net.bridge.bridge-nf-call-iptables", 0)


@scenario(
    "11b-bridge-nf-off-restarted",
    "icc off with bridge-nf-call-iptables=0, then a restart of the engine; see sysctl.txt for what it did.",
)
def bridge_nf_off_restarted(lab: Lab) -> None:
    _icc_off_twice(lab)
    lab.host.sysctl("net.bridge.bridge-nf-call-iptables", 0)
    lab.engine.stop()
    lab.engine.start("--icc=false")
    start_containers(lab, "web1", "web2", "app1", "app2")


@scenario(
    "11c-bridge-nf-off-icc-true",
    "icc on; bridge-nf-call-iptables was 0 before the engine started.",
)
def bridge_nf_off_icc_true(lab: Lab) -> None:
    _bridge_nf_off_before(lab)


@scenario(
    "11d-bridge-nf-off-then-icc-false-network",
    "bridge-nf-call-iptables was 0 before the engine started with icc on; then a network with icc off was made.",
)
def bridge_nf_off_then_icc_false_network(lab: Lab) -> None:
    _bridge_nf_off_before(lab)
    apps(lab)


def _bridge_nf_off_before(lab: Lab) -> None:
    lab.host.sysctl("net.bridge.bridge-nf-call-iptables", 0)
    lab.engine.start()
    pair(lab)


# -- chains and matches of many shapes, icc on -----------------------------


def _policy_drop(name: str, note: str, *rules: str) -> Scenario:
    """A scenario in which rules were put in where ICC is on and the policy was set to DROP by hand."""

    @scenario(name, f"icc on, policy DROP.{note}")
    def made(lab: Lab) -> None:
        lab.engine.start()
        pair(lab)
        forward_policy(lab, "DROP")
        rules_by_hand(lab, *rules)

    return made


policy_drop_icc_true = _policy_drop("18a-policy-drop-icc-true", "")
custom_chain_drop = _policy_drop(
    "18b-custom-chain-drop",
    " A custom chain drops one port, returns for the rest.",
    "-N GUARD",
    "-A GUARD -p tcp -m tcp --dport 9999 -j DROP",
    "-A GUARD -j RETURN",
    "-I DOCKER-USER -i docker0 -o docker0 -j GUARD",
)
reject = _policy_drop(
    "18d-reject",
    " REJECT with tcp-reset and with an icmp error.",
    "-I DOCKER-USER -i docker0 -o docker0 -p tcp -j REJECT --reject-with tcp-reset",
    "-I DOCKER-USER -i docker0 -o docker0 -p udp -j REJECT --reject-with icmp-host-prohibited",
)
multiport_iprange = _policy_drop(
    "18e-multiport-iprange",
    " multiport and iprange matches.",
    "-I DOCKER-USER -i docker0 -o docker0 -p tcp -m multiport --dports 22,9000:9999 -j DROP",
    "-I DOCKER-USER -m iprange --src-range 172.17.0.2-172.17.0.2 --dst-range 172.17.0.3-172.17.0.9 -p udp -j DROP",
)
mark = _policy_drop(
    "18f-mark",
    " Marked in mangle, dropped by mark in filter.",
    "-t mangle -I PREROUTING -i docker0 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffffffff",
    "-I DOCKER-USER -m mark --mark 0x1 -j DROP",
)
log_only = _policy_drop(
    "18s-log-only",
    " LOG and a rule without target: no verdict.",
    "-I DOCKER-USER -i docker0 -o docker0 -j LOG --log-prefix 'icc: -j DROP '",
    "-I DOCKER-USER -i docker0 -o docker0",
)


# -- rules of nftables itself ----------------------------------------------


@scenario("28-nft-accept-put-in", "icc off. An accept for 80/tcp at the top of docker0's chain in Docker's own table.")
def nft_accept_put_in(lab: Lab) -> None:
    if lab.backend != "nftables":
        raise NotOnThisEngineError("it writes its rules with iptables")
    lab.engine.start("--icc=false")
    pair(lab)
    chain = ("ip", "docker-bridges", "filter-forward-in__docker0")
    lab.host.do("nft", "insert", "rule", *chain, "tcp", "dport", "80", "accept")
