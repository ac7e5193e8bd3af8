"""Whether bridged frames meet iptables, from every document that can tell, and what none of them tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.packets.effect import Effect
from icclint.packets.verdict import Assumption, Decision
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document

DOCUMENTS = Path(__file__).parent / "documents"
NAME = "net.bridge.bridge-nf-call-iptables"

LSMOD = """\
Module                  Size  Used by
xt_conntrack           16384  2
bridge                311296  0
stp                    16384  1 bridge
llc                    16384  2 bridge,stp
nf_tables             352256  57 nft_compat,nft_chain_nat
"""
LOADED = LSMOD.replace(
    "bridge                311296  0", "br_netfilter           32768  0\nbridge 311296  1 br_netfilter"
)
VERSION = json.dumps({"Client": {}, "Server": {"Version": "28.5.2", "KernelVersion": "6.1.0-18-amd64"}})


def host_of(**documents: str) -> Host:
    made = [Document(name, text.encode()) for name, text in documents.items()]
    host, gaps = lower_host("host", [(document, kind_of(document)) for document in made])
    assert not gaps
    return host


def switch(family: int = 4, **documents: str) -> Decision | Assumption | None:
    return Effect(host_of(**documents)).firewall(family).bridge_netfilter("docker0")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (LSMOD, {"xt_conntrack", "bridge", "stp", "llc", "nf_tables"}),
        # `lsmod | grep bridge`, and /proc/modules.
        ("bridge                311296  1 br_netfilter\nstp                    16384  1 bridge\n", {"bridge", "stp"}),
        ("br_netfilter 32768 0 - Live 0x0000000000000000\nbridge 311296 1 br_netfilter, Live 0x0\n", {"bridge", "br_netfilter"}),
    ],
)  # fmt: skip
def test_modules_are_read_with_those_that_use_them(text: str, names: set[str]) -> None:
    assert kind_of(Document("x", text.encode())) is Kind.MODULES
    host = host_of(modules=text)
    users = {module.name: module.users for module in host.modules or ()}
    assert users.keys() == names
    assert users.get("stp", {"bridge"}) == {"bridge"}
    if "xt_conntrack" not in names:
        assert users["bridge"] == {"br_netfilter"}


def test_a_bridge_without_br_netfilter_hands_no_frame_over() -> None:
    found = switch(lsmod=LSMOD, version=VERSION)
    assert isinstance(found, Decision)
    assert found.span is not None
    assert (found.span.document, found.span.line) == ("lsmod", 3)
    # The switch of the bridge itself is br_netfilter's too.
    link = "3: docker0: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP\n    bridge nf_call_iptables 1\n"
    assert isinstance(switch(lsmod=LSMOD, version=VERSION, link=link), Decision)
    assert switch(version=VERSION, link=link, sysctl=f"{NAME} = 0\n") is None


@pytest.mark.parametrize(
    "documents",
    [
        {"lsmod": LOADED, "version": VERSION},
        {"lsmod": "bridge 311296  1 br_netfilter\n", "version": VERSION},
        # Loaded, or built in, or a part of the bridge as before Linux 3.18: the setting would tell.
        {"lsmod": LSMOD},
        {"lsmod": LSMOD, "version": VERSION.replace("6.1.0-18", "3.10.0-1160")},
        {"lsmod": LSMOD.replace("bridge ", "xt_mark "), "version": VERSION},
        {"lsmod": "Module                  Size  Used by\n", "version": VERSION},
    ],
)
def test_otherwise_modules_do_not_tell(documents: dict[str, str]) -> None:
    found = switch(**documents)
    assert isinstance(found, Assumption)
    assert found.capture_with == f"sysctl {NAME}"


def test_the_setting_counts_before_the_modules() -> None:
    assert switch(lsmod=LSMOD, version=VERSION, sysctl=f"{NAME} = 1\n") is None


def info(engine: str, **changed: object) -> str:
    told = json.loads((DOCUMENTS / engine / "docker-info.json").read_text())
    return json.dumps(told | changed)


def test_docker_info_tells_where_the_engine_looked_it_up() -> None:
    assert switch(info=info("20.10.24")) is None
    found = switch(info=info("20.10.24", BridgeNfIptables=False))
    assert isinstance(found, Decision)
    assert found.text == f"{NAME} = 0"
    assert isinstance(switch(6, info=info("20.10.24", BridgeNfIp6tables=False)), Decision)
    # Later engines tell what was so when they were started, or nothing.
    for engine in ("26.1.5", "28.5.2"):
        assert isinstance(switch(info=info(engine, BridgeNfIptables=False)), Assumption)


def test_the_warning_of_docker_info_tells_as_much() -> None:
    text = (DOCUMENTS / "20.10.24" / "docker-info.txt").read_text()
    # Its absence says nothing: warnings go to another stream than the rest.
    assert isinstance(switch(info=text), Assumption)
    found = switch(info=f"{text}WARNING: bridge-nf-call-iptables is disabled\n")
    assert isinstance(found, Decision)
    assert found.span is not None
    assert found.span.line == len(text.splitlines()) + 1


def test_docker_info_that_differs_from_sysctl_is_a_gap() -> None:
    documents = {"sysctl": f"{NAME} = 1\n", "info": info("20.10.24", BridgeNfIptables=False)}
    made = [Document(name, text.encode()) for name, text in documents.items()]
    host, gaps = lower_host("host", [(document, kind_of(document)) for document in made])
    assert [(gap.span.document, gap.text) for gap in gaps] == [("info", "0")]
    assert (host.sysctls or {})[NAME].value == "1"
