"""The report in HTML: complete, without scripts and network, and never made of what was captured."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from icclint.capture.read import read_captures
from icclint.cli import main
from icclint.lower.host import lower_host
from icclint.output.matrix import Matrix, matrices
from icclint.reach import Row, reach

ROOT = Path(__file__).parent.parent
BROKEN = "samples/28.5.2/icc-off-but-accept"
VOID = {"meta", "link", "img", "br", "hr", "input", "base", "embed"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;{{7*7}}\u202ex\x1b[31m"
SHOWN = HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


class Page(HTMLParser):
    """What a browser makes of a page, as far as it matters here. Raises AssertionError where tags do not nest."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append((tag, dict(attrs).get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for id in {"", *(id for _, id in self._open)}:
            self.words[id] = self.words.get(id, "") + data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def html(*arguments: str) -> str:
    return CliRunner().invoke(main, ("check", *arguments, "-o", "html")).stdout


def report(*arguments: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(
        CliRunner().invoke(main, ("check", *arguments, "-o", "json")).stdout
    )
    return found


@pytest.fixture(scope="module")
def samples() -> str:
    return html(str(ROOT / "samples"), "--root", str(ROOT))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A capture in which all that can be named is named to do harm: networks, containers, interfaces, comments, files."""
    folder = tmp_path / "<b>host"
    folder.mkdir()
    networks = [
        {
            "Name": HOSTILE,
            "Id": "aaaaaaaaaaaa",
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": "172.18.0.0/24", "Gateway": "172.18.0.1"}]},
            "Containers": {
                key: {"Name": f"{number}{HOSTILE}", "IPv4Address": f"172.18.0.{number}/24"}
                for number, key in ((2, "c"), (3, "d"))
            },
            "Options": {"com.docker.network.bridge.enable_icc": "false"},
        },
        {"Name": f"o{HOSTILE}", "Id": "b", "Driver": HOSTILE, "Containers": {"e": {"Name": HOSTILE}}},
    ]
    (folder / "<i>networks.json").write_text(json.dumps(networks))
    comment = HOSTILE.replace('"', "").replace("\x1b", "")
    (folder / "rules&quot;.txt").write_text(
        f'-P FORWARD ACCEPT\n-A FORWARD -i br-aaaaaaaaaaaa -m comment --comment "</style>{comment}" -j ACCEPT\n'
        f"-A FORWARD {HOSTILE}\n"
    )
    (folder / "<!--.bin").write_bytes(b"\0" * 100 + HOSTILE.encode())
    return folder


def test_it_names_every_finding_document_and_host(samples: str) -> None:
    page, found = Page(samples), report("samples")
    assert found["findings"]
    for number, finding in enumerate(found["findings"], start=1):
        words = page.words[f"finding-{number}"]
        assert all(
            str(finding[key]) in words for key in ("rule", "host", "severity", "message", "fingerprint", "label")
        )
        assert all(str(command) in words for command in finding["remedy"])  # type: ignore[attr-defined]
    for number, document in enumerate(found["documents"], start=1):
        words = page.words[f"document-{number}"]
        assert all(str(document[key]) in words for key in ("name", "kind", "sha256", "bytes"))
    assert all(str(host["name"]) in page.words["hosts"] for host in found["hosts"])
    assert all(f"rule-{rule}" in page.values("id") for rule in found["rules"])


def test_a_host_that_may_be_missing_is_said() -> None:
    assert "Not complete" in Page(html(BROKEN, "no-such-folder")).words["hosts"]
    assert "Not complete" not in Page(html(BROKEN)).words["hosts"]


def test_a_finding_shows_its_lines_its_packet_and_its_way() -> None:
    words = Page(html(BROKEN)).words["finding-1"]
    for part in (
        f"{BROKEN}/iptables-save.txt:21:1",
        "-A FORWARD -i docker0 -o docker0 -j ACCEPT",
        '"com.docker.network.bridge.enable_icc": "false"',
        "-A DOCKER-FORWARD -i docker0 -o docker0 -j DROP",
        "NEW tcp 172.17.0.2:40000 -> 172.17.0.3:80",
        "⇒ ACCEPT",
    ):
        assert part in words


def test_links_lead_to_places_of_the_page_alone(samples: str) -> None:
    page = Page(samples)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = page.values("href")
    assert targets
    assert {target for target in targets if not target.startswith("#")} == set()
    assert {target[1:] for target in targets} <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)
    assert page.values("src") == []
    assert "url(" not in samples
    assert "@import" not in samples


def test_nothing_but_the_style_sheet_is_let_through(samples: str) -> None:
    page = Page(samples)
    (style,) = re.findall("<style>(.*?)</style>", samples, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [value for value in page.values("content") if "default-src" in value]
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert page.tags["script"] == 0
    assert page.values("style") == []


def test_one_can_find_the_way_without_a_mouse(samples: str) -> None:
    page = Page(samples)
    assert (page.tags["main"], page.tags["nav"], page.tags["h1"]) == (1, 1, 1)
    assert page.tags["details"] == page.tags["summary"]
    assert ("html", "lang", "en") in page.attributes
    scrolling = [tag for tag, name, value in page.attributes if (name, value) == ("class", "scroll")]
    assert len(scrolling) == page.values("tabindex").count("0")


def test_hostile_captures_become_text(hostile: Path) -> None:
    markup = html(str(hostile), "--root", str(hostile.parent))
    page, honest = Page(markup), Page(html(BROKEN))
    assert page.tags.keys() <= {*honest.tags, "em"}
    assert {name for _, name, _ in page.attributes} <= {name for _, name, _ in honest.attributes} | {"title"}
    assert not [c for c in markup if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")]
    assert SHOWN in page.words["reachability"]
    assert SHOWN in page.words["findings"]
    assert SHOWN in page.words["gaps"]
    assert "<b>host/<!--.bin" in page.words["documents"]
    assert "49" not in page.words["reachability"]


def test_an_error_of_a_rule_becomes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from icclint import plugins

    def broken(host: object, effect: object) -> object:
        raise RuntimeError(HOSTILE)

    first, *rules = plugins.load_rules()
    monkeypatch.setattr(plugins, "load_rules", lambda: (replace(first, check=broken, needs=frozenset()), *rules))  # type: ignore[arg-type]
    page = Page(html(BROKEN))
    assert page.tags["script"] == page.tags["img"] == 0
    assert SHOWN in page.words["crashes"]


def test_equal_input_gives_equal_bytes_wherever_it_lies(tmp_path: Path) -> None:
    pages = set()
    for name in ("here", "there"):
        shutil.copytree(BROKEN, tmp_path / name / "host1")
        pages.add(html(str(tmp_path / name / "host1"), "--root", str(tmp_path / name)))
    assert len(pages) == 1
    assert not re.search(r"\d\d:\d\d:\d\d|\b20\d\d-\d\d-\d\d", pages.pop())


def test_what_is_accepted_known_or_not_assessed_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / BROKEN, tmp_path / "host1")
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ("baseline", "write", "host1", "-o", "b.json"))
    known = html("host1", "--baseline", "b.json")
    assert "known" in Page(known).words["finding-1"]
    Path("icclint.toml").write_text(
        '[[accept]]\nrule = "icc-off-*"\nsubject = "network bridge"\nreason = "<OPS-412>"\nuntil = 2999-01-31\n'
    )
    Path("host1/sysctl.txt").unlink()
    page = Page(html("host1", "--ignore", "duplicate-rules"))
    assert "<OPS-412>" in page.words["accepted-1"]
    assert "until 2999-01-31" in page.words["accepted-1"]
    assert "finding-1" not in page.words
    assert "-duplicate-rules" in page.words["asked"]
    for word in report("host1")["not_assessed"]:
        assert str(word["reason"]) in page.words["not-assessed"]


def drawn(folder: str) -> list[Matrix]:
    (capture,), _ = read_captures([folder], Path())
    return list(matrices(reach(lower_host(capture.host, capture.documents)[0])))


Said = set[tuple[str | None, str, str, object]]
"""The sender's network, the sender, the receiver, and what is said of them."""


def told(row: Row) -> object:
    return row.claim, row.effect, row.services


def said_by(matrix: Matrix) -> Said:
    return {
        (network, sender, receiver, told(row))
        for one, cells in zip(matrix.senders, matrix.cells, strict=True)
        for other, cell in zip(matrix.receivers, cells, strict=True)
        for row in cell
        for network, senders in one.members.items()
        for sender in senders
        for receivers in other.members.values()
        for receiver in receivers
    }


@pytest.mark.parametrize("folder", sorted((ROOT / "tests/captures/28.5.2").iterdir()), ids=lambda folder: folder.name)
def test_a_matrix_says_of_each_pair_what_the_table_says(folder: Path) -> None:
    for matrix in drawn(str(folder)):
        meant = {
            (row.sender_network, sender, receiver, told(row))
            for row in matrix.rows
            for sender in row.senders
            for receiver in row.receivers
        }
        assert said_by(matrix) == meant


def test_containers_that_are_treated_alike_share_a_row() -> None:
    for matrix in drawn("tests/captures/28.5.2/20-large"):
        assert sum(side.size for side in matrix.senders) > 60
        assert len(matrix.senders) <= 4
        assert len(matrix.receivers) <= 3


def test_so_do_those_that_have_rules_of_their_own_to_the_same_effect(tmp_path: Path) -> None:
    """A rule for each container's own port cuts the packets apart, and yet leaves all containers alike."""
    endpoints = {f"id{n}": {"Name": f"c{n:03}", "IPv4Address": f"172.18.0.{n}/24"} for n in range(2, 202)}
    network = {
        "Name": "apps",
        "Id": "aaaaaaaaaaaa",
        "Driver": "bridge",
        "IPAM": {"Config": [{"Subnet": "172.18.0.0/24", "Gateway": "172.18.0.1"}]},
        "Containers": endpoints,
    }
    (tmp_path / "networks.json").write_text(json.dumps([network]))
    ports = [
        f"-A FORWARD -i eth0 -d 172.18.0.{n}/32 -o br-aaaaaaaaaaaa -p tcp --dport 80 -j ACCEPT" for n in range(2, 202)
    ]
    answers = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    (tmp_path / "rules.txt").write_text("\n".join(["-P FORWARD DROP", answers, *ports, ""]))
    (matrix,) = drawn(str(tmp_path))
    inside, *_ = matrix.receivers
    assert (inside.size, inside.words) == (200, "c002, c003, c004, c005 and 196 more")
    (entering,) = [
        cells[0][0] for one, cells in zip(matrix.senders, matrix.cells, strict=True) if one.words.startswith("outside")
    ]
    assert (entering.claim, entering.effect, [service.words() for service in entering.services]) == (
        "closed",
        "some",
        ["tcp 80"],
    )


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None and not os.environ.get("CI"):
        pytest.skip("needs chromium")
    assert found, "CI installs it"
    return found


def browse(chromium: str, page: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars")
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [chromium, *options, profile, "--window-size=1000,1000", *arguments, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)


def test_a_browser_shows_it_and_has_nothing_to_complain_of(chromium: str, hostile: Path, tmp_path: Path) -> None:
    page, refused, blank = (tmp_path / f"{name}.html" for name in ("page", "refused", "blank"))
    page.write_text(html(str(hostile), "--root", str(hostile.parent)))
    refused.write_text(page.read_text().replace("sha256-", "sha256-A"))
    blank.write_text("<!doctype html>")
    shots = {}
    for name, path, *options in (
        ("light", page, "--blink-settings=preferredColorScheme=1"),
        ("dark", page, "--blink-settings=preferredColorScheme=0"),
        ("refused", refused),
        ("blank", blank),
    ):
        shot = tmp_path / f"{name}.png"
        said = browse(chromium, Path(path), *options, f"--screenshot={shot}").stderr
        assert ("CONSOLE" in said) == (name == "refused"), said
        shots[name] = shot.read_bytes()
    assert len(set(shots.values())) == len(shots)
    assert len(shots["light"]) > 5 * len(shots["blank"])
    shown = Page(browse(chromium, page, "--dump-dom").stdout)
    assert shown.tags["script"] == shown.tags["img"] == 0
    assert SHOWN in shown.words["findings"]
