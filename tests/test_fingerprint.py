"""Fingerprints: one thing wrong keeps its own through an ordinary redeploy, and another thing has another."""

from __future__ import annotations

import json

import pytest
from icclint_rules import RULES

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.fingerprint import Identity, lasting_name
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.kind import kind_of
from icclint.source import Document
from tests.captured import NAMES, capture, host
from tests.redeployed import Redeploy


def fingerprints(found: Capture) -> list[str]:
    return sorted(finding.fingerprint for finding in check([found], RULES).findings)


@pytest.mark.parametrize("name", NAMES)
def test_a_redeploy_leaves_every_fingerprint_as_it_was(name: str) -> None:
    assert fingerprints(Redeploy(capture(name)).redeployed) == fingerprints(capture(name))


def test_a_redeploy_changes_what_it_is_said_to_change() -> None:
    """Otherwise the test above would compare a capture with itself."""
    name = "28.5.2/18e-multiport-iprange"
    before = {document.name: document.text for document, _ in capture(name).documents}
    after = {document.name: document.text for document, _ in Redeploy(capture(name)).redeployed.documents}
    assert "--src-range 172.17.0.2-172.17.0.2 --dst-range 172.17.0.3-172.17.0.9" in before["iptables-save.txt"]
    assert "--src-range 172.81.0.3-172.81.0.3 --dst-range 172.81.0.2-172.81.0.8" in after["iptables-save.txt"]
    assert '"Name": "bridge"' in after["networks.json"]
    identifiers = [line for line in before["networks.json"].splitlines() if '"Id"' in line]
    assert identifiers
    assert not any(line in after["networks.json"] for line in identifiers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-d 172.17.0.2/32 ! -i docker0 -j DROP", "-d <container:web1> ! -i <bridge:bridge> -j DROP"),
        ("-j DNAT --to-destination 172.17.0.2:80", "-j DNAT --to-destination <container:web1>:80"),
        ("--src-range 172.17.0.2-172.17.0.9", "--src-range <container:web1>-<address:bridge>"),
        ("-s 172.17.0.0/16 ! -o docker0", "-s <subnet:bridge> ! -o <bridge:bridge>"),
        ("-i br-0123456789ab -j ACCEPT", "-i <br> -j ACCEPT"),
        ("-m physdev --physdev-in veth0123abc", "-m physdev --physdev-in <veth>"),
        ("-s 203.0.113.7/32 -p tcp --dport 443 -j ACCEPT", "-s 203.0.113.7/32 -p tcp --dport 443 -j ACCEPT"),
        ("-s 172.17.0.128/25 -j DROP", "-s <address:bridge> -j DROP"),
        ("-s 172.17.0.0/12 -j DROP", "-s 172.17.0.0/12 -j DROP"),
        ("-s 10.0.0.0/8 -i br-lan -j ACCEPT", "-s 10.0.0.0/8 -i br-lan -j ACCEPT"),
    ],
)
def test_names_stand_for_what_a_redeploy_changes(text: str, expected: str) -> None:
    assert Identity(host("28.5.2/02-default-icc-false")).canonical(text) == expected


@pytest.mark.parametrize(
    ("name", "lasting"),
    [
        ("shop_web.3.x1f9k2m4n6p8q0r2s4t6v8w0z", "shop_web"),
        ("agent.0a1b2c3d4e5f6g7h8i9j0k1l2.x1f9k2m4n6p8q0r2s4t6v8w0z", "agent"),
        ("shop-web-run-0123456789ab", "shop-web"),
        ("shop_web_run_0123456789ab", "shop_web"),
        ("shop-web-1", "shop-web-1"),
        ("db.1.backup", "db.1.backup"),
        ("dry-run-2", "dry-run-2"),
    ],
)
def test_what_swarm_and_compose_add_to_a_name_does_not_count(name: str, lasting: str) -> None:
    assert lasting_name(name) == lasting


@pytest.mark.parametrize(
    "ask", ['-m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00={u32:#x}"', '--bytecode "7,21 1 0 {bpf},6"']
)
def test_the_number_of_an_encrypted_network_does_not_count(ask: str) -> None:
    def of(vni: int) -> str:
        options = {"encrypted": "", "com.docker.network.driver.overlay.vxlanid_list": str(vni)}
        network = {"Name": "apps", "Id": "x", "Driver": "overlay", "IPAM": {}, "Options": options}
        return Identity(told("networks.json", [network])).fingerprint(
            "a-rule", "", (ask.format(u32=vni << 8, bpf=vni),)
        )

    assert of(4097) == of(4101)


def test_a_port_that_nobody_asked_for_does_not_count() -> None:
    def of(port: int) -> str:
        published = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(port)}]}
        container = {
            "Id": "c",
            "Name": "/web",
            "State": {"Running": True},
            "HostConfig": {"NetworkMode": "bridge"},
            "NetworkSettings": {"Ports": published, "Networks": {}},
        }
        rule = f"-A DOCKER -p tcp -m tcp --dport {port} -j DNAT"
        return Identity(told("containers.json", [container])).fingerprint("a-rule", "container web", (rule,))

    assert of(32768) == of(49153)
    assert of(8080) != of(8081)


def told(name: str, value: list[object]) -> Host:
    document = Document(name, json.dumps(value).encode())
    found, gaps = lower_host("host", [(document, kind_of(document))])
    assert not gaps
    return found
