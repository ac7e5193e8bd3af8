"""The engine's version, and what dockerd was told, from every document that states them."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap

DOCUMENTS = Path(__file__).parent / "documents"
CAPTURES = Path(__file__).parent / "captures"
VERSIONS = {"20.10.24": "20.10.24+dfsg1", "26.1.5": "26.1.5+dfsg1", "28.5.2": "28.5.2+dfsg4"}
PROCESSES = ("ps-aux.txt", "ps-ef.txt", "ps-forest.txt")


def host_of(**documents: str) -> tuple[Host, tuple[Gap, ...]]:
    made = [Document(name, text.encode()) for name, text in documents.items()]
    return lower_host("host", [(document, kind_of(document)) for document in made])


def stored(engine: str, *names: str) -> tuple[Host, tuple[Gap, ...]]:
    return host_of(**{name: (DOCUMENTS / engine / name).read_text() for name in names})


@pytest.mark.parametrize("engine", VERSIONS)
@pytest.mark.parametrize("name", ["docker-version.json", "docker-info.txt", "docker-info.json"])
def test_every_document_of_the_engine_names_its_version(engine: str, name: str) -> None:
    host, gaps = stored(engine, name)
    assert not gaps
    assert host.engine is not None
    assert host.engine.version == VERSIONS[engine]
    assert host.engine.release == tuple(map(int, engine.split(".")))
    lines = (DOCUMENTS / engine / name).read_text().splitlines()
    span = host.engine.span
    assert VERSIONS[engine] in lines[span.line - 1][span.column - 1 : span.end_column - 1]


@pytest.mark.parametrize("engine", [*VERSIONS, "29.7.2"])
def test_docker_version_of_every_captured_engine_is_read(engine: str) -> None:
    (text,) = {
        (folder / "docker-version.txt").read_text().partition("Engine:")[2].partition("Built")[0]
        for folder in (CAPTURES / engine).iterdir()
    }
    whole = (CAPTURES / engine / "01-default-icc-true" / "docker-version.txt").read_text()
    host, gaps = host_of(version=whole)
    assert text in whole
    assert not gaps
    assert host.engine is not None
    assert host.engine.release == tuple(map(int, engine.split(".")))
    # The server's, not the client's.
    assert host.engine.span.line > whole[: whole.index("Server:")].count("\n")


def test_version_and_info_that_agree_are_no_gap_and_others_are() -> None:
    version = "Server:\n Version:      17.09.0-ce\n API version:  1.32 (minimum version 1.12)\n"
    info = (
        "Containers: 2\n Running: 2\nServer Version: {}\nSecurity Options:\n apparmor\n seccomp\n  Profile: default\n"
    )
    host, gaps = host_of(a=version, b=info.format("17.09.0-ce"))
    assert not gaps
    assert host.engine is not None
    assert (host.engine.version, host.engine.release, host.engine.rootless) == ("17.09.0-ce", (17, 9, 0), False)
    _, gaps = host_of(a=version, b=info.format("18.06.3-ce"))
    assert [(gap.span.document, gap.span.line) for gap in gaps] == [("b", 3)]


def test_the_oldest_form_names_the_server() -> None:
    text = "Client version: 1.6.2\nClient API version: 1.18\nServer version: 1.5.0\nServer API version: 1.17\n"
    host, gaps = host_of(version=text)
    assert not gaps
    assert host.engine is not None
    assert host.engine.version == "1.5.0"


def test_what_runs_docker_info_in_json_alone() -> None:
    host, _ = stored("28.5.2", "docker-info.json")
    assert host.engine is not None
    assert (host.engine.firewall_backend, host.engine.rootless) == ("iptables", False)
    old, _ = stored("26.1.5", "docker-info.json")
    assert old.engine is not None
    assert old.engine.firewall_backend is None


@pytest.mark.parametrize(
    "text",
    [
        "Client:\n Version: 28.5.2\n\nServer:\n Server Version: 28.5.2\n Security Options:\n"
        "  seccomp\n   Profile: builtin\n  rootless\n  cgroupns\n Firewall Backend: nftables+firewalld\n",
        '{"ServerVersion": "28.5.2", "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],'
        ' "FirewallBackend": {"Driver": "nftables+firewalld"}}',
    ],
)
def test_a_rootless_engine_and_its_firewall_are_told(text: str) -> None:
    host, gaps = host_of(info=text)
    assert not gaps
    assert host.engine is not None
    assert (host.engine.rootless, host.engine.firewall_backend) == (True, "nftables+firewalld")


def test_a_client_without_its_engine_says_so() -> None:
    unheard = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    host, gaps = host_of(version=f"Client:\n Version:           28.5.2\n Context:           default\n{unheard}\n")
    assert host.engine is None
    assert [(gap.span.line, gap.text) for gap in gaps] == [(4, unheard)]
    host, gaps = host_of(info=json.dumps({"ID": "", "ServerVersion": "", "ServerErrors": [unheard]}))
    assert host.engine is None
    assert [gap.text for gap in gaps] == [unheard]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_says_what_dockerd_was_told(name: str) -> None:
    host, gaps = stored("20.10.24", name)
    daemon = host.daemon
    assert not gaps
    assert daemon is not None
    assert (daemon.icc, daemon.ip6tables, daemon.bridge_address) == (False, True, ip_interface("10.9.0.1/24"))
    assert (daemon.iptables, daemon.userland_proxy, daemon.configuration_file) == (None, None, None)
    assert daemon.command_line is not None
    line = (DOCUMENTS / "20.10.24" / name).read_text().splitlines()[daemon.command_line.line - 1]
    assert line[daemon.command_line.column - 1 :].startswith("dockerd -H unix:///var/run/docker.sock")
    place = daemon.span_of("bridge_address")
    assert place is not None
    assert line[place.column - 1 : place.end_column - 1] == "--bip 10.9.0.1/24"
    assert daemon.span_of("iptables") is None


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_and_its_daemon_json_join(name: str) -> None:
    host, gaps = stored("28.5.2", name, "daemon.json")
    daemon = host.daemon
    assert not gaps
    assert daemon is not None
    assert (daemon.icc, daemon.userland_proxy, daemon.ip) == (False, False, ip_address("127.0.0.1"))
    assert (daemon.ip_forward_no_drop, daemon.allow_direct_routing) == (True, True)
    assert daemon.default_network_opts == {"bridge": {"com.docker.network.bridge.enable_icc": "false"}}
    places = {field: daemon.span_of(field) for field in ("icc", "ip_forward_no_drop")}
    assert {field: place and place.document for field, place in places.items()} == {
        "icc": "daemon.json",
        "ip_forward_no_drop": name,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/usr/bin/dockerd -H fd:// --icc=false --iptables=0", {"icc": False, "iptables": False}),
        ("dockerd --icc --userland-proxy=F", {"icc": True, "userland_proxy": False}),
        # pflag takes the value of a switch after `=` only, and the last of two flags.
        ("dockerd --icc false", {"icc": True}),
        ("dockerd --icc=false --icc=true", {"icc": True}),
        ("dockerd -b br0 --ip 192.0.2.1", {"bridge": "br0", "ip": ip_address("192.0.2.1")}),
        ("/usr/bin/docker daemon --bip=10.0.0.1/8", {"bridge_address": ip_interface("10.0.0.1/8")}),
        ("/usr/bin/docker -d --icc=false", {"icc": False}),
        ("dockerd --firewall-backend nftables", {"firewall_backend": "nftables"}),
        (
            "dockerd --default-network-opt bridge=com.docker.network.driver.mtu=1400"
            " --default-network-opt=bridge=com.docker.network.bridge.enable_icc=false",
            {
                "default_network_opts": {
                    "bridge": {"com.docker.network.driver.mtu": "1400", "com.docker.network.bridge.enable_icc": "false"}
                }
            },
        ),
        ("dockerd --label icc=false --log-opt ip=1", {}),
    ],
)
def test_flags_mean_what_dockerd_makes_of_them(line: str, expected: dict[str, object]) -> None:
    host, gaps = host_of(line=line + "\n")
    assert not gaps
    assert host.daemon is not None
    stated = host.daemon.model_dump(exclude={"command_line", "configuration_file", "spans"}, exclude_unset=True)
    assert stated == expected


UNIT = """\
# /lib/systemd/system/docker.service
[Unit]
Description=Docker Application Container Engine

