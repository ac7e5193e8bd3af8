"""The outputs of ip addr and ip route, as text and as JSON, and what routing makes of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.packets.effect import Effect
from icclint.packets.judgement import Extent
from icclint.packets.routing import Routing
from icclint.packets.verdict import Verdict
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap

ADDR = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether ba:f0:a6:a8:21:4b brd ff:ff:ff:ff:ff:ff link-netnsid 0
    inet 192.0.2.10/24 brd 192.0.2.255 scope global eth0
       valid_lft forever preferred_lft forever
    inet6 2001:db8::10/64 scope global
       valid_lft forever preferred_lft forever
3: wg0: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 qdisc noqueue state UNKNOWN group default qlen 1000
    link/none
    inet 10.8.0.2 peer 10.8.0.1/32 scope global wg0
       valid_lft forever preferred_lft forever
5: veth7e137f4@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master docker0 state UP group default
    link/ether 42:6f:fb:ab:89:5e brd ff:ff:ff:ff:ff:ff link-netnsid 2
"""
ROUTES = """\
default via 192.0.2.1 dev eth0
default via 192.0.2.2 dev eth1 metric 200
10.0.0.0/8 dev wg0 scope link
10.9.0.0/16 via 192.0.2.9 dev eth0
10.9.9.0/24 dev eth1 metric 50
10.9.9.0/24 dev eth0 metric 20
blackhole 10.66.0.0/16
2001:db8::/64 dev eth0 proto kernel metric 256 pref medium
default dev wg0 metric 1024 pref medium
"""


def host_of(**documents: str) -> tuple[Host, tuple[Gap, ...]]:
    made = [Document(name, text.encode()) for name, text in documents.items()]
    return lower_host("host", [(document, kind_of(document)) for document in made])


def test_each_is_told_by_its_content() -> None:
    assert kind_of(Document("a", ADDR.encode())) is Kind.INTERFACES
    assert kind_of(Document("b", ROUTES.encode())) is Kind.ROUTES


def test_interfaces_keep_their_addresses_and_their_bridge() -> None:
    host, gaps = host_of(addr=ADDR)
    assert not gaps
    shown = {interface.name: interface for interface in host.interfaces or ()}
    assert [str(address) for address in shown["eth0"].addresses] == ["192.0.2.10/24", "2001:db8::10/64"]
    # The prefix of a point-to-point address is the peer's.
    assert [str(address) for address in shown["wg0"].addresses] == ["10.8.0.2/32"]
    assert shown["veth7e137f4"].master == "docker0"


@pytest.mark.parametrize(
    ("address", "kind", "interface"),
    [
        ("192.0.2.10", "local", None),
        ("127.0.0.5", "local", None),
        ("198.51.100.1", "forward", "eth0"),
        ("10.1.2.3", "forward", "wg0"),
        ("10.9.1.1", "forward", "eth0"),
        ("10.9.9.9", "forward", "eth0"),
        ("10.66.1.1", "none", None),
        ("2001:db8::99", "forward", "eth0"),
        ("2001:db8::10", "local", None),
        ("2001:db8:1::1", "forward", "wg0"),
    ],
)
def test_the_longest_prefix_and_then_the_least_metric_win(address: str, kind: str, interface: str | None) -> None:
    host, gaps = host_of(addr=ADDR, route=ROUTES)
    assert not gaps
    to = ip_address(address)
    way = Routing(host, to.version).decide(int(to))
    assert (way.kind, way.interface) == (kind, interface)


def test_without_routes_the_way_out_is_supposed_and_says_so() -> None:
    host, _ = host_of(addr=ADDR)
    way = Routing(host, 4).decide(int(ip_address("198.51.100.1")))
    assert way.assumption is not None
    assert way.assumption.capture_with == "ip addr; ip route"


def test_a_line_that_is_none_of_theirs_is_a_gap() -> None:
    _, gaps = host_of(addr=ADDR + 'Object "adr" is unknown, try "ip help".\n', route=ROUTES + "RTNETLINK answers: no\n")
    assert [(gap.span.document, gap.reason) for gap in gaps] == [
        ("addr", "not a line that ip addr, ip link or bridge link prints"),
        ("route", "not a line that ip route prints"),
    ]


def test_text_and_json_of_this_machine_say_the_same() -> None:
    def printed(*words: str) -> str:
        return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout

    if shutil.which("ip") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs iproute2")
    text, _ = host_of(addr=printed("addr"), route=printed("route"))
    coded, _ = host_of(addr=printed("-j", "addr"), route=json.dumps(json.loads(printed("-j", "route"))))
    assert [(i.name, i.master, i.addresses) for i in text.interfaces or ()] == [
        (i.name, i.master, i.addresses) for i in coded.interfaces or ()
    ]
    assert [(r.destination, r.interface, r.metric) for r in text.routes or ()] == [
        (r.destination, r.interface, r.metric) for r in coded.routes or ()
    ]


