"""What is left of ``docker network inspect`` when lines are taken out of it: nothing that is not so."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from icclint.ir.network import Network
from icclint.lower.host import lower_host
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document
from tests import captured

WITH_TWO = sorted(path for path in captured.ROOT.glob("*/*/networks.json") if "two-networks" in path.parent.name)


def networks(text: str, command: str = "") -> list[Network]:
    document = Document("networks.json", b"", plain=text, command=command)
    host, _ = lower_host("host", [(document, kind_of(document))])
    return list(host.networks or ())


def one_network(path: Path) -> str:
    """What `docker network inspect bridge` prints there."""
    found = [network for network in json.loads(path.read_text()) if network["Name"] == "bridge"]
    return json.dumps(found, indent=4)


def cuts(text: str, mark: str) -> list[str]:
    """The text with a run of lines taken out, from one line in two to one in three."""
    lines = text.split("\n")
    ends = product(range(0, len(lines), 2), range(1, len(lines) + 1, 3))
    return ["\n".join([*lines[:first], mark, *lines[end:]]) for first, end in ends if first < end]


def nothing_made_up(found: Network, real: list[Network]) -> bool:
    """Whether a network says nothing but what one of the real ones says."""
    return any(
        found.bridge == other.bridge
        and found.driver == other.driver
        and found.options.items() <= other.options.items()
        and found.icc in (None, other.icc)
        and set(found.subnets) <= set(other.subnets)
        and ends(found) == (frozenset() if "Containers" in found.not_shown else ends(other))
        and ("Internal" in found.not_shown or found.internal == other.internal)
        for other in real
        if other.name == found.name
    )


def ends(network: Network) -> frozenset[object]:
    return frozenset((endpoint.name, endpoint.addresses) for endpoint in network.endpoints)


@pytest.mark.parametrize("path", WITH_TWO, ids=lambda path: path.parent.parent.name)
def test_one_network_of_which_any_lines_are_missing(path: Path) -> None:
    text = one_network(path)
    real = networks(text)
    kept = 0
    for cut in cuts(text, "…<Additional output removed for brevity>…"):
        found = networks(cut, "docker network inspect bridge")
        assert len(found) <= 1
        assert all(nothing_made_up(network, real) for network in found), cut
        kept += len(found)
    # Without the name of its interface a network is of no use; with it, it is.
    assert kept > 50


@pytest.mark.parametrize("path", WITH_TWO, ids=lambda path: path.parent.parent.name)
def test_several_networks_of_which_any_lines_are_missing(path: Path) -> None:
    text = json.dumps(json.loads(path.read_text()), indent=4)
    real = networks(text)
    lines = text.split("\n")
    for first in range(0, len(lines), 7):
        for length in (1, 2, 5, 17, 30, 60, 1000):
            cut = "\n".join([*lines[:first], "...", *lines[first + length :]])
            for network in networks(cut, "docker network inspect $(docker network ls -q)"):
                assert nothing_made_up(network, real), (first, length, network.name)


def test_what_is_shown_of_the_options_counts() -> None:
    cut = """\
…
        "Options": {
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.name": "docker0"
…"""
    (network,) = networks(cut, "sudo docker network inspect bridge")
    assert (network.name, network.bridge, network.icc, network.driver) == ("bridge", "docker0", False, "bridge")
    assert network.span_of("Options", "com.docker.network.bridge.enable_icc").line == 3
    # Whose options these are, the command has to tell.
    assert networks(cut) == []


def test_an_option_that_may_have_been_cut_away_is_not_known() -> None:
    cut = """\
[
    {
        "Name": "bridge",
        "Driver": "bridge",
        "Options": {
            "com.docker.network.bridge.name": "docker0",
            ...
        }
    }
]"""
    (network,) = networks(cut)
    assert network.icc is None
    assert "Options" in network.not_shown


def test_the_options_of_ipam_are_not_those_of_the_driver() -> None:
    cut = '[snip]\n            "Driver": "default",\n            "Options": null,\n            "Config": []\n'
    assert kind_of(Document("x", b"", plain=cut, command="docker network inspect bridge")) is not Kind.CUT_INSPECT