[Service]
Type=notify
ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
"""
DROP_IN = """\
# /etc/systemd/system/docker.service.d/override.conf
[Service]
ExecStart=
ExecStart=-/usr/bin/dockerd -H fd:// \\
    # loopback only
    --ip="127.0.0.1" \\
    '--icc=false'
"""


@pytest.mark.parametrize("documents", [{"cat": f"{UNIT}\n{DROP_IN}"}, {"unit": UNIT, "unit.d/x": DROP_IN}])
def test_a_drop_in_takes_back_the_command_line_before_it(documents: dict[str, str]) -> None:
    host, gaps = host_of(**documents)
    daemon = host.daemon
    assert not gaps
    assert daemon is not None
    assert (daemon.icc, daemon.ip) == (False, ip_address("127.0.0.1"))
    place = daemon.span_of("ip")
    assert place is not None
    name, text = list(documents.items())[-1]
    assert place.document == name
    assert text.splitlines()[place.line - 1][place.column - 1 : place.end_column - 1] == '--ip="127.0.0.1"'


def test_what_only_the_environment_knows_leaves_a_command_line_open() -> None:
    unit = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
    host, gaps = host_of(unit=unit)
    assert host.daemon is not None
    assert host.daemon.command_line is None
    assert [(gap.text, gap.span.line) for gap in gaps] == [("$DOCKER_OPTS", 3)]
    # The process tells what it became.
    host, gaps = host_of(unit=unit, ps="UID PID CMD\nroot 1 /usr/sbin/dockerd -H fd:// --icc=false\n")
    assert not gaps
    assert host.daemon is not None
    assert host.daemon.command_line is not None
    assert host.daemon.icc is False


def test_a_unit_of_another_service_tells_nothing_of_dockerd() -> None:
    text = "[Unit]\nDescription=x\n[Service]\nExecStart=/usr/bin/containerd --icc=false\n"
    host, gaps = host_of(unit=text, ps="  PID TTY TIME CMD\n  812 ? 00:00:00 grep --color=auto dockerd --icc=false\n")
    assert not gaps
    assert host.daemon is None


def test_the_running_command_line_counts_before_a_unit_that_says_otherwise() -> None:
    unit = "[Service]\nExecStart=/usr/bin/dockerd --icc=false\n"
    host, gaps = host_of(ps="UID PID CMD\nroot 1 /usr/bin/dockerd -H fd://\n", unit=unit)
    assert host.daemon is not None
    assert host.daemon.icc is None
    assert [(gap.span.document, gap.span.line) for gap in gaps] == [("unit", 2)]


def test_of_several_engines_that_differ_none_is_taken() -> None:
    ps = "UID PID CMD\nroot 1 /usr/bin/dockerd --icc=false\nroot 99 dockerd --host=unix:///var/run/docker.sock\n"
    host, gaps = host_of(ps=ps)
    assert host.daemon is None
    assert [gap.span.line for gap in gaps] == [2, 3]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"live-restore": true,\n "icc": "false"}', 2),
        ('{"live-restore": true,\n "ip": "localhost"}', 2),
        ('{"live-restore": true,\n "default-network-opts": {"bridge": "x"}}', 2),
        ('{"bip": "172.17.0.1/16",\n "bip": "172.18.0.1/16"}', 2),
    ],
)
def test_a_value_that_dockerd_refuses_is_a_gap(text: str, line: int) -> None:
    host, gaps = host_of(config=text)
    assert kind_of(Document("config", text.encode())) is Kind.DAEMON
    assert [gap.span.line for gap in gaps] == [line]
    assert host.daemon is not None
    assert (host.daemon.icc, host.daemon.ip, host.daemon.default_network_opts) == (None, None, {})


def test_a_setting_in_both_places_was_changed_in_one_of_them() -> None:
    host, gaps = host_of(file='{"icc": true}', ps="UID PID CMD\nroot 1 dockerd --icc=false\n")
    assert host.daemon is not None
    assert host.daemon.icc is False
    assert [gap.span.document for gap in gaps] == ["file"]


def test_an_empty_daemon_json_states_nothing_and_is_known() -> None:
    host, gaps = host_of(**{"etc/docker/daemon.json": "{}"})
    assert not gaps
    assert host.daemon is not None
    assert host.daemon.configuration_file is not None
