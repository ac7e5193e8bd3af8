"""A rule ahead of DOCKER-USER accepts packets that a rule of DOCKER-USER would drop.

## What it detects

A DROP or REJECT in DOCKER-USER, and a rule that accepts in FORWARD, or in a chain that FORWARD leads to, before the
jump to DOCKER-USER: both match some new packet, no other rule stands in its way, and the one that accepts is asked
first. One finding for each rule that accepts.

## Why it matters

Engines put DOCKER-USER at the top of FORWARD so that its restrictions hold whatever comes later. Up to 27.5 they move
it there again with each network that is made; since 28.0 only when they start, so what another program inserts later (a
VPN, a hypervisor, a person with `iptables -I FORWARD`) stays ahead for good. The restriction is listed and counts
nothing.

## Example

    -A FORWARD -i tailscale0 -j ACCEPT
    -A FORWARD -j DOCKER-USER
    -A DOCKER-USER -p tcp -m tcp --dport 5432 -j DROP

## What to do

Move the jump to the top (the commands are with the finding), or let the other program insert its rules behind it.

## Limits

Only the rules of DOCKER-USER itself are looked at, not those of chains that it leads to. Where a condition on the way
is not modelled (a set, a string), the finding is possible, and names it.

## References

- CWE-693, CWE-696
- https://github.com/moby/moby/issues/43974, https://github.com/moby/moby/issues/48560
- https://github.com/canonical/lxd/pull/11140: a dump with another program's chain first
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Drop,
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    Preemption,
    Reject,
    Rule,
    Ruleset,
    Severity,
    preemptions,
    rule,
)
from icclint_rules.lines import MOST_LINES, rules_of, tool, unknown_conditions


@rule(
    id="docker-user-bypassed",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
    yields=True,
)
def docker_user_bypassed(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        forward = rules_of(ruleset, "filter", "FORWARD")
        jumps = (one for one in forward if isinstance(one.target, Jump | Goto) and one.target.chain == "DOCKER-USER")
        jump = next(jumps, None)
        if jump is None or jump.number == 1:
            continue
        droppings = [one for one in rules_of(ruleset, "filter", "DOCKER-USER") if isinstance(one.target, Drop | Reject)]
        found, complete = preemptions(ruleset, ruleset.tables["filter"], [(one, jump) for one in droppings])
        by_taker: dict[int, list[Preemption]] = {}
        for preemption in found:
            by_taker.setdefault(id(preemption.taker), []).append(preemption)
        yield from (bypassed(ruleset, together, jump) for together in by_taker.values())
        if not complete:
            yield NotAssessed(f"chain FORWARD ({tool(ruleset)})", "comparing all rules takes too long", None)


def bypassed(ruleset: Ruleset, together: list[Preemption], jump: Rule) -> Finding:
    name = tool(ruleset)
    first, taker = together[0], together[0].taker
    droppings = [preemption.dropping for preemption in together]
    assumptions = unknown_conditions((*first.way, first.dropping))
    others = f" and {len(droppings) - 1} more rules" if len(droppings) > 1 else ""
    return Finding(
        message=(
            f"'{taker.text}' ({name}) is asked ahead of DOCKER-USER, and {'may accept' if assumptions else 'accepts'}"
            f" packets that '{first.dropping.text}'{others} would drop"
        ),
        subject=f"chain FORWARD ({name})",
        key=(taker.text, *(one.text for one in droppings)),
        primary=Location(taker.span, "accepts packets before DOCKER-USER is asked"),
        related=(
            Location(jump.span, "the jump to DOCKER-USER, which comes later"),
            *(Location(one.span, "would drop some of them") for one in droppings[:MOST_LINES]),
        ),
        assumptions=assumptions,
        remedy=(f"{name} -D FORWARD -j DOCKER-USER", f"{name} -I FORWARD -j DOCKER-USER"),
    )
