"""Dumps of ipset to sets, and the gaps in them. What sets hold is compared with the kernel in tests/kernel."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from icclint.ir.host import Host
from icclint.ir.ipset import SetMember
from icclint.lower.host import lower_host
from icclint.packets.effect import Effect
from icclint.packets.judgement import Extent
from icclint.packets.verdict import Verdict
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap

DUMPS = Path(__file__).parent / "documents" / "ipset"


def host_of(**documents: str) -> tuple[Host, tuple[Gap, ...]]:
    made = [Document(name, text.encode()) for name, text in documents.items()]
    return lower_host("host", [(document, kind_of(document)) for document in made])


def read(name: str) -> str:
    return (DUMPS / name).read_text()


def members(host: Host, name: str) -> set[SetMember] | None:
    (found,) = [one for one in host.ipsets or () if one.name == name]
    return None if found.members is None else set(found.members)


def net(text: str, *, excluded: bool = False) -> SetMember:
    network = ip_network(text)
    return SetMember(((int(network[0]), int(network[-1])),), excluded=excluded)


@pytest.mark.parametrize("name", ["save.txt", "list.txt"])
def test_both_forms_are_read(name: str) -> None:
    assert kind_of(Document("x", read(name).encode())) is Kind.IPSETS
    host, gaps = host_of(sets=read(name))
    assert not gaps
    assert members(host, "nets") == {
        net("10.0.0.0/8"), net("10.1.0.0/16", excluded=True), net("10.1.2.0/24"), net("1.2.3.4/32"),
    }  # fmt: skip
    assert members(host, "masked") == {net("10.1.2.0/24")}
    assert members(host, "ips6") == {net("fd00::1/128"), net("fd00::2/128")}
    web = (int(ip_address("10.0.0.1")),) * 2
    assert SetMember((web,), 1, 8 * 256) in (members(host, "ipport") or ())
    assert SetMember((web,), 112, 0) in (members(host, "ipport") or ())
    assert {member.port for member in members(host, "ports") or ()} == {80, 90, 91, 92}
    kinds = {one.name: (one.type, one.members is not None, one.sets) for one in host.ipsets or ()}
    # What stands in no table of types stays, unknown.
    assert kinds["all"] == ("hash:net,iface", False, ())
    assert kinds["mac"] == ("bitmap:ip,mac", False, ())
    assert kinds["lst"] == ("list:set", False, ("nets", "ips"))


def test_both_forms_say_the_same() -> None:
    host, gaps = host_of(a=read("save.txt"), b=read("list.txt"))
    assert not gaps
    assert len(host.ipsets or ()) == len({one.name for one in host.ipsets or ()})


def test_a_set_that_two_dumps_tell_differently_is_a_gap() -> None:
    create = "create nets hash:net family inet\n"
    _, gaps = host_of(a=create + "add nets 10.0.0.0/8\n", b=create + "add nets 10.0.0.0/9\n")
    assert [(gap.span.document, gap.text) for gap in gaps] == [("b", "nets")]


HEAD = "Name: nets\nType: hash:net\nRevision: 7\nHeader: family inet hashsize 1024 maxelem 65536\nReferences: 1\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "Number of entries: 4\n", 1),
        (HEAD + "Number of entries: 2\nMembers:\n10.0.0.0/8\n", 1),
        ("create nets hash:net family inet\nadd nets 10.0.0.0/8\nadd nets 10.0.0.0/99\n", 3),
        ("create nets hash:net family inet\nadd nets fd00::/8\n", 2),
        ("create nets hash:net family inet\nadd nets 10.0.0.0/8\nipset: permission denied\n", 3),
    ],
)
def test_what_was_not_shown_or_not_understood_is_a_gap(text: str, line: int) -> None:
    host, gaps = host_of(sets=text)
    assert [gap.span.line for gap in gaps] == [line]
    assert (members(host, "nets") is None) == ("permission" not in text)


NETWORK = """[{"Name": "apps", "Driver": "bridge", "Options": {"com.docker.network.bridge.name": "br0"},
  "IPAM": {"Config": [{"Subnet": "172.30.0.0/24", "Gateway": "172.30.0.1"}]},
  "Containers": {"c2": {"Name": "web", "IPv4Address": "172.30.0.2/24"}, "c3": {"Name": "db",
  "IPv4Address": "172.30.0.3/24"}}}]"""
SAVE = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m set --match-set trusted src -j ACCEPT
COMMIT
"""


@pytest.mark.parametrize(
    ("sets", "delivered"),
    [
        ("create trusted hash:net family inet\nadd trusted 172.30.0.0/16\n", Extent.ALL),
        ("create trusted hash:ip family inet\nadd trusted 172.30.0.3\n", Extent.SOME),
        ("create trusted hash:net family inet\nadd trusted 10.0.0.0/8\n", Extent.NONE),
        ("create trusted hash:net family inet\n", Extent.NONE),
        ("create other hash:net family inet\nadd other 172.30.0.0/16\n", Extent.UNKNOWN),
        ("create trusted hash:mac\nadd trusted 02:00:00:00:00:01\n", Extent.UNKNOWN),
        ("create trusted hash:ip family inet bitmask 255.0.255.0\nadd trusted 172.0.0.0\n", Extent.UNKNOWN),
    ],
)
def test_a_rule_that_asks_a_captured_set_is_answered(sets: str, delivered: Extent) -> None:
    host, gaps = host_of(networks=NETWORK, save=SAVE, sets=sets, sysctl="net.bridge.bridge-nf-call-iptables = 1\n")
    assert not gaps
    effect = Effect(host)
    (network,) = host.bridges
    assert effect.within(network, 4).extent(Verdict.DELIVERED) is delivered


def test_where_rules_change_a_set_a_dump_does_not_tell_what_is_in_it() -> None:
    changed = SAVE.replace("COMMIT", "-A INPUT -j SET --add-set trusted src\nCOMMIT")
    sets = "create trusted hash:net family inet\nadd trusted 10.0.0.0/8\n"
    host, _ = host_of(networks=NETWORK, save=changed, sets=sets, sysctl="net.bridge.bridge-nf-call-iptables = 1\n")
    effect = Effect(host)
    (network,) = host.bridges
    assert effect.within(network, 4).extent(Verdict.DELIVERED) is Extent.UNKNOWN