DOCUMENTS = Path(__file__).parent / "documents"
OUTPUTS = ("ip-d-link.txt", "ip-d-addr.txt", "ip-d-link.json", "bridge-d-link.txt", "bridge-d-link.json")


@pytest.mark.parametrize("engine", ["20.10.24", "26.1.5", "28.5.2"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_ports_keep_their_bridge_and_their_settings(engine: str, name: str) -> None:
    text = (DOCUMENTS / engine / name).read_text()
    host, gaps = host_of(ports=text)
    assert not gaps
    ports = host.bridge_ports
    assert ports is not None
    assert len(ports) == 2
    assert {port.bridge for port in ports} == {"docker0"}
    assert {port.isolated for port in ports} == {False}
    # As each engine was told: without docker-proxy a container reaches itself by the host's address.
    assert {port.hairpin for port in ports} == {engine != "20.10.24"}
    for port in ports:
        assert port.name in text.splitlines()[port.span.line - 1]
    shown = () if name.startswith("bridge") else ("docker0",)
    assert tuple(switch.bridge for switch in host.bridge_switches if not switch.families) == shown


@pytest.mark.parametrize("name", ["ip-d-link.txt", "ip-d-link.json", "bridge-link.txt", "bridge-d-link.json"])
def test_links_say_nothing_of_addresses(name: str) -> None:
    links = (DOCUMENTS / "28.5.2" / name).read_text()
    host, _ = host_of(links=links)
    assert host.interfaces is None
    host, gaps = host_of(addr=ADDR, links=links)
    assert not gaps
    assert [interface.name for interface in host.interfaces or ()] == ["lo", "eth0", "wg0", "veth7e137f4"]


def test_one_command_may_show_what_another_leaves_out() -> None:
    plain, detailed = ((DOCUMENTS / "26.1.5" / name).read_text() for name in ("bridge-link.txt", "bridge-d-link.txt"))
    alone, _ = host_of(a=plain)
    assert [(port.isolated, port.hairpin) for port in alone.bridge_ports or ()] == [(None, None)] * 2
    both, _ = host_of(a=plain, b=detailed)
    assert [(port.isolated, port.hairpin) for port in both.bridge_ports or ()] == [(False, True)] * 2


def test_the_old_form_of_bridge_link() -> None:
    text = "5: veth1 state UP @eth0: <BROADCAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding priority 32 cost 2 \n"
    host, gaps = host_of(old=text + "    hairpin on guard off root_block off fastleave off learning on flood on \n")
    assert not gaps
    (port,) = host.bridge_ports or ()
    assert (port.name, port.bridge, port.hairpin, port.isolated) == ("veth1", "br0", True, None)


def bridge(ports: str) -> Host:
    """Two containers behind some ports of a bridge whose rules let everything pass."""
    endpoints = {c: {"Name": f"web{c}", "IPv4Address": f"172.30.0.{c}/24"} for c in ("2", "3")}
    network = {
        "Name": "apps",
        "Driver": "bridge",
        "IPAM": {"Config": [{"Subnet": "172.30.0.0/24", "Gateway": "172.30.0.1"}]},
        "Options": {"com.docker.network.bridge.name": "br0"},
        "Containers": endpoints,
    }
    save = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    host, gaps = host_of(networks=json.dumps([network]), save=save, ports=ports)
    assert not gaps
    return host


def ports_of(*isolated: str) -> str:
    return "".join(
        f"{number}: veth{number}@eth0: <BROADCAST,UP> mtu 1500 master br0 state forwarding priority 32 cost 2\n"
        f"    hairpin off guard off isolated {word} locked off\n"
        for number, word in enumerate(isolated, start=3)
    )


@pytest.mark.parametrize(
    ("isolated", "delivered"),
    [
        (("on", "on"), Extent.NONE),
        (("on", "on", "on"), Extent.NONE),
        # Which port is whose is not told, but two that are isolated may be those of a pair.
        (("on", "on", "off"), Extent.UNKNOWN),
        (("on", "off"), Extent.ALL),
        (("off", "off"), Extent.ALL),
        (("on",), Extent.ALL),
    ],
)
def test_isolated_ports_stop_what_no_rule_stops(isolated: tuple[str, ...], delivered: Extent) -> None:
    effect = Effect(bridge(ports_of(*isolated)))
    (network,) = effect.host.bridges
    judgement = effect.within(network, 4)
    assert judgement.extent(Verdict.DELIVERED) is delivered
    for share in judgement.shares(Verdict.DROPPED):
        assert effect.trace(share).verdict is Verdict.DROPPED
        assert share.decision.span is not None
        assert share.decision.span.document == "ports"
        assert bool(set(share.assumptions) - set(judgement.standing)) is (delivered is Extent.UNKNOWN)
