"""An overlay network is encrypted by its options, and the rules that carry that out are not there.

## What it detects

A network of the overlay driver with the option `encrypted` (whatever its value: the driver asks for the key) that has
containers on this host, and for one of its VNIs: no rule in INPUT that drops what arrives in clear, or no rule in
OUTPUT of table mangle that marks what is sent, for IPsec to encrypt it.

## Why it matters

IPsec encrypts what is marked, and refuses nothing by itself. Without the mark the network's packets go over the wire in
clear. Without the DROP whoever can send a UDP datagram to the node can put packets into the network, as from any of its
containers, and no other rule sees what is inside. Both happened without a word on engines up to 20.10.23 and 23.0.2,
where the kernel had no `xt_u32`, and after a flush of the tables.

## Example

    "encrypted": "", "com.docker.network.driver.overlay.vxlanid_list": "4097"

    -A OUTPUT -p udp -m udp --dport 4789 -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100100" -j MARK ...
    (and no DROP in INPUT for 4097)

## What to do

Restart the engine on this node, or take its containers off the network and put them on it again: the rules are
written when the first one comes. On a kernel without `xt_u32` and `xt_bpf`, load them first. Upgrade engines before
20.10.24 and 23.0.3; those since refuse to start a container where the rules cannot be written.

## Limits

Whether IPsec itself is set up is no matter of rules (`ip xfrm state`, `ip xfrm policy`). Engines before those releases
wrote the rules only once a second node had a container on the network; until then nothing is sent, but packets can be
put in.

## References

- CWE-311, CWE-420, CWE-636
- CIS Docker Benchmark 1.8.0, 7.3 (7.4 up to 1.5): overlay networks are encrypted
- CVE-2023-28841 (sent in clear), CVE-2023-28840 and CVE-2023-28842 (accepted in clear)
- https://github.com/moby/moby/issues/43382
- moby, libnetwork/drivers/overlay/encryption.go: the rules
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Rule,
    Severity,
    is_encrypted,
    marks_for_encryption,
    refuses_clear,
    rule,
    vni_of,
    vnis,
)
from icclint_rules.lines import rules_of

INCOMING = "packets of it that arrive in clear are accepted: no rule of INPUT drops them"
OUTGOING = "its packets leave this host in clear: no rule of OUTPUT in table mangle marks them for IPsec"


@rule(
    id="overlay-not-encrypted",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def overlay_not_encrypted(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.networks or ():
        if not is_encrypted(network) or not network.endpoints or in_nftables(host):
            continue
        if not vnis(network):
            yield NotAssessed(f"network {network.name}", "its VNI is not stated", Evidence.NETWORKS.value)
        for table, chain, wanted, effect_in_words in (
            ("filter", "INPUT", refuses_clear, INCOMING),
            ("mangle", "OUTPUT", marks_for_encryption, OUTGOING),
        ):
            unserved = sorted(set(vnis(network)) - served(host, table, chain, wanted))
            missing = not_captured(host, table, chain)
            if unserved and missing:
                reason = f"the rules that carry out its encryption may be in table {table} of {missing}, not captured"
                yield NotAssessed(f"network {network.name}", reason, f"{missing}-save")
            elif unserved:
                yield in_clear(network, unserved, effect_in_words, chain)


def in_nftables(host: Host) -> bool:
    """Whether an engine keeps these rules in a table of nftables' own (moby, programOverlayEncVNINft)."""
    return any(table.name == "docker-overlay" for table in host.native_tables or ())


def served(host: Host, table: str, chain: str, wanted: Callable[[Rule], bool]) -> set[int]:
    """The VNIs that rules of one kind are for, in whatever family: that is the one by which the nodes talk."""
    rules = (one for ruleset in host.rulesets for one in rules_of(ruleset, table, chain) if wanted(one))
    return {vni for one in rules if (vni := vni_of(one)) is not None}


def not_captured(host: Host, table: str, chain: str) -> str | None:
    """The command whose table is not known in whole, if there is one."""
    for family, command in ((4, "iptables"), (6, "ip6tables")):
        rulesets = host.rulesets_of(family)
        for ruleset in rulesets:
            part = ruleset.tables.get(table)
            whole = part.complete or chain in part.chains if part is not None else ruleset.all_tables
            if not whole:
                return command
        if not rulesets:
            return command
    return None


def in_clear(network: Network, unserved: list[int], effect_in_words: str, chain: str) -> Finding:
    numbers = f"VNI{'s' if len(unserved) > 1 else ''} {', '.join(map(str, unserved))}"
    return Finding(
        message=f"Network {network.name!r} is encrypted by its options, but {effect_in_words} ({numbers})",
        subject=f"network {network.name}",
        key=(chain,),
        primary=Location(network.span_of("Options", "encrypted"), "says that the network is encrypted"),
        related=(Location(network.endpoints[0].span, "is on the network, on this host"),),
        remedy=("modprobe xt_u32; modprobe xt_bpf", "systemctl restart docker"),
    )
