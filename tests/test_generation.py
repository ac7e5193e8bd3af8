"""Which releases wrote the rules: on every captured host, and on dumps of engines of which there is no capture."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from icclint.capture.read import Capture
from icclint.docker.generation import FROM_18_03_1, FROM_28_0_0, FROM_28_2, FROM_29, Generation, generations
from icclint.engine import check
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.kind import kind_of
from icclint.source import Document
from tests import captured

WITHOUT_RULES = ("21-iptables-false",)
"""The engine wrote nothing for IPv4; those that write for IPv6 by default still did that."""
FLUSHED = ("09d-flushed-policy-drop",)


def version(name: str) -> tuple[int, ...]:
    """The release that a capture's folder is named after, the backend of its firewall left aside."""
    return tuple(map(int, name.split("/", maxsplit=1)[0].partition("-")[0].split(".")))


def host(documents: Mapping[str, str]) -> Host:
    read = [Document(name, text.encode()) for name, text in documents.items()]
    return lower_host("host", [(document, kind_of(document)) for document in read])[0]


def filters(*rules: str) -> Host:
    """A host of which table filter was captured whole."""
    chains = sorted({rule.split()[1] for rule in rules} - {"FORWARD"})
    lines = ("-P INPUT ACCEPT", "-P FORWARD DROP", "-P OUTPUT ACCEPT", *(f"-N {chain}" for chain in chains), *rules)
    return host({"iptables-S.txt": "".join(f"{line}\n" for line in lines)})


@pytest.mark.parametrize("name", captured.NAMES)
def test_a_capture_is_of_the_release_that_it_is_named_after(name: str) -> None:
    found = [mark.generation for mark in generations(captured.host(name))]
    old = version(name) < (27,)
    if old and name.endswith((*WITHOUT_RULES, *FLUSHED)):
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].holds(version(name))


def test_captures_tell_28_2_from_what_is_before_and_after() -> None:
    told = {mark.generation for name in captured.NAMES for mark in generations(captured.host(name))}
    assert {FROM_18_03_1, FROM_28_2, FROM_29} <= told


ONE_BRIDGE_UP_TO_17_03 = (
    "-A FORWARD -j DOCKER-ISOLATION",
    "-A FORWARD -o docker0 -j DOCKER",
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A DOCKER-ISOLATION -j RETURN",
)
ONE_BRIDGE_OF_17_04 = (
    "-A FORWARD -j DOCKER-ISOLATION",
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A FORWARD -o docker0 -j DOCKER",
    "-A DOCKER-ISOLATION -j RETURN",
)
OF_28_0_0 = (
    "-A FORWARD -j DOCKER-USER",
    "-A FORWARD -m set --match-set docker-ext-bridges-v4 dst -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A FORWARD -j DOCKER-ISOLATION-STAGE-1",
    "-A FORWARD -m set --match-set docker-ext-bridges-v4 dst -j DOCKER",
    "-A FORWARD -i docker0 -j ACCEPT",
)
DOCKER_FORWARD_OF_28 = (
    "-A FORWARD -j DOCKER-FORWARD",
    "-A DOCKER-FORWARD -j DOCKER-CT",
    "-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1",
    "-A DOCKER-FORWARD -j DOCKER-BRIDGE",
)


@pytest.mark.parametrize(
    ("rules", "releases"),
    [
        (("-A FORWARD -o docker0 -j DOCKER", "-A FORWARD -i docker0 -o docker0 -j ACCEPT"), "1.5 to 1.9"),
        (
            (
                "-A FORWARD -s 172.18.0.0/16 -d 172.17.0.0/16 -j DROP",
                "-A FORWARD -s 172.17.0.0/16 -d 172.18.0.0/16 -j DROP",
                "-A FORWARD -o docker0 -j DOCKER",
            ),
            "1.8 to 1.9",
        ),
        (ONE_BRIDGE_UP_TO_17_03, "1.10 to 17.03"),
        (ONE_BRIDGE_OF_17_04, "17.04 to 17.05"),
        (("-A FORWARD -j DOCKER-ISOLATION", "-A DOCKER-ISOLATION -j RETURN"), "1.10 to 17.05"),
        (("-A FORWARD -j DOCKER-USER", *ONE_BRIDGE_OF_17_04), "17.06 to 18.03.0"),
        (OF_28_0_0, "28.0.0"),
        (DOCKER_FORWARD_OF_28, "28.0.1 to 28.5"),
    ],
)
def test_releases_without_a_capture_by_the_rules_that_they_write(rules: tuple[str, ...], releases: str) -> None:
    assert [mark.generation.name for mark in generations(filters(*rules))] == [releases]


