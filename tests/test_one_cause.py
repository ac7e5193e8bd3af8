"""One cause, one finding: what a rule that yields says of a line is a part of the finding that says what the line does."""

from __future__ import annotations

from icclint_rules import RULES

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.parse.kind import kind_of
from icclint.report import Report
from icclint.source import Document
from tests import captured

NETWORKS = """[{"Name": "bridge", "Id": "aaaaaaaaaaaa0000", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]},
  "Options": {"com.docker.network.bridge.default_bridge": "true", "com.docker.network.bridge.enable_icc": "false",
              "com.docker.network.bridge.name": "docker0"}}]
"""
HEAD = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
DOWNGRADED = f"""{HEAD}:DOCKER-FORWARD - [0:0]
:DOCKER-INTERNAL - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -j DOCKER-FORWARD
-A FORWARD -i docker0 -o docker0 -j DROP
-A DOCKER-FORWARD -j DOCKER-INTERNAL
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
COMMIT
"""


def report(rules: str, *only: str, networks: str = NETWORKS) -> Report:
    texts = {"iptables-save.txt": rules, "networks.json": networks}
    documents = [Document(name, text.encode()) for name, text in texts.items()]
    capture = Capture("host", tuple((document, kind_of(document)) for document in documents), ())
    return check([capture], [rule for rule in RULES if not only or rule.id in only])


def found(of: Report) -> list[str]:
    return [finding.rule for finding in of.findings if finding.severity != "note"]


def test_the_drop_that_an_accept_makes_useless_is_told_once() -> None:
    for name in ("20.10.24/10a-accept-in-docker-user", "28.5.2/10b-accept-forward-top"):
        capture = captured.capture(name)
        assert found(check([capture], RULES)) == ["icc-off-but-forwarded"]
        # Nobody else tells of it where only that rule is asked.
        alone = check([capture], [rule for rule in RULES if rule.id == "rule-never-matches"])
        assert found(alone) == ["rule-never-matches"]


def test_what_an_engine_left_behind_is_a_place_of_the_leak_that_it_makes() -> None:
    whole = report(DOWNGRADED)
    assert found(whole) == ["icc-off-but-forwarded"]
    (leak,) = (finding for finding in whole.findings if finding.rule == "icc-off-but-forwarded")
    assert leak.location.line == 13
    assert [place.location.line for place in leak.related if "29.0 or newer" in place.message] == [10]


def test_what_an_engine_left_behind_is_a_finding_of_its_own_where_no_claim_is_broken() -> None:
    rules = DOWNGRADED.replace("-i docker0 -o docker0 -j DROP", "-i docker0 -o docker0 -j ACCEPT")
    icc_on = NETWORKS.replace("false", "true")
    assert found(report(rules, networks=icc_on)) == ["rules-of-two-engines"]


def test_another_rule_that_the_same_accept_makes_useless_stays_a_finding() -> None:
    rules = f"""{HEAD}:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -o docker0 -j DROP
-A DOCKER-USER -i docker0 -j ACCEPT
-A DOCKER-USER -i docker0 -d 192.0.2.1/32 -j DROP
COMMIT
"""
    told = report(rules, "icc-off-but-forwarded", "rule-never-matches")
    assert found(told) == ["icc-off-but-forwarded", "rule-never-matches"]
    assert told.findings[1].location.line == 9
