"""Listings of nftables: which tables are read, what their rules become, and what is left unknown."""

from __future__ import annotations

import pytest

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.kind import kind_of
from icclint.question import Question
from icclint.source import Document, Gap
from icclint.trace import Answer, Tracer
from tests import captured, notation

TABLE = """table ip docker-bridges {
	map filter-forward-in-jumps {
		type ifname : verdict
		elements = { "br-1" : jump filter-forward-in__br-1,
			     "docker0" : jump filter-forward-in__docker0 }
	}

	chain filter-FORWARD {
		type filter hook forward priority filter; policy accept;
		oifname vmap @filter-forward-in-jumps
	}

	chain filter-forward-in__docker0 {
		RULE
		iifname "docker0" counter packets 0 bytes 0 drop comment "ICC"
	}

	chain filter-forward-in__br-1 {
	}
}
"""  # noqa: E101 - as nft prints it
OTHER = "table inet guard {\n}\n"
CLOSED = 'iifname "docker0" counter packets 0 bytes 0 drop comment "ICC"'


def read(*texts: str) -> tuple[Host, tuple[Gap, ...]]:
    documents = [Document(f"nft-{number}", text.encode()) for number, text in enumerate(texts)]
    return lower_host("host", [(document, kind_of(document)) for document in documents])


def lines(host: Host, chain: str) -> list[str]:
    (rules,) = host.native_rules(4)
    return [notation.rule_line(rule, 4) for rule in rules.chains[chain].rules]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("accept", "any -> accept"),
        ("ct state established,related counter packets 7 bytes 9 accept", "state ESTABLISHED or RELATED -> accept"),
        ("ct state != invalid drop", "not state INVALID -> drop"),
        ("ip saddr 10.0.0.0/8 ip daddr != 10.1.0.1 return", "from 10.0.0.0/8, not to 10.1.0.1 -> return"),
        ("ip daddr { 10.1.0.1, 10.1.0.9 } drop", "to 10.1.0.1 or 10.1.0.9 -> drop"),
        ('iifname != { "docker0", "eth1" } drop', "not in docker0, not in eth1 -> drop"),
        ("tcp dport 80-90 accept # handle 12", "protocol 6, destination port 80-90 -> accept"),
        ("udp sport != { 53, 123 } accept", "protocol 17, not source port 53 or 123 -> accept"),
        ("ip protocol icmp counter packets 0 bytes 0 accept", "protocol 1 -> accept"),
        ("meta l4proto != tcp drop", "not protocol 6 -> drop"),
        (
            "fib daddr type local goto filter-forward-in__br-1",
            "destination LOCAL -> chain filter-forward-in__br-1 for good",
        ),
        ("meta mark 0x00000001 accept", "mark 0x1 of 0xffffffff -> accept"),
        ("meta mark & 0x0000000f != 0x00000002 accept", "not mark 0x2 of 0xf -> accept"),
        ("dnat to 172.17.0.2:80", "any -> rewrite destination to 172.17.0.2 port 80"),
        ("snat to 192.0.2.1", "any -> rewrite source to 192.0.2.1"),
        ("masquerade", "any -> rewrite source interface"),
        ("counter packets 0 bytes 0", "any -> next rule"),
    ],
)
def test_what_docker_writes_is_modelled(rule: str, expected: str) -> None:
    host, gaps = read(TABLE.replace("RULE", rule))
    assert gaps == ()
    assert lines(host, "filter-forward-in__docker0") == [expected, "in docker0 -> drop"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # One of several names: no condition of iptables says that.
        ('iifname { "docker0", "eth1" } accept', 'free "iifname { "docker0", "eth1" }" -> accept'),
        ('iifname "veth*" accept', 'free "iifname "veth*"" -> accept'),
        # `+` is a part of a name to nftables, and the end of a pattern to iptables.
        ('oifname "br+" accept', 'free "oifname "br+"" -> accept'),
        # States are bits to nftables.
        ("ct state != new,established drop", 'free "ct state != new,established" -> drop'),
        ("ip daddr 300.1.1.1 drop", 'free "ip daddr 300.1.1.1" -> drop'),
        ("tcp dport ssh accept", 'free "tcp dport ssh" -> accept'),
        ("fib daddr type broadcast drop", 'free "fib daddr type broadcast" -> drop'),
        ("jump elsewhere", 'any -> unknown "jump elsewhere"'),
        ("dnat to 10.0.0.1:90-80", "any -> rewrite destination unknown"),
    ],
)
def test_a_part_that_is_out_of_shape_is_unknown_alone(rule: str, expected: str) -> None:
    host, gaps = read(TABLE.replace("RULE", rule))
    assert gaps == ()
    assert lines(host, "filter-forward-in__docker0") == [expected, "in docker0 -> drop"]


@pytest.mark.parametrize(
    "rule", ["limit rate 5/second accept", "ip ttl 1 drop", "tcp flags syn / syn,ack accept", "{", "@"]
)
def test_a_rule_in_other_words_may_do_anything(rule: str) -> None:
    host, gaps = read(TABLE.replace("RULE", rule))
    assert [(gap.span.line, gap.text) for gap in gaps] == [(14, rule)]
    assert lines(host, "filter-forward-in__docker0")[0] == f'free "{rule}" -> unknown "{rule}"'


def test_two_verdicts_in_one_rule_are_unknown() -> None:
    host, _ = read(TABLE.replace("RULE", "accept drop"))
    assert lines(host, "filter-forward-in__docker0")[0] == 'free "accept drop" -> unknown "accept drop"'


