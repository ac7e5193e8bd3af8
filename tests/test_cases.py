"""The runner of cases, which rules of every package are held to, sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest
from icclint_rules import RULES

from icclint.testing import Case, cases, run_case

NETWORKS = """```networks
[{"Name": "overlay", "Id": "o0", "Driver": "%s", "IPAM": {},
  "Options": {"com.docker.network.bridge.enable_icc": "false"}}]
```
"""


def written(tmp_path: Path, text: str, rule: str = "icc-option-void") -> list[Case]:
    path = tmp_path / f"{rule}.md"
    path.write_text(f"# {rule}\n\nA network.\n\n## A case\n\nWhy.\n\n{text}")
    return list(cases(path))


def case(tmp_path: Path, driver: str, mark: str = "", expect: str = "") -> Case:
    document = (NETWORKS % driver).replace('"false"}', f'"false"{mark}\n}}')
    (found,) = written(tmp_path, document + (f"\n```expect\n{expect}\n```\n" if expect else ""))
    return found


MARK = " // finding"


@pytest.mark.parametrize(
    ("driver", "mark", "expect"),
    [
        ("overlay", MARK, ""),
        ("overlay", MARK, "message: ignores the option"),
        ("bridge", "", ""),
        ("weave", "", "not assessed: nothing"),
    ],
)
def test_a_case_that_agrees_has_no_differences(tmp_path: Path, driver: str, mark: str, expect: str) -> None:
    assert run_case(case(tmp_path, driver, mark, expect), RULES) == []


@pytest.mark.parametrize(
    ("driver", "mark", "expect", "said"),
    [
        ("overlay", "", "", "networks:2 is not marked, and is reported: Network 'overlay' says"),
        ("bridge", MARK, "", "networks:2 is marked, and nothing is reported there"),
        ("overlay", MARK, "message: no such words", "no message has 'no such words' in it"),
        ("overlay", MARK, "possible", "not possible: "),
        ("weave", "", "", "not assessed for want of 'nothing': what the driver 'weave' makes of"),
        ("bridge", "", "not assessed: sysctl -a", "nothing is left open for want of 'sysctl -a'"),
    ],
)
def test_each_difference_is_said(tmp_path: Path, driver: str, mark: str, expect: str, said: str) -> None:
    (difference,) = run_case(case(tmp_path, driver, mark, expect), RULES)
    assert said in difference


def test_a_crash_is_a_difference(tmp_path: Path) -> None:
    from dataclasses import replace

    def crash(host: object, effect: object) -> object:
        raise RuntimeError("no such thing")

    found = case(tmp_path, "bridge")
    rules = [replace(rule, needs=frozenset(), check=crash) for rule in RULES if rule.id == found.rule]  # type: ignore[arg-type]
    (difference,) = run_case(found, rules)
    assert "the rule crashed" in difference
    assert "no such thing" in difference


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Only words.", "there is no document in it"),
        ("```expect\npossible\n```\n", "there is no document in it"),
        ((NETWORKS % "bridge") * 2, "two blocks are called networks"),
        (NETWORKS % "bridge" + "\n```expect\nmessage nothing\n```\n", "nothing can be expected by 'message nothing'"),
        (NETWORKS % "bridge" + "\n```iptables-save\n*filter\n", "a block has no name, or no end"),
        (NETWORKS % "bridge" + "\n```\n*filter\n```\n", "a block has no name, or no end"),
    ],
)
def test_a_case_that_would_not_test_what_it_seems_to_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"icc-option-void: A case: {said}"):
        written(tmp_path, text)


def test_a_case_of_no_rule_is_refused(tmp_path: Path) -> None:
    (found,) = written(tmp_path, NETWORKS % "bridge", rule="no-such-rule")
    with pytest.raises(ValueError, match="no rule has the name no-such-rule"):
        run_case(found, RULES)


def test_what_a_case_shows_is_its_host_without_what_is_expected(tmp_path: Path) -> None:
    found = case(tmp_path, "overlay", MARK, "message: ignores")
    assert (str(found), found.title) == ("icc-option-void: A case", "A case")
    assert found.host.startswith("Why.\n\n```networks\n")
    assert "finding" in found.host
    assert "expect" not in found.host
    ((document, _),) = found.capture.documents
    assert b"finding" not in document.content
