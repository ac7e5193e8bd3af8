"""A rule accepts packets of an encrypted overlay network that arrive in clear, ahead of the rule that drops them.

## What it detects

The DROP of an encrypted overlay network in INPUT (it asks for the network's VNI), and before it a rule that accepts
some of the same packets. One finding for each rule that accepts, and each VNI.

## Why it matters

Engines up to 20.10.23 and 23.0.2 append the DROP to INPUT. A node's firewall has by then accepted UDP port 4789, since
the nodes could not talk otherwise, and the DROP is never asked. Whoever can reach the port puts packets into the
network, as from any of its containers.

## Example

    -A INPUT -p udp -m udp --dport 4789 -j ACCEPT
    -A INPUT -p udp -m udp --dport 4789 -m u32 --u32 "0x0>>0x16&0x3c@0xc&0xffffff00=0x100100" -j DROP

## What to do

Upgrade the engine: since 20.10.24 and 23.0.3 it inserts the DROP at the top. Until then move it there by hand, behind
the engine's own ACCEPT of what IPsec has decrypted (`--pol ipsec`).

## Limits

Where a condition of the rule that accepts is not modelled, the finding is possible, and names it. Rules for `lo` are
left out: nobody but the host sends there.

## References

- CWE-420, CWE-636
- CIS Docker Benchmark 1.8.0, 7.3 (7.4 up to 1.5)
- CVE-2023-28840, moby `b87f7f18b8`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    InterfaceMatch,
    Location,
    NotAssessed,
    Preemption,
    Rule,
    Ruleset,
    Severity,
    is_encrypted,
    preemptions,
    refuses_clear,
    rule,
    vni_of,
    vnis,
)
from icclint_rules.lines import deletion, rules_of, tool, unknown_conditions


@rule(
    id="overlay-cleartext-accepted",
    severity=Severity.HIGH,
    needs={Evidence.IPTABLES, Evidence.NETWORKS},
    since="0.1",
)
def overlay_cleartext_accepted(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    names = {vni: network.name for network in host.networks or () if is_encrypted(network) for vni in vnis(network)}
    for ruleset in host.rulesets:
        droppings = {
            vni: one
            for one in reversed(rules_of(ruleset, "filter", "INPUT"))
            if refuses_clear(one) and (vni := vni_of(one)) in names
        }
        if not droppings:
            continue
        found, complete = preemptions(ruleset, ruleset.tables["filter"], [(one, one) for one in droppings.values()])
        for preemption in found:
            # The engine's own ACCEPT asks for a VNI too; it is for what IPsec has decrypted.
            if vni_of(preemption.taker) is None and not any(map(is_for_loopback, preemption.way)):
                yield accepted(ruleset, names, preemption)
        if not complete:
            yield NotAssessed(f"chain INPUT ({tool(ruleset)})", "comparing all rules takes too long", None)


def is_for_loopback(one: Rule) -> bool:
    return any(isinstance(m, InterfaceMatch) and m.pattern == "lo" and not m.negated for m in one.matches)


def accepted(ruleset: Ruleset, names: Mapping[int, str], preemption: Preemption) -> Finding:
    taker, dropping = preemption.taker, preemption.dropping
    number = vni_of(dropping)
    assert number is not None
    assumptions = unknown_conditions(preemption.way)
    return Finding(
        message=(
            f"Packets of the encrypted network {names[number]!r} that arrive in clear"
            f" {'may be' if assumptions else 'are'} accepted (VNI {number}): '{taker.text}' is asked before the rule"
            " that drops them"
        ),
        subject=f"network {names[number]}",
        key=(taker.text, dropping.text),
        primary=Location(taker.span, "accepts what arrives in clear"),
        related=(Location(dropping.span, f"the DROP for VNI {number}, which comes too late"),),
        assumptions=assumptions,
        remedy=(*deletion(ruleset, dropping), *(one.replace(" -D ", " -I ", 1) for one in deletion(ruleset, dropping))),
    )
