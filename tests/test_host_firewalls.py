"""What ufw and firewalld say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap

DOCUMENTS = Path(__file__).parent / "documents"


def host_of(name: str, more: str = "") -> tuple[Host, tuple[Gap, ...]]:
    document = Document(name, ((DOCUMENTS / name).read_text() + more).encode())
    return lower_host("host", [(document, kind_of(document))])


@pytest.mark.parametrize("name", ["verbose", "numbered", "status", "inactive"])
def test_the_status_of_ufw(name: str) -> None:
    host, gaps = host_of(f"ufw/{name}.txt")
    assert not gaps
    assert host.ufw is not None
    assert host.ufw.active is (name != "inactive")
    assert host.ufw.defaults == (
        {"incoming": "deny", "outgoing": "allow", "routed": "disabled"} if name == "verbose" else {}
    )
    assert len(host.ufw.rules) == (0 if name == "inactive" else 7)
    lines = (DOCUMENTS / f"ufw/{name}.txt").read_text().splitlines()
    assert all(rule.text == lines[rule.span.line - 1].strip() for rule in host.ufw.rules)


def test_what_ufw_does_not_print_is_a_gap() -> None:
    host, gaps = host_of("ufw/verbose.txt", "WARN: Duplicate profile 'x', using last found\n")
    assert host.ufw is not None
    assert [gap.text for gap in gaps] == ["WARN: Duplicate profile 'x', using last found"]


def test_zones_of_firewalld_keep_all_that_they_show() -> None:
    host, gaps = host_of("firewalld/zones.txt")
    assert not gaps
    zones = {zone.name: zone for zone in host.firewalld or ()}
    assert len(zones) == 9
    assert {zone.kind for zone in zones.values()} == {"zone"}
    assert [name for name, zone in zones.items() if zone.active] == ["trusted"]
    trusted = zones["trusted"].settings
    assert (trusted["target"], trusted["sources"], trusted["interfaces"]) == (("ACCEPT",), ("10.0.0.0/8",), ())
    assert zones["public"].settings["rich rules"] == ('rule family="ipv4" source address="192.0.2.0/24" accept',)
    assert zones["home"].settings["services"] == ("dhcpv6-client", "mdns", "samba-client", "ssh")


def test_policies_of_firewalld_are_none_of_its_zones() -> None:
    host, gaps = host_of("firewalld/policies.txt")
    assert not gaps
    (policy,) = host.firewalld or ()
    assert (policy.name, policy.kind, policy.active) == ("allow-host-ipv6", "policy", True)
    assert len(policy.settings["rich rules"]) == 4


def test_the_remarks_of_firewall_cmd_are_gaps() -> None:
    document = Document("all", (DOCUMENTS / "firewalld/all.txt").read_bytes())
    assert kind_of(document) is Kind.FIREWALLD
    host, gaps = host_of("firewalld/all.txt")
    assert [zone.name for zone in host.firewalld or ()] == ["public"]
    assert [(gap.span.line, gap.span.end_line) for gap in gaps] == [(1, 3)]
