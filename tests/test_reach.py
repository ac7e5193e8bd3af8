"""The table of who reaches whom, against what real packets did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from icclint.cli import main
from icclint.reach import Row, Table, reach
from tests import captured

ROOT = Path(__file__).parent.parent


def row_of(table: Table, probe: captured.Probe) -> Row | None:
    """The row that speaks of a probe's two ends."""
    sender = probe.question.source.removeprefix("container:").partition("@")[0]
    return next(
        (
            row
            for row in table.rows
            if sender in row.senders
            and probe.target in row.receivers
            and (row.network, row.family) == (probe.network, probe.question.family)
        ),
        None,
    )


def within(number: int, ports: list[str] | tuple[str, ...]) -> bool:
    bounds = [port.partition("-") for port in ports]
    return not bounds or any(int(low) <= number <= int(high or low) for low, _, high in bounds)


def works(row: Row, probe: captured.Probe) -> bool:
    """Whether a row says that a probe's connection works."""
    asked = probe.question
    name = {("icmp", 6): "icmpv6"}.get((asked.protocol, asked.family), asked.protocol)
    if row.effect != "some":
        return row.effect == "all"
    return any(
        service.proto == name
        and within(asked.port or 0, service.ports)
        and within(asked.source_port or 45678, service.source_ports)
        for service in row.services
    )


@pytest.mark.parametrize("name", captured.NAMES)
def test_the_table_says_of_each_connection_what_packets_did(name: str) -> None:
    table = reach(captured.host(name))
    compared = 0
    for probe in captured.probes(name):
        row = row_of(table, probe)
        if probe.path not in ("bridge", "routed") or row is None or probe.question.source_address is None:
            continue
        compared += 1
        assert works(row, probe) == (probe.arrived and probe.answered), (row, probe)
    assert compared or not any(probe.path == "bridge" and probe.bridge for probe in captured.probes(name))


def test_a_link_is_no_disagreement_and_an_orphaned_one_is() -> None:
    live, orphaned = (reach(captured.host(f"28.5.2/{name}")) for name in ("03-link", "04b-link-target-address-reused"))
    assert not any(row.disagrees for row in live.rows)
    broken = [(row.senders, row.receivers, row.claim) for row in orphaned.rows if row.disagrees]
    assert broken == [(("other",), ("web2",), "closed"), (("web2",), ("other",), "closed")]


def test_containers_that_are_treated_alike_share_a_row() -> None:
    table = reach(captured.host("28.5.2/20-large"))
    assert len(table.rows) < 100
    first = table.rows[0]
    assert len(first.senders) == 10
    assert (first.claim, first.effect) == ("closed", "none")


def test_disagreements_alone() -> None:
    capture = str(ROOT / "tests/captures/20.10.24/12a-ipv6-no-ip6tables")
    result = CliRunner().invoke(main, ["reach", capture, "--disagreements", "-o", "json"])
    rows = json.loads(result.stdout)["rows"]
    assert rows
    assert {(row["claim"], row["effect"]) for row in rows} <= {("closed", "all"), ("closed", "some")}
    assert rows[0].keys() == {
        "from", "from_network", "to", "to_network", "network", "family", "claim", "effect", "published", "services", "witness", "at",
    }  # fmt: skip


def test_what_the_table_leaves_out_is_said() -> None:
    result = CliRunner().invoke(main, ["reach", str(ROOT / "samples/28.5.2/overlay-icc-off")])
    assert "not covered: network ov0, since its driver overlay does not use the host's bridges" in result.output
