"""Consoles as people copy them: which hosts and states a transcript shows, and what is said of each.

The transcripts stand in tests/transcripts. They are written in the styles of public threads and of a textbook.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from icclint_rules import RULES

from icclint.capture.read import Capture, read_captures
from icclint.checked import Checked
from icclint.cli import main
from icclint.engine import check
from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.output.delivery import Delivery
from icclint.output.sarif import render_sarif
from icclint.output.text import render_text
from icclint.parse.kind import Kind, kind_of
from icclint.parse.shell import EVERYTHING, NOTHING, Subject, parse_line
from icclint.parse.transcript import read_transcript
from icclint.report import Report
from icclint.source import Document

HERE = Path(__file__).parent / "transcripts"
NETWORKS = "docker network inspect $(docker network ls -q)"


@dataclass(frozen=True)
class Told:
    """What is said of one state: findings by rule and line, open questions by rule and command, gaps by line."""

    findings: list[tuple[str, int]] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)


LEAK, STOPPED, ORPHAN = "icc-off-but-forwarded", "icc-on-but-dropped", "link-orphaned"
INTERNAL, APART = "internal-but-forwarded", "networks-not-isolated"
ASKED = tuple(r for r in RULES if r.id in (LEAK, "icc-off-ipv6-open", STOPPED, ORPHAN, INTERNAL, APART))
"""The rules that hold claims against what the packets do."""
EXPECTED: dict[str, dict[str, Told]] = {
    # ICC on; off after a new start of the daemon, in a chain that drops at its end; then a link in front of that.
    "textbook-chapter.txt": {
        "textbook-chapter.txt (state 1 of 3)": Told(questions=[(STOPPED, "iptables-save")]),
        "textbook-chapter.txt (state 2 of 3)": Told(gaps=[53]),
        "textbook-chapter.txt (state 3 of 3)": Told(questions=[(ORPHAN, NETWORKS)], gaps=[53]),
    },
    # A listing in full: the ACCEPT comes before the DROP.
    "root-listing.txt": {"host": Told([(LEAK, 9)])},
    # A listing without interfaces, of which rules were cut away, and a chain that nobody asked for.
    "mail-without-interfaces.txt": {"host": Told(questions=[(LEAK, "iptables -S")] * 3, gaps=[10])},
    # What `script` records: colours, a title, a typing error, a command broken at the edge of the terminal.
    "typescript.txt": {"host": Told([(STOPPED, 4)], questions=[(STOPPED, "iptables-save")])},
    # A bug report: outputs in fenced blocks beneath the commands; the last block is a quotation.
    "bug-report.md": {"host": Told([(LEAK, 49)])},
    # Banners in place of prompts, an address that was masked.
    "banners.txt": {"host": Told(questions=[(LEAK, "iptables -S")])},
    # One forwards what the other drops.
    "two-hosts.txt": {
        "two-hosts.txt (docker1)": Told(),
        "two-hosts.txt (docker2)": Told(questions=[(STOPPED, "iptables-save")]),
    },
    # Rules of containers, whose FORWARD accepts, are no rules of the host.
    "container-shells.txt": {"host": Told()},
    # The ACCEPT is there, and may stand behind a DROP that grep left out.
    "filtered.txt": {"host": Told(questions=[(LEAK, "iptables -S")], gaps=[2])},
    # A rule is inserted; table nat, which the first state shows, stays as it was.
    "before-and-after.txt": {
        "before-and-after.txt (state 1 of 2)": Told(),
        "before-and-after.txt (state 2 of 2)": Told([(LEAK, 14)]),
    },
    "powershell.txt": {"host": Told([(LEAK, 6)])},
    # Two dumps that cannot both be true, and nothing typed between them: the second one stands alone.
    "page.md": {
        "page.md (state 1 of 2)": Told(gaps=[8]),
        "page.md (state 2 of 2)": Told(
            questions=[(rule, NETWORKS) for rule in sorted((LEAK, "icc-off-ipv6-open", STOPPED, ORPHAN, INTERNAL, APART))]
        ),
    },
}  # fmt: skip


def captures(*names: str) -> dict[str, Capture]:
    found, errors = read_captures([str(HERE / name) for name in names], HERE)
    assert not errors
    return {capture.host: capture for capture in found}


def report(*names: str) -> Report:
    return check(captures(*names).values(), ASKED)


def lowered(capture: Capture) -> Host:
    return lower_host(capture.host, capture.documents)[0]


def shown(text: str, tmp_path: Path) -> list[Capture]:
    """The captures that a text is."""
    (tmp_path / "console.txt").write_text(text)
    found, _ = read_captures([str(tmp_path / "console.txt")], tmp_path)
    return list(found)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_transcript_says_what_it_shows_and_no_more(name: str) -> None:
    found = report(name)
    told = {
        host: Told(
            sorted((f.rule, f.location.line) for f in found.findings if f.host == host),
            sorted((q.rule, q.capture_with or "") for q in found.not_assessed if q.host == host),
            [gap.location.line for gap in found.gaps if gap.host == host],
        )
        for host in sorted({document.host for document in found.documents})
    }
    assert told == EXPECTED[name]
    assert not found.crashes
    assert not any(gap.whole for gap in found.gaps)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_excerpt_stands_where_it_stands_in_its_file(name: str) -> None:
    for capture in captures(name).values():
        (whole,) = (document for document, _ in capture.documents if document.file is None)
        for excerpt in (document for document, _ in capture.documents if document.file is not None):
            assert excerpt.lines
            for line, original in zip(excerpt.lines, whole.lines, strict=False):
                assert original.startswith(line)


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.iterdir()))
def test_a_transcript_is_one_document_by_its_bytes(name: str) -> None:
    found = report(name)
    document = Document(name, (HERE / name).read_bytes())
    assert {(d.name, d.sha256, d.bytes) for d in found.documents} == {(name, document.sha256, len(document.content))}
    assert {d.kind for d in found.documents} <= {"transcript", "diff"}


def test_all_of_them_can_be_written_in_every_form() -> None:
    found = report(*EXPECTED)
    documents = {d.name: d for c in captures(*EXPECTED).values() for d, _ in c.documents if d.file is None}
    parts = [Checked(found, documents)]
    text = "\n".join(render_text(parts))
    assert "root-listing.txt:9:" in text
    assert "docker0 docker0  0.0.0.0/0" in text
    assert json.loads("".join(render_sarif(parts, RULES, Delivery())))["runs"]


def test_the_states_of_a_chapter_are_what_was_true_then() -> None:
    first, second, third = (lowered(capture) for capture in captures("textbook-chapter.txt").values())
    assert [network.icc for host in (first, second, third) for network in host.bridges] == [True, False, False]
    # One chain each was asked for, until all of the table was.
    tables = [host.rulesets[0].tables["filter"] for host in (first, second, third)]
    assert [table.complete for table in tables] == [False, False, True]
    assert [sorted(table.chains) for table in tables][:2] == [
        ["DOCKER-ISOLATION", "FORWARD"],
        ["DOCKER", "DOCKER-ISOLATION", "FORWARD"],
    ]
    # Of the cut network, and of one whose containers came and went, nothing is made up.
    (cut,) = third.bridges
    assert cut.bridge == "docker0"
    assert {"Containers", "IPAM", "Internal"} <= cut.not_shown
    assert cut.span_of("Options", "com.docker.network.bridge.enable_icc").line == 56


def test_a_state_can_be_asked_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    asked = ["trace", "before-and-after.txt", "--from", "172.17.0.2", "--to", "172.17.0.3:5432"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2
    assert "before-and-after.txt (state 1 of 2); before-and-after.txt (state 2 of 2)" in result.output
    ends = [
        CliRunner().invoke(main, [*asked, "--host", f"before-and-after.txt (state {state} of 2)"]).output
        for state in (1, 2)
    ]
    assert "dropped, by -A FORWARD -i docker0 -o docker0 -j DROP" in ends[0]
    assert "by -A FORWARD -i docker0 -p tcp -m tcp --dport 5432 -j ACCEPT" in ends[1]


def test_a_diff_is_the_dump_before_and_after() -> None:
    rules = [lowered(c).rulesets[0].tables["filter"].chains["FORWARD"].rules for c in captures("diff.txt").values()]
    assert [[rule.text for rule in chain] for chain in rules] == [
        ["-A FORWARD -i docker0 -o docker0 -j DROP", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT"],
        ["-A FORWARD -i docker0 -o docker0 -j ACCEPT", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT"],
    ]
    assert [chain[0].span.line for chain in rules] == [8, 9]


# Prompts.

RULES_SHOWN = "-P FORWARD DROP\n-A FORWARD -i docker0 -o docker0 -j DROP\n"


@pytest.mark.parametrize(
    "prompt",
    [
        "user@docker1:~$ sudo ", "root@host:/# ", "root@ubuntu> ", "[root@centos6 ~]# ", "core@ip-10-0-0-1 ~ $ ", "$ ", "# ",
        "% ", "PS C:\\Users\\me> ", "PS /root> ", "C:\\>", "bash-4.2# ", "docker1:~ # ", "(venv) me@host:~/a-b$ sudo -E ",
        "➜  ~ ", "+ ", "### ", "==> Output of ", "\x1b[01;32mroot@h\x1b[00m:\x1b[01;34m~\x1b[00m# ",
    ],
)  # fmt: skip
def test_a_prompt_is_known_by_its_shape(prompt: str, tmp_path: Path) -> None:
    (capture,) = shown(f"{prompt}iptables -S FORWARD\n{RULES_SHOWN}", tmp_path)
    table = lowered(capture).rulesets[0].tables["filter"]
    assert [rule.span.line for rule in table.chains["FORWARD"].rules] == [3]
    assert not table.complete


@pytest.mark.parametrize(
    "text",
    [
        f"# iptables rules of web1\n{RULES_SHOWN}",
        f"# Warning: iptables-legacy tables present, use iptables-legacy to see them\n{RULES_SHOWN}",
        "# sysctl -p reads this\nnet.ipv4.ip_forward = 1\n",
        f'-N X\n-A X -m comment --comment "$ iptables -S" -j DROP\n{RULES_SHOWN}',
        "# iptables -A FORWARD -j DROP\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
    ],
)
def test_a_dump_with_comments_is_no_transcript(text: str) -> None:
    assert kind_of(Document("fw", text.encode())) is not Kind.TRANSCRIPT


def test_the_command_tells_kind_table_and_family(tmp_path: Path) -> None:
    (capture,) = shown(
        "# ip6tables -t nat -S DOCKER\n-N DOCKER\n-A DOCKER -i docker0 -j RETURN\n"
        "# iptables-legacy -S DOCKER\n-N DOCKER\n-A DOCKER -i docker0 -j RETURN\n",
        tmp_path,
    )
    found = [(r.family, r.variant, list(r.tables)) for r in lowered(capture).rulesets]
    assert found == [(4, "legacy", ["filter"]), (6, None, ["nat"])]


# What a command may have changed.


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("sudo iptables -t nat -S", NOTHING),
        ("iptables -nvL --line-numbers | tee out", NOTHING),
        ("docker exec -it web1 ping 172.17.0.3", NOTHING),
        ("docker ps -a", NOTHING),
        ("docker network inspect $(docker network ls -q)", NOTHING),
        ("sudo systemctl status docker", NOTHING),
        ("sysctl net.ipv4.ip_forward", NOTHING),
        ("ssh web2 sudo iptables -F", NOTHING),
        ("curl -s http://172.17.0.2", NOTHING),
        ("iptables -I DOCKER-USER -j ACCEPT", {Subject.RULES}),
        ("echo 0 | sudo tee /proc/sys/net/bridge/bridge-nf-call-iptables", {Subject.SETTINGS}),
        ("sysctl -w net.bridge.bridge-nf-call-iptables=0", {Subject.SETTINGS}),
        ("docker run -d --link web1 web", {Subject.RULES, Subject.ENDPOINTS, Subject.CONTAINERS, Subject.INTERFACES}),
        ("docker exec host-net iptables -F", {Subject.RULES}),
        ("cat <<EOF > /etc/docker/daemon.json", {Subject.FILES}),
        ("sudo systemctl restart docker", EVERYTHING),
        ("sudo -- sh -c 'curl example.org | sh'", EVERYTHING),
        ("echo $(service docker restart)", EVERYTHING),
        ("./setup.sh", EVERYTHING),
        ("sudo reboot", EVERYTHING),
    ],
)
def test_what_a_command_may_change(line: str, changed: set[Subject]) -> None:
    assert parse_line(line).changes == changed


NETWORK = (
    '[{"Name": "bridge", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}, "Containers": {},'
    ' "Options": {"com.docker.network.bridge.name": "docker0", "com.docker.network.bridge.enable_icc": "false"}}]'
)


@pytest.mark.parametrize(
    ("between", "kept"),
    [
        ("docker ps", {"network", "rules", "endpoints"}),
        ("docker run -d web", {"network"}),
        ("docker network create other", {"network"}),
        ("docker network rm bridge", set()),
        ("iptables -A FORWARD -j DROP", {"network", "endpoints"}),
        ("iptables -t nat -A POSTROUTING -j MASQUERADE", {"network", "rules", "endpoints"}),
        ("systemctl restart docker", set()),
        ("./mystery", set()),
    ],
)
def test_what_stays_true_goes_over_into_the_next_state(between: str, kept: set[str], tmp_path: Path) -> None:
    text = (
        f"$ docker network inspect bridge\n{NETWORK}\n$ iptables -S FORWARD\n{RULES_SHOWN}"
        f"$ {between}\n$ sysctl net.ipv4.ip_forward\nnet.ipv4.ip_forward = 1\n"
    )
    last = lowered(shown(text, tmp_path)[-1])
    found = {"network"} if last.networks else set()
    found |= {"rules"} if last.rulesets else set()
    found |= {"endpoints"} if last.networks and "Containers" not in last.networks[0].not_shown else set()
    assert found == kept
    assert last.sysctls is not None


def test_any_kind_of_document_can_stand_in_a_transcript(tmp_path: Path) -> None:
    (capture,) = shown(
        "# docker version\nClient:\n Version:           28.5.2\n\nServer:\n Engine:\n  Version:          28.5.2\n"
        '# cat /etc/docker/daemon.json\n{"icc": false}\n'
        "# lsmod\nModule                  Size  Used by\nbr_netfilter           32768  0\n"
        "# ps -ef\nUID  PID  PPID  C STIME TTY  TIME CMD\nroot 512 1 0 10:00 ? 00:00:01 /usr/bin/dockerd --icc=false\n",
        tmp_path,
    )
    kinds = [kind for document, kind in capture.documents if document.file is not None]
    assert kinds == [Kind.ENGINE, Kind.DAEMON, Kind.MODULES, Kind.PROCESSES]


def test_a_file_that_is_printed_is_not_the_state_of_the_host(tmp_path: Path) -> None:
    (capture,) = shown(f"$ cat /etc/iptables/rules.v4\n{RULES_SHOWN}$ sysctl net.ipv4.ip_forward\nx\n", tmp_path)
    assert not lowered(capture).rulesets
    assert [gap.span.line for gap in capture.gaps] == [2]


def test_what_a_command_could_not_print_is_told(tmp_path: Path) -> None:
    (capture,) = shown("$ iptables -S\niptables v1.8.7: can't initialize iptables table `filter'\n", tmp_path)
    assert [(gap.span.line, gap.text) for gap in capture.gaps] == [
        (2, "iptables v1.8.7: can't initialize iptables table `filter'")
    ]


def test_a_transcript_beside_other_documents(tmp_path: Path) -> None:
    (tmp_path / "networks.json").write_text(NETWORK)
    (tmp_path / "console.txt").write_text(f"$ iptables -S FORWARD\n{RULES_SHOWN}")
    ((capture,), _) = read_captures([str(tmp_path)], tmp_path)
    assert [network.name for network in lowered(capture).networks or ()] == ["bridge"]
    assert lowered(capture).rulesets
    # Several states cannot all be of the time of the networks.
    (tmp_path / "console.txt").write_text(
        f"$ iptables -S\n{RULES_SHOWN}$ iptables -F\n$ iptables -S\n-P FORWARD DROP\n"
    )
    found, _ = read_captures([str(tmp_path)], tmp_path)
    assert {c.host: bool(lowered(c).networks) for c in found} == {
        tmp_path.name: True, "console.txt (state 1 of 2)": False, "console.txt (state 2 of 2)": False,
    }  # fmt: skip


def test_too_much_is_told_and_not_gone_through(tmp_path: Path) -> None:
    (capture,) = shown("$ iptables -S\n-P FORWARD DROP\n" * 3000, tmp_path)
    assert [gap.whole for gap in capture.gaps] == [True]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("# docker exec web1 ping x\n# iptables -S FORWARD\n-P FORWARD DROP\n", 1),
        ("# docker exec -it web1 sh\n# iptables -S FORWARD\n-P FORWARD DROP\n", 0),
        ("# docker exec -it web1 sh\n# exit\n# iptables -S FORWARD\n-P FORWARD DROP\n", 1),
        ("$ docker run -it web bash\nbash-5.1# iptables -S FORWARD\n-P FORWARD DROP\n", 0),
        ("$ docker run -it web bash\nbash-5.1# ls\n$ iptables -S FORWARD\n-P FORWARD DROP\n", 1),
        ("$ ssh web2 iptables -S FORWARD\n-P FORWARD ACCEPT\n$ iptables -S FORWARD\n-P FORWARD DROP\n", 1),
        ("$ sudo ip netns exec x iptables -S FORWARD\n-P FORWARD DROP\n", 0),
    ],
)
def test_whose_rules_they_are(text: str, own: int, tmp_path: Path) -> None:
    (capture,) = shown(text, tmp_path)
    assert [ruleset.tables["filter"].chains["FORWARD"].policy for ruleset in lowered(capture).rulesets] == [
        "DROP"
    ] * own


def test_notes_beside_hosts_do_not_make_them_one(tmp_path: Path) -> None:
    for name in ("web1", "web2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "iptables-save").write_text("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n")
    (tmp_path / "notes.txt").write_text(f"$ iptables -S\n{RULES_SHOWN}")
    found, _ = read_captures([str(tmp_path)], tmp_path)
    assert [capture.host for capture in found] == [tmp_path.name, "web1", "web2"]


def test_a_command_and_its_rest() -> None:
    text = "$ iptables -S \\\n>  FORWARD\n-P FORWARD DROP\n$ cat <<EOF > x\n$ iptables -F\nEOF\n$ iptables -t nat -S\n"
    entries = read_transcript(Document("x", text.encode())).entries
    assert [entry.text for entry in entries if entry.text] == [
        "iptables -S FORWARD", "cat <<EOF > x", "iptables -t nat -S",
    ]  # fmt: skip
