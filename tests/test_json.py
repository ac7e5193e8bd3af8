"""JSON with positions, and what `docker inspect` prints of networks and containers, engine by engine."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icclint.ir.host import Host
from icclint.lower.host import lower_host
from icclint.parse.json import MOST_LEVELS, JsonError, JsonText, Path, parse_by_grammar, parse_json
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap, Span
from tests import captured

FAST = settings(derandomize=True, deadline=None, max_examples=200)


def parsed(text: str) -> JsonText:
    return parse_json(Document("x.json", text.encode("utf-8", "surrogatepass")))


def refused(text: str) -> Gap:
    with pytest.raises(JsonError) as error:
        parsed(text)
    return error.value.gap


def lowered(*documents: str | tuple[str, str]) -> tuple[Host, tuple[Gap, ...]]:
    named = [d if isinstance(d, tuple) else (f"{number}.json", d) for number, d in enumerate(documents)]
    read = [Document(name, text.encode("utf-8", "surrogatepass")) for name, text in named]
    return lower_host("host", [(document, kind_of(document)) for document in read])


def cut_out(text: str, span: Span) -> str:
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@FAST
@given(JSON_VALUES, st.sampled_from((None, 0, 2, "\t")), st.booleans())
def test_the_value_is_that_of_json_loads(value: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parsed(text).value == json.loads(text)


@FAST
@given(JSON_VALUES, st.sampled_from((None, 0, 2, "\t")), st.booleans())
def test_the_text_at_a_place_is_the_value_there(value: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    read = parsed(text)
    for path, span in read.spans.items():
        part = cut_out(text, span)
        if path and isinstance(path[-1], str):
            # Of a member, the key is a part of the place.
            assert json.loads(f"{{{part}}}") == {path[-1]: at(read.value, path)}
        else:
            assert json.loads(part) == at(read.value, path)


@FAST
@given(JSON_VALUES, st.sampled_from((None, 0, 2, "\t")), st.sampled_from(("", " ", "\n\n", "\t\r\n")))
def test_every_place_is_that_of_the_grammar(value: Any, indent: int | str | None, around: str) -> None:
    text = f"{around}{json.dumps(value, indent=indent)}{around}"
    slow = parse_by_grammar(Document("x.json", text.encode()))
    assert (parsed(text).value, dict(parsed(text).spans)) == (slow.value, slow.spans)


@pytest.mark.parametrize(
    "path", sorted(captured.ROOT.glob("28.5.2/*/*.json"))[::3], ids=lambda path: "/".join(path.parts[-2:])
)
def test_every_place_in_a_captured_document_is_that_of_the_grammar(path: pathlib.Path) -> None:
    document = Document("x.json", path.read_bytes())
    fast, slow = parse_json(document), parse_by_grammar(document)
    assert (fast.value, dict(fast.spans)) == (slow.value, slow.spans)


@FAST
@given(JSON_VALUES)
def test_every_value_has_a_place(value: Any) -> None:
    def paths(value: Any, path: Path = ()) -> set[Path]:
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return {path}.union(*(paths(part, (*path, key)) for key, part in parts))

    assert parsed(json.dumps(value)).spans.keys() == paths(value)


@FAST
@given(st.text(alphabet='[]{}",:0123456789.eE+-truefalsn \n\t\\u\ud800\x00é', max_size=40))
def test_what_json_loads_refuses_is_refused_and_nothing_else(text: str) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        expected = json.loads(text, parse_constant=refuse)
    except ValueError:
        assert refused(text).whole
    else:
        assert parsed(text).value == expected


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", (1, 1), "not JSON: the text ends at line 1, column 1 before its value is complete"),
        ("[1,\n 2", (2, 3), "not JSON: the text ends at line 2, column 3 before its value is complete"),
        ("[1,\n 2\n", (2, 3), "not JSON: the text ends at line 2, column 3 before its value is complete"),
        ('[{"a": "b",\n  "c": "d', (2, 8), "not JSON: unexpected text at line 2, column 8"),
        ("[1]\nroot@host:~# ", (2, 1), "not JSON: unexpected text at line 2, column 1"),
        ("[1][2]", (1, 4), "not JSON: unexpected text at line 1, column 4"),
        ("[NaN]", (1, 2), "not JSON: unexpected text at line 1, column 2"),
        ("[-Infinity]", (1, 2), "not JSON: unexpected text at line 1, column 2"),
        ('["a\tb"]', (1, 2), "not JSON: unexpected text at line 1, column 2"),
        ("{'a': 1}", (1, 2), "not JSON: unexpected text at line 1, column 2"),
        ('{"a": 1,}', (1, 9), "not JSON: unexpected text at line 1, column 9"),
        ("[01]", (1, 3), "not JSON: unexpected text at line 1, column 3"),
        (f"[{'1' * 5000}]", (1, 2), "a number of too many digits at line 1, column 2"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_gap_names_line_and_column(text: str, place: tuple[int, int], reason: str) -> None:
    gap = refused(text)
    assert (gap.span.line, gap.span.column) == place
    assert gap.reason == reason
    assert len(gap.text) <= 200


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_deep_nesting_is_a_gap(opening: str) -> None:
    closing = "".join({"[": "]", "{": "}"}.get(character, "") for character in reversed(opening))
    for text in (opening * 100_000, f"{opening * 100_000}1{closing * 100_000}"):
        assert f"nested deeper than {MOST_LEVELS} levels" in refused(text).reason


def test_brackets_in_texts_are_no_nesting() -> None:
    text = json.dumps({"[" * 200: ['"[\\' * 200, "{" * 200]})
    assert parsed(text).value == json.loads(text)


@pytest.mark.parametrize("text", ['"' + '\\"' * 500_000, '"' + '\\"' * 500_000 + "\\", '["' + "\\" * 999_999])
def test_a_text_that_does_not_end_takes_no_time(text: str) -> None:
    assert refused(text).whole


def test_nesting_up_to_the_limit_is_read() -> None:
    text = "[" * MOST_LEVELS + "1" + "]" * MOST_LEVELS
    assert parsed(text).value == json.loads(text)
    assert f"at line 1, column {MOST_LEVELS + 1}" in refused(f"[{text}]").reason


def test_of_two_equal_keys_the_last_one_counts_and_the_gap_names_it() -> None:
    text = '{"a": {"b": 1,\n "b": 2}, "c": 3, "a": 4}'
    read = parsed(text)
    assert read.value == json.loads(text) == {"a": 4, "c": 3}
    assert [(gap.text, cut_out(text, gap.span), gap.whole) for gap in read.gaps] == [("a", '"a": 4', False)]
    assert cut_out(text, read.spans[("a",)]) == '"a": 4'


def test_two_equal_keys_further_down_are_a_gap_too() -> None:
    read = parsed('[{"Options": {"k": "1", "k": "2"}}]')
    assert read.value == [{"Options": {"k": "2"}}]
    assert [gap.reason for gap in read.gaps] == ["the key 'k' stands twice; the last one counts"]


def test_halves_of_surrogate_pairs_become_a_mark_that_can_be_written() -> None:
    assert parsed(r'["\ud800", "\ud83d\ude00", "x\udc00"]').value == ["\ufffd", "\U0001f600", "x\ufffd"]


@pytest.mark.parametrize("number", ["1e400", "-1E-400", "-0", "0.5", "18446744073709551614"])
def test_numbers_are_read_as_python_reads_them(number: str) -> None:
    assert parsed(number).value == json.loads(number)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xef\xbb\xbf", b"\0", b"[", b"[" * 100_000, b"{" * 100_000, b'{"a":' * 100_000, b"[NaN]", b"[1][2]",
        b"[" + b"1" * 10_000 + b"]", b'"\\ud800"', b"[1,", b"[null]", b"[[]]", b"[1]", b'[{"Name": null}]', b"{}",
        b"[{}]", b"[]", b"null", b"true", b"1", b'"x"', b'{"a": 1} trailing', b"[\xff\xfe]", b'[{"ifname": 1}]',
        b'[{"dst": null}]', b"[ " * 1000 + b" ]" * 1000, b"\xff\xfe[\0]\0", b"\xfe\xff\0[\0]", b"\n" * 1000,
        b'[{"ifname": "x", "addr_info": null}]', b'[{"ifname": "x", "addr_info": [5, {}, {"local": 1}]}]',
        b'[{"dst": "10.0.0.0/8", "metric": "x", "gateway": []}]', b" " * 100_000 + b"[",
    ],
    ids=lambda content: repr(content)[:30],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x", "networks.json", "containers.json", "iptables-save"])
def test_every_document_has_a_kind_and_can_be_read(content: bytes, name: str) -> None:
    document = Document(name, content)
    kind = kind_of(document)
    assert isinstance(kind, Kind)
    host, gaps = lower_host("host", [(document, kind)])
    assert host.networks is None
    assert all(gap.span.document == name for gap in gaps)
    # Every kind but these says something of the host, or why it does not.
    assert gaps or kind in (Kind.EMPTY, Kind.IPTABLES, Kind.CONTAINERS, Kind.INTERFACES_JSON, Kind.ROUTES_JSON)


NETWORK = '{"Name": "web", "Id": "0123456789abcdef", "Driver": "bridge", "IPAM": {"Config": null}}'


def test_what_is_broken_spoils_no_other_document() -> None:
    host, gaps = lowered(f"[{NETWORK}", f"[{NETWORK}]", '[{"a": NaN}]', '[{"Name": "x"')
    assert host.networks is not None
    assert [network.name for network in host.networks] == ["web"]
    assert [gap.span.document for gap in gaps] == ["0.json", "2.json", "3.json"]
    assert all(gap.whole for gap in gaps)


def test_a_network_that_cannot_be_read_spoils_no_other_network() -> None:
    host, gaps = lowered(f'[{{"Name": 5, "Driver": "bridge", "IPAM": {{}}}},\n{NETWORK}]')
    assert host.networks is not None
    assert [network.name for network in host.networks] == ["web"]
    assert [(str(gap.span), gap.text) for gap in gaps] == [("0.json:1:3", "Name")]
    assert gaps[0].reason.startswith("network left out: Name: ")


def test_networks_that_cannot_be_read_are_not_no_networks() -> None:
    host, gaps = lowered('[{"Name": 5, "Driver": "bridge", "IPAM": {}}]')
    assert host.networks is None
    assert gaps


def test_one_object_is_read_as_a_list_of_one() -> None:
    host, gaps = lowered(NETWORK)
    assert not gaps
    assert host.networks is not None
    assert host.networks[0].span_of("Driver") == Span("0.json", 1, 43, 1, 61)


def test_places_are_those_of_the_document() -> None:
    text = f"[\n  {NETWORK},\n  {NETWORK.replace('web', 'db').replace('0123', 'ffff')}\n]"
    host, _ = lowered(text)
    assert host.networks is not None
    assert [cut_out(text, network.span_of("Name")) for network in host.networks] == ['"Name": "db"', '"Name": "web"']
    # What is not stated is shown where the network is.
    assert cut_out(text, host.networks[1].span_of("Options", "x")) == '"Name": "web"'


def test_an_empty_list_of_networks_is_no_word_on_networks() -> None:
    # Every engine has the networks bridge, host and none, so nothing was asked for.
    assert lowered(("networks.json", "[]"))[0].networks is None


def test_an_empty_list_of_containers_is_a_host_without_containers() -> None:
    assert lowered(("containers.json", "[]"))[0].containers == ()


def test_networks_and_containers_may_stand_in_one_list() -> None:
    host, gaps = lowered(f'[{{"Id": "c1", "Name": "/web1", "HostConfig": {{}}}}, {NETWORK}, 5, {{"Version": 1}}]')
    assert host.networks is not None
    assert host.containers is not None
    assert [network.name for network in host.networks] == ["web"]
    assert [container.name for container in host.containers] == ["web1"]
    assert [gap.reason for gap in gaps] == ["neither a network nor a container"] * 2


def test_the_same_network_twice_is_one_network() -> None:
    host, gaps = lowered(f"[{NETWORK}]", f"[\n\n{NETWORK}\n]")
    assert host.networks is not None
    assert len(host.networks) == 1
    assert not gaps


def test_of_a_network_that_changed_the_first_document_stands_and_the_other_is_told() -> None:
    host, gaps = lowered(f"[{NETWORK}]", f"[{NETWORK.replace('bridge', 'overlay')}]")
    assert host.networks is not None
    assert [network.driver for network in host.networks] == ["bridge"]
    assert [(str(gap.span), gap.text) for gap in gaps] == [("1.json:1:3", "web")]


ICC_OFF = '"Options": {"com.docker.network.bridge.enable_icc": "false", "com.docker.network.bridge.enableicc": "x"}'
GENERATIONS = {
    "1.9, without Internal and EnableIPv6, the gateway with its prefix": f"""
        {{"Name": "web", "Id": "0123456789abcdef", "Scope": "local", "Driver": "bridge",
          "IPAM": {{"Driver": "default", "Config": [{{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1/16"}}]}},
          "Containers": {{"c1": {{"EndpointID": "e1", "MacAddress": "02:42:ac:12:00:02", "IPv4Address": "172.18.0.2/16",
            "IPv6Address": ""}}}}, {ICC_OFF}}}""",
    "1.12, with null for what there is not": f"""
        {{"Name": "web", "Id": "0123456789abcdef", "Scope": "local", "Driver": "bridge", "EnableIPv6": false,
          "IPAM": {{"Driver": "default", "Options": null, "Config": [{{"Subnet": "172.18.0.0/16",
            "Gateway": "172.18.0.1/16", "AuxiliaryAddresses": {{"router": "172.18.0.9"}}}}]}},
          "Internal": false, "Containers": {{"c1": {{"Name": "web1", "EndpointID": "e1",
            "MacAddress": "02:42:ac:12:00:02", "IPv4Address": "172.18.0.2/16", "IPv6Address": null}}}},
          "Labels": null, {ICC_OFF}}}""",
    "20.10, with all of its fields": f"""
        {{"Name": "web", "Id": "0123456789abcdef", "Created": "2026-11-24T10:00:00.123456789Z", "Scope": "local",
          "Driver": "bridge", "EnableIPv6": false, "IPAM": {{"Driver": "default", "Options": {{}},
            "Config": [{{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}}]}},
          "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": {{"Network": ""}},
          "ConfigOnly": false, "Containers": {{"c1": {{"Name": "web1", "EndpointID": "e1",
            "MacAddress": "02:42:ac:12:00:02", "IPv4Address": "172.18.0.2/16", "IPv6Address": ""}}}},
          {ICC_OFF}, "Labels": {{}}}}""",
    "29, in another order and with a number that fits no int64": f"""
        {{"Name": "web", "Id": "0123456789abcdef", "Created": "2026-11-24T10:00:00.123456789Z", "Scope": "local",
          "Driver": "bridge", "EnableIPv4": true, "EnableIPv6": false, "IPAM": {{"Driver": "default", "Options": {{}},
            "Config": [{{"Subnet": "172.18.0.0/16", "IPRange": "", "Gateway": "172.18.0.1"}}]}},
          "Internal": false, "Attachable": false, "Ingress": false, "ConfigFrom": {{"Network": ""}},
          "ConfigOnly": false, {ICC_OFF}, "Labels": {{}}, "Peers": [{{"Name": "n1", "IP": "192.0.2.1"}}],
          "Containers": {{"c1": {{"Name": "web1", "EndpointID": "e1", "MacAddress": "02:42:ac:12:00:02",
            "IPv4Address": "172.18.0.2/16", "IPv6Address": ""}}}},
          "Status": {{"IPAM": {{"Subnets": {{"172.18.0.0/16": {{"IPsInUse": 4,
            "DynamicIPsAvailable": 18446744073709551614}}}}}}}}}}""",
}


@pytest.mark.parametrize("text", GENERATIONS.values(), ids=GENERATIONS)
def test_every_engine_tells_the_same_of_a_network(text: str) -> None:
    host, gaps = lowered(f"[{text}]")
    assert not gaps
    assert host.networks is not None
    (network,) = host.networks
    assert (network.bridge, network.icc, network.internal, network.ipv6) == ("br-0123456789ab", False, False, False)
    assert [str(subnet) for subnet in network.subnets] == ["172.18.0.0/16"]
    assert [str(gateway) for gateway in network.gateways] == ["172.18.0.1"]
    assert [(str(e.addresses[0]), e.mac) for e in network.endpoints] == [("172.18.0.2", "02:42:ac:12:00:02")]
    # An option that no engine reads is kept as it is.
    assert network.options["com.docker.network.bridge.enableicc"] == "x"


@pytest.mark.parametrize(
    "fields",
    [
        '"IPAM": null, "Containers": null, "Options": null, "Labels": null',
        '"IPAM": {"Config": null}, "Containers": {}, "Options": {}',
        '"IPAM": {"Config": []}, "EnableIPv6": null, "Internal": null',
        '"IPAM": {}, "Scope": null',
    ],
)
def test_null_and_nothing_and_empty_are_the_same(fields: str) -> None:
    host, gaps = lowered(f'[{{"Name": "none", "Id": "n", "Driver": null, {fields}}}]')
    assert not gaps
    assert host.networks is not None
    (network,) = host.networks
    assert (network.driver, network.internal, network.ipv6, network.icc, network.bridge) == (
        "",
        False,
        False,
        None,
        None,
    )
    assert not network.subnets + network.gateways + network.endpoints
    assert not {**network.options, **network.labels}


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ('"IPAM": {"Config": [{"Subnet": "172.18.0.0/33"}]}', '"Subnet": "172.18.0.0/33"'),
        ('"IPAM": {"Config": [{"Gateway": "nowhere"}]}', '"Gateway": "nowhere"'),
        ('"IPAM": {}, "Containers": {"c1": {"IPv4Address": "300.1.1.1/8"}}', '"IPv4Address": "300.1.1.1/8"'),
    ],
)
def test_an_address_that_cannot_be_read_is_a_gap_and_the_network_stays(part: str, place: str) -> None:
    text = f'[{{"Name": "web", "Id": "w", "Driver": "bridge", {part}}}]'
    host, gaps = lowered(text)
    assert host.networks is not None
    assert [network.name for network in host.networks] == ["web"]
    assert [(cut_out(text, gap.span), gap.reason) for gap in gaps] == [(place, "not an address")]


def test_a_swarm_with_its_stale_and_hidden_endpoints_is_read() -> None:
    host, gaps = lowered(
        """[{"Name": "ingress", "Id": "1qhpcwhwmxl3wyjq5a1w1s9qp", "Driver": "overlay", "Scope": "swarm",
        "IPAM": {"Driver": "default", "Options": null, "Config": [{"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1"}]},
        "Containers": {"ingress-sbox": {"Name": "ingress-endpoint", "EndpointID": "e",
            "MacAddress": "02:42:0a:00:00:02", "IPv4Address": "10.0.0.2/24", "IPv6Address": ""},
            "ep-0a1b": {"Name": "gone", "EndpointID": "0a1b", "MacAddress": "", "IPv4Address": "", "IPv6Address": ""}},
        "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4096"}, "Labels": {},
        "Services": {"": {"VIP": "<nil>", "Ports": [], "LocalLBIndex": 0, "Tasks": [{"Name": "t", "Info": null}]}}}]"""
    )
    assert not gaps
    assert host.networks is not None
    assert [(e.name, [str(a) for a in e.addresses], e.mac) for e in host.networks[0].endpoints] == [
        ("gone", [], None),
        ("ingress-endpoint", ["10.0.0.2"], "02:42:0a:00:00:02"),
    ]


def test_links_are_read_and_null_is_none() -> None:
    host, gaps = lowered(
        """[{"Id": "c1", "Name": "/web", "HostConfig": {"Links": ["/db:/web/db", "/cache:/web/redis"]}},
            {"Id": "c2", "Name": "/db", "HostConfig": {"Links": null}},
            {"Id": "c3", "Name": "/cache", "HostConfig": null}]"""
    )
    assert not gaps
    assert host.containers is not None
    assert [(c.name, sorted(c.links)) for c in host.containers] == [("web", ["cache", "db"]), ("db", []), ("cache", [])]