def test_a_map_of_verdicts_is_one_rule_for_each_interface() -> None:
    host, _ = read(TABLE.replace("RULE", "accept"))
    assert lines(host, "filter-FORWARD") == [
        "out br-1 -> chain filter-forward-in__br-1",
        "out docker0 -> chain filter-forward-in__docker0",
    ]


def test_a_rule_reads_the_same_whatever_it_has_counted() -> None:
    texts = {
        rule.text
        for counts in ("packets 0 bytes 0", "packets 12 bytes 3401")
        for rules in read(TABLE.replace("RULE", f"counter {counts} accept # handle 7"))[0].native_rules(4)
        for rule in rules.chains["filter-forward-in__docker0"].rules[:1]
    }
    assert texts == {"counter accept"}


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("filter", 0),
        ("raw", -300),
        ("dstnat", -100),
        ("srcnat", 100),
        ("filter + 10", 10),
        ("raw - 5", -305),
        ("-7", -7),
    ],
)
def test_priorities(priority: str, expected: int) -> None:
    host, _ = read(TABLE.replace("priority filter", f"priority {priority}").replace("RULE", "accept"))
    (rules,) = host.native_rules(4)
    assert [(base.chain.name, base.hook, base.priority) for base in rules.base_chains] == [
        ("filter-FORWARD", "FORWARD", expected)
    ]


# -- what becomes of packets -----------------------------------------------


def between_containers(text: str) -> Answer:
    """From one container to the other on a host of which that is the listing, in place of its own."""
    full = captured.capture("29.7.2-nftables/10b-accept-forward-top")
    kept = [(document, kind) for document, kind in full.documents if document.name != "nft-ruleset.txt"]
    listing = Document("nft-ruleset.txt", text.encode())
    host, _ = lower_host("host", [*kept, (listing, kind_of(listing))])
    return Tracer(host).answer(Question(source="web1", destination="web2", protocol="tcp", port=80))


def test_the_table_decides_whatever_iptables_accepts() -> None:
    answer = between_containers(TABLE.replace("RULE", ""))
    assert (answer.verdict, answer.at.text) == ("dropped", 'iifname "docker0" counter drop comment "ICC"')
    answer = between_containers(TABLE.replace("RULE", "tcp dport 80 accept"))
    assert (answer.verdict, answer.at.text) == ("delivered", "tcp dport 80 accept")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TABLE.partition("RULE")[0], id="cut in a chain"),
        pytest.param(TABLE.partition("\tchain filter-forward-in__docker0")[0], id="cut between chains"),
        pytest.param(
            TABLE.replace("table ip docker-bridges {\n", "table ip docker-bridges {\n\tflags dormant\n"), id="flag"
        ),
        pytest.param(TABLE.replace("hook forward priority filter", "hook forward priority later"), id="hook"),
        pytest.param(TABLE.replace('"br-1" : jump', '"br-1" : queue'), id="map"),
        pytest.param(TABLE.partition("\t\telements")[0] + "\t}\n\n" + TABLE[TABLE.index("\tchain") :], id="nft -t"),
    ],
)
def test_what_may_stand_where_nothing_could_be_read_makes_the_end_unknown(text: str) -> None:
    assert between_containers(text.replace("RULE", "accept")).verdict == "unknown"


def test_without_bridges_a_map_is_empty() -> None:
    """As in the table for IPv6 of most hosts: no chain is left that something should lead to."""
    head, _, rest = TABLE.partition("\t\telements")
    text = head + rest[rest.index("\t}\n") :].partition("\tchain filter-forward-in__docker0")[0] + "}\n"
    assert between_containers(text).verdict == "delivered"


# -- listings beside other evidence ----------------------------------------


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        (TABLE + OTHER, True),
        # Perhaps of `nft list table`.
        (TABLE, False),
        (TABLE + "table ip filter {\n}\n", False),
        (OTHER + TABLE.partition("RULE")[0], False),
    ],
)
def test_an_empty_save_is_the_whole_truth_where_nftables_shows_no_table_of_iptables(listing: str, told: bool) -> None:
    documents = [Document("iptables-save.txt", b""), Document("nft", listing.replace("RULE", "accept").encode())]
    host, _ = lower_host("host", [(document, kind_of(document)) for document in documents])
    assert [(ruleset.family, ruleset.all_tables) for ruleset in host.rulesets] == ([(4, True)] if told else [])


def test_the_same_table_twice_is_one_and_two_that_differ_are_a_gap() -> None:
    counted = TABLE.replace("RULE", "counter packets 0 bytes 0 accept")
    host, gaps = read(counted, counted.replace("packets 0 bytes 0 accept", "packets 5 bytes 300 accept"))
    assert (len(host.native_tables or ()), gaps) == (1, ())
    host, gaps = read(counted, counted.replace("accept\n", "drop\n", 1))
    assert lines(host, "filter-forward-in__docker0")[0] == "any -> accept"
    assert ["differs from nft-0:1:1" in gap.reason for gap in gaps] == [True]


def test_tables_of_others_are_named_and_not_read() -> None:
    text = "table inet guard {\n\tchain in {\n\t\ttype filter hook forward priority filter; policy accept;\n\t\tfoo\n\t}\n}\n"
    host, gaps = read(text)
    assert gaps == ()
    assert [(table.family, table.name, table.rules) for table in host.native_tables or ()] == [("inet", "guard", None)]
