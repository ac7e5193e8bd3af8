"""The difference between two captures, against what real packets did on both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from icclint_rules import RULES

from icclint.cli import main
from icclint.difference import ConnectionChange, Difference, difference
from tests import captured
from tests.test_reach import within

ROOT = Path(__file__).parent.parent

PAIRS = [
    ("28.5.2/02-default-icc-false", "28.5.2/10a-accept-in-docker-user"),
    ("28.5.2/02-default-icc-false", "28.5.2/10c-accept-one-port"),
    ("28.5.2/10c-accept-one-port", "28.5.2/02-default-icc-false"),
    ("28.5.2/02-default-icc-false", "28.5.2/10e-accept-established-only"),
    ("28.5.2/02-default-icc-false", "28.5.2/11a-bridge-nf-off"),
    ("28.5.2/01-default-icc-true", "28.5.2/18b-custom-chain-drop"),
    ("28.5.2/01-default-icc-true", "28.5.2/18e-multiport-iprange"),
    ("20.10.24/02-default-icc-false", "20.10.24/09b-drop-deleted-policy-accept"),
    ("29.7.2/01-default-icc-true", "29.7.2/02-default-icc-false"),
]

Key = tuple[str, str, str, int | None, int | None, int]


def compared(before: str, after: str) -> Difference:
    return difference(captured.capture(before), captured.capture(after), RULES)


def works(name: str) -> dict[Key, bool]:
    """The connections between two containers of one network that were tried on a host, and whether they worked."""
    found = {}
    for probe in captured.probes(name):
        if probe.path == "bridge":
            asked = probe.question
            sender = asked.source.removeprefix("container:").partition("@")[0]
            key = (sender, probe.target, asked.protocol, asked.port, asked.source_port, asked.family)
            found[key] = probe.arrived and probe.answered
    return found


def speaks_of(change: ConnectionChange, key: Key) -> bool:
    sender, receiver, protocol, port, source_port, family = key
    ends = sender in change.senders and receiver in change.receivers and family == change.family
    return ends and (
        not change.services
        or any(
            service.proto == protocol
            and within(port or 0, service.ports)
            and within(source_port or 45678, service.source_ports)
            for service in change.services
        )
    )


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_connections_that_changed_are_those_whose_packets_did(before: str, after: str) -> None:
    changes = compared(before, after).connections
    was, is_now = works(before), works(after)
    both = was.keys() & is_now.keys()
    assert both
    for key in both:
        became = {change.became for change in changes if change.network == "bridge" and speaks_of(change, key)}
        expected = {(False, True): {"possible"}, (True, False): {"impossible"}}.get((was[key], is_now[key]), set())
        assert became == expected, key


def test_the_change_names_the_rules_that_made_it() -> None:
    (change,) = compared("28.5.2/02-default-icc-false", "28.5.2/10c-accept-one-port").connections
    assert change.before is not None
    assert change.after is not None
    assert change.before.text == "-A DOCKER-FORWARD -i docker0 -o docker0 -j DROP"
    assert change.after.text == "-A DOCKER-USER -s 172.17.0.3/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT"


def test_claims_findings_and_containers_that_changed_are_told() -> None:
    change = compared("28.5.2/01-default-icc-true", "28.5.2/10a-accept-in-docker-user")
    assert [(one.subject, one.claim, one.before, one.after) for one in change.claims] == [
        ("network bridge", "ICC", "on", "off")
    ]
    assert "icc-off-but-forwarded" in {finding.rule for finding in change.new_findings}
    gone = compared("28.5.2/03-link", "28.5.2/04a-link-target-removed")
    assert "container web1 on network bridge" in gone.disappeared


def test_a_port_that_is_published_now_is_a_connection_more() -> None:
    closed, published = "28.5.2/02-default-icc-false", "28.5.2/19a-published-icc-false-proxy"
    opened, shut = (compared(*pair).connections for pair in ((closed, published), (published, closed)))
    ports = {(one.became, one.services[0].words()) for one in opened if one.senders == ("outside (eth0)",)}
    assert ("possible", "tcp 8080") in ports
    assert {word.replace("impossible", "possible") for word, _ in ports} == {"possible"}
    assert {one.became for one in shut if one.senders == ("outside (eth0)",)} == {"impossible"}


@pytest.mark.parametrize("name", ["28.5.2/06-two-networks", "29.7.2/08a-published-proxy", "28.5.2/20-large"])
def test_a_host_does_not_differ_from_itself(name: str) -> None:
    assert compared(name, name).is_empty


def test_counters_order_and_ids_do_not_matter(tmp_path: Path) -> None:
    source = ROOT / "tests" / "captures" / "28.5.2" / "06-two-networks"
    for path in source.iterdir():
        if path.name != "truth.json":
            text = path.read_text()
            for network in json.loads((source / "networks.json").read_text()):
                text = text.replace(network["Id"][:12], network["Id"][:12][::-1])
            (tmp_path / path.name).write_text(text.replace("172.18.", "172.28.").replace("[0:0]", "[7:420]"))
    result = CliRunner().invoke(main, ["diff", str(source), str(tmp_path)])
    assert result.output == "no difference in effect\n"
    assert result.exit_code == 0


def test_the_difference_in_each_form() -> None:
    before, after = (
        str(ROOT / "tests/captures/28.5.2" / name) for name in ("02-default-icc-false", "10b-accept-forward-top")
    )
    text = CliRunner().invoke(main, ["diff", before, after])
    assert text.exit_code == 1
    assert text.output.startswith("+ web1, web2 -> web1, web2 (bridge, IPv4), everything: became possible\n")
    parsed = json.loads(CliRunner().invoke(main, ["diff", before, after, "-o", "json"]).output)
    assert parsed["connections"][0]["from"] == ["web1", "web2"]
    tables = CliRunner().invoke(main, ["diff", before, after, "-o", "markdown"]).output
    assert "| became possible | web1, web2 | web1, web2 | everything | bridge, IPv4 |" in tables
