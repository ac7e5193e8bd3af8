"""The benchmarks measure what they say, on the inputs that were meant; how long anything takes is not asked here."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.generate import CONTAINERS, NAMES, PROFILES, digest, text
from benchmarks.goals import Goal, read_goals
from benchmarks.inputs import DIGESTS, Inputs
from benchmarks.measure import FailedError, NotMeasuredError, Program, Sample, Series, compared, exponent, growing
from benchmarks.results import MARK
from benchmarks.stages import STAGES
from benchmarks.stages import main as stages
from benchmarks.variants import variant
from icclint.lower.host import lower_host
from icclint.parse.kind import kind_of
from icclint.source import Document

CAPTURED = Path(__file__).parent / "captures" / "28.5.2"
SMALL = [name for name in NAMES if int(name.rpartition("-")[2]) <= 10_000]


@pytest.mark.parametrize("name", SMALL)
def test_an_input_is_the_same_everywhere(name: str) -> None:
    assert digest(text(name).encode()) == tomllib.loads(DIGESTS.read_text())[name]


def test_every_input_of_a_goal_has_a_digest() -> None:
    known = tomllib.loads(DIGESTS.read_text())
    named = {name for goal in read_goals() for name in (*goal.inputs, *goal.quick, *(goal.rival or "").split()[1:])}
    assert {name for name in named if name.partition("-")[0] in (*PROFILES, "networks")} <= known.keys()


def test_the_page_has_every_goal_as_it_is_asked_for() -> None:
    page = (Path(__file__).parent.parent / "docs" / "performance.md").read_text().partition(MARK)[2]
    rows = [[cell.strip() for cell in line.split("|")[1:6]] for line in page.splitlines() if line.startswith("| ")]
    asked = [
        [one.id, one.what, ", ".join(one.inputs), *("" if n is None else f"{n:g}" for n in (one.floor, one.ambitious))]
        for goal in read_goals()
        for one in goal.each()
    ]
    assert rows[2:] == asked, "python -m benchmarks --write docs/performance.md"


def test_another_input_than_the_one_that_was_meant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.inputs.text", lambda name: text(name) + "\n")
    with pytest.raises(FailedError):
        Inputs(tmp_path).make("docker-100")


VALUES = re.compile(r"\d+\.\d+\.\d+\.\d+(/\d+)?(:\d+)?|docker0|br-[0-9a-f]{12}|port \d+|tcp|udp|\[\d+:\d+\]")


def shapes(dump: str) -> list[str]:
    """The lines of a dump with their values blanked, each once."""
    return list(dict.fromkeys(VALUES.sub("*", line) for line in dump.splitlines() if not line.startswith("#")))


def test_the_docker_shaped_ruleset_looks_like_captured_ones() -> None:
    generated = shapes(text("docker-1000"))
    captured = {shape for path in CAPTURED.glob("*/iptables-save.txt") for shape in shapes(path.read_text())}
    assert set(generated) <= captured
    # It lacks nothing that this host has, and has it in the same order, but for what hangs on whose ICC is off.
    large = shapes((CAPTURED / "20-large" / "iptables-save.txt").read_text())
    assert set(large) <= set(generated)
    fixed = [shape for shape in large if not shape.startswith("-A DOCKER-FORWARD -i")]
    assert [shape for shape in generated if shape in fixed] == fixed


@pytest.mark.parametrize("containers", [count for count in CONTAINERS if count <= 50])
def test_networks_belong_to_their_rules(containers: int) -> None:
    document = Document("networks.json", text(f"networks-{containers}").encode())
    host, gaps = lower_host("host", [(document, kind_of(document))])
    assert gaps == ()
    assert sum(len(network.endpoints) for network in host.bridges) == containers
    rules = text(f"docker-{-(-containers * 1000 // 245)}")
    for network in host.bridges:
        for endpoint in network.endpoints:
            assert f"-A PREROUTING -d {endpoint.addresses[0]}/32 ! -i {network.bridge} -j DROP" in rules


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("parse", "mix-1000"),
        ("parse", "dead-1000"),
        ("commands", "kube-1000"),
        ("lark", "mix-1000"),
        ("dead", "docker-1000"),
        ("dead", "dead-1000"),
        ("reach", "docker-1000"),
        ("reach", "closed-1000"),
        ("further", "docker-1000"),
        ("matrix", "networks-50"),
        ("inspect", "networks-50"),
        ("sarif", "findings-20"),
        ("process:parse", "docker-100"),
        ("check", "sample"),
    ],
)
def test_what_is_measured_does_what_it_should(name: str, given: str, tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    inputs.make(given)
    variant(name, inputs.path(given)).verify(limit=60)


def test_a_wrong_result_a_crash_and_a_hang_are_not_timed(tmp_path: Path) -> None:
    path = tmp_path / "dead-100"
    # The same rules, each a line further down than it was planted.
    path.write_text("#\n" + text("dead-100"))
    with pytest.raises(FailedError, match="1 rules are not dead, 1 dead ones missed"):
        variant("dead", path).verify(limit=60)
    with pytest.raises(NotMeasuredError, match="false ended with 1"):
        Program(["/bin/false"]).sample(limit=60)
    with pytest.raises(NotMeasuredError, match="more than 1 s"):
        Program(["/bin/sleep", "60"]).sample(limit=1)


class Given:
    """Something that takes what it is told to, one after the other."""

    def __init__(self, *seconds: float) -> None:
        self.left = list(seconds)

    def verify(self, limit: int) -> None:
        """It is always right."""

    def sample(self, limit: int) -> Sample:
        return Sample(self.left.pop(0), 0)


def seconds(sample: Sample) -> float:
    return sample.seconds


def test_pairs_are_taken_in_turn() -> None:
    ours, other = Given(1, 3, 2, 2), Given(8, 10)
    found = compared(ours, other, 2, 60, seconds)
    assert found == Series(values=(4, 5), controls=(3, 1))
    assert (found.median, found.quartiles, found.control) == (4.5, (4.25, 4.75), 2)
    assert found.inverted().values == (0.25, 0.2)


def test_growth_is_a_power() -> None:
    assert exponent([10, 100, 1000], [3, 300, 30_000]) == pytest.approx(2)
    found = growing([(10, Given(1, 2)), (1000, Given(100))], 1, 60, seconds)
    assert found.values == pytest.approx((1,))
    assert found.controls == (2,)


@pytest.mark.parametrize(
    ("floor", "ambitious", "median", "verdict"),
    [
        (2, 4, 4, "ambitious"),
        (2, 4, 1.9, "met"),
        (2, 4, 1.7, "missed"),
        (4, 2, 2, "ambitious"),
        (4, 2, 4.3, "met"),
        (4, 2, 4.5, "missed"),
        (None, None, 1, "-"),
    ],
)
def test_a_median_meets_a_goal(floor: float | None, ambitious: float | None, median: float, verdict: str) -> None:
    goal = Goal("X", "", "parse", ("docker-100",), rival="lark", floor=floor, ambitious=ambitious)
    assert goal.verdict(median, tolerance=0.1) == verdict


def test_a_run_writes_a_table_its_figures_and_the_page(tmp_path: Path) -> None:
    figures, document = tmp_path / "figures.json", tmp_path / "page.md"
    document.write_text(f"By hand.\n{MARK}what was there before\n")
    asked = ["--quick", "--pairs", "2", "--only", "D5", "--json", str(figures), "--write", str(document)]
    run = CliRunner().invoke(main, asked)
    assert run.exit_code in (0, 1), run.output
    (row,) = json.loads(figures.read_text())["rows"]
    assert (row["goal"], row["inputs"]) == ("D5", ["dead-1000"])
    # What the same thing took twice may be too far apart here.
    assert row["verdict"].startswith("refused") or len(row["values"]) == 2
    by_hand, written = document.read_text().split(MARK)
    assert by_hand == "By hand.\n"
    assert "| D5" in written
    assert "before" not in written
    assert "| D5" in run.output


def test_each_stage_of_a_dump_has_its_time() -> None:
    shown = CliRunner().invoke(stages, ["docker-100", "dead-100"], catch_exceptions=False).output.splitlines()
    assert shown[0].split(" | ")[1:] == [*STAGES[:-1], f"{STAGES[-1]} |"]
    assert [line.split()[1] for line in shown[2:]] == ["docker-100", "dead-100"]
    assert all(len(line.split("|")) == len(STAGES) + 3 for line in shown)