@pytest.mark.parametrize(
    ("guard", "releases"),
    [
        ("-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -p tcp -m tcp --dport 80 -j DROP", "28.0.1 to 28.1"),
        ("-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP", "28.2 to 28.5"),
        # All engines since 28.0 guard what is published on loopback so.
        ("-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP", "28.0.1 to 28.5"),
    ],
)
def test_table_raw_tells_28_2_from_those_before(guard: str, releases: str) -> None:
    rules = "\n".join(DOCKER_FORWARD_OF_28)
    text = f"*raw\n:PREROUTING ACCEPT [0:0]\n{guard}\nCOMMIT\n*filter\n:FORWARD DROP [0:0]\n{rules}\nCOMMIT\n"
    assert [mark.generation.name for mark in generations(host({"iptables-save.txt": text}))] == [releases]


def test_the_nftables_backend_by_its_table() -> None:
    table = (
        "table ip docker-bridges {\n\tchain filter-FORWARD {\n\t\ttype filter hook forward priority filter\n\t}\n}\n"
    )
    marks = generations(host({"nft.txt": table}))
    assert [(mark.generation.name, mark.rule) for mark in marks] == [("29.0 or newer, with its nftables backend", None)]


@pytest.mark.parametrize(
    "rules",
    [
        # Chains outlive an upgrade, empty and with nothing that leads to them.
        ("-A FORWARD -j DOCKER-FORWARD", "-A DOCKER-FORWARD -j DOCKER-INTERNAL", "-A DOCKER-USER -j RETURN"),
        # Somebody flushed FORWARD, and what an older engine had left stayed.
        ("-A DOCKER-FORWARD -j DOCKER-INTERNAL", "-A DOCKER-ISOLATION-STAGE-1 -j RETURN"),
    ],
)
def test_what_is_in_force_counts_before_what_was_left_behind(rules: tuple[str, ...]) -> None:
    assert [mark.generation for mark in generations(filters(*rules))] == [FROM_29]


def test_an_older_engine_beside_the_rules_of_a_newer_one() -> None:
    old = ("-A FORWARD -j DOCKER-ISOLATION-STAGE-1", "-A DOCKER-ISOLATION-STAGE-1 -j RETURN")
    new = ("-A FORWARD -j DOCKER-FORWARD", "-A DOCKER-FORWARD -j DOCKER-INTERNAL")
    assert [mark.generation for mark in generations(filters(*old, *new))] == [FROM_18_03_1, FROM_29]


def test_a_flushed_forward_of_a_later_engine_is_not_one_of_1_9() -> None:
    assert generations(filters("-A FORWARD -o docker0 -j DOCKER", "-A DOCKER-USER -j RETURN")) == ()


def test_rules_for_ipv6_count_where_there_are_none_for_ipv4() -> None:
    text = "-P FORWARD DROP\n-N DOCKER-FORWARD\n-A FORWARD -j DOCKER-FORWARD\n-A DOCKER-FORWARD -j DOCKER-INTERNAL\n"
    found = generations(host({"iptables-S.txt": "-P FORWARD ACCEPT\n", "ip6tables-S.txt": text}))
    assert [(mark.generation, mark.span.document) for mark in found] == [(FROM_29, "ip6tables-S.txt")]


@pytest.mark.parametrize(
    ("generation", "inside", "outside"),
    [
        (FROM_18_03_1, ((18, 3, 1), (20, 10, 24), (27, 5, 1)), ((18, 3, 0), (28, 0, 0))),
        (FROM_28_0_0, ((28, 0, 0),), ((27, 5, 1), (28, 0, 1))),
        (FROM_29, ((29, 0, 0), (31, 1, 0)), ((28, 5, 2),)),
    ],
)
def test_releases_inside_and_outside(
    generation: Generation, inside: tuple[tuple[int, ...], ...], outside: tuple[tuple[int, ...], ...]
) -> None:
    assert all(map(generation.holds, inside))
    assert not any(map(generation.holds, outside))


def test_every_report_says_whose_rules_they_are() -> None:
    report = check([captured.capture("28.5.2/06-two-networks")], [])
    (found,) = report.hosts
    (engine,) = found.rules_of
    line = captured.capture("28.5.2/06-two-networks").documents
    text = next(document for document, _ in line if document.name == engine.location.document)
    assert engine.releases == "28.2 to 28.5"
    assert text.lines[engine.location.line - 1] == "-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1"


def test_a_report_of_nothing_of_docker_says_so() -> None:
    document = Document("iptables-S.txt", b"-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n")
    report = check([Capture("host", ((document, kind_of(document)),), ())], [])
    assert report.hosts[0].rules_of == ()
