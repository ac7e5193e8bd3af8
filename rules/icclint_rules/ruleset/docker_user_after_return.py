"""Rules in DOCKER-USER stand behind a RETURN that every packet takes, and never see one.

## What it detects

A rule without conditions in DOCKER-USER whose verdict is RETURN, and rules behind it that would do something.

## Why it matters

DOCKER-USER is where Docker's documentation sends people with their own restrictions. Engines from 17.06 to 28.2.1 end
it in `-j RETURN` when they make it, and that RETURN outlives every upgrade until the host restarts, so whoever appends
a rule (`iptables -A`) puts it behind. The rule is listed, and the published port that it should close is open.

## Example

    -A DOCKER-USER -j RETURN
    -A DOCKER-USER -i eth0 ! -s 192.0.2.0/24 -j DROP

## What to do

Insert instead of appending: `iptables -I DOCKER-USER ...`. The RETURN itself does nothing that the end of the chain
does not do, and may go.

## Limits

Rules that no packet reaches for other reasons are what `rule-never-matches` finds.

## References

- CWE-561, CWE-693
- https://github.com/moby/moby/pull/50098: no RETURN any more, since 28.2.2
- https://docs.docker.com/engine/network/packet-filtering-firewalls/
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Goto,
    Host,
    Jump,
    Location,
    NotAssessed,
    Return,
    Rule,
    Ruleset,
    Severity,
    rule,
)
from icclint_rules.lines import MOST_LINES, deletion, rules_of, tool


@rule(
    id="docker-user-after-return",
    severity=Severity.MEDIUM,
    needs={Evidence.IPTABLES},
    since="0.1",
)
def docker_user_after_return(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for ruleset in host.rulesets:
        rules = rules_of(ruleset, "filter", "DOCKER-USER")
        end = next((one for one in rules if isinstance(one.target, Return) and not one.matches), None)
        behind = [one for one in rules if end is not None and one.number > end.number and not is_return(one)]
        if end is not None and behind and is_called(ruleset):
            yield never_seen(ruleset, end, behind)


def is_return(one: Rule) -> bool:
    return isinstance(one.target, Return)


def is_called(ruleset: Ruleset) -> bool:
    """Whether FORWARD leads to DOCKER-USER: without that, the RETURN is not what is in the way."""
    jumps = (one.target for one in rules_of(ruleset, "filter", "FORWARD") if isinstance(one.target, Jump | Goto))
    return any(target.chain == "DOCKER-USER" for target in jumps)


def never_seen(ruleset: Ruleset, end: Rule, behind: list[Rule]) -> Finding:
    count = f"{len(behind)} rules stand" if len(behind) > 1 else "a rule stands"
    return Finding(
        message=f"In chain DOCKER-USER ({tool(ruleset)}) {count} behind '{end.text}' and never see a packet",
        subject=f"chain DOCKER-USER ({tool(ruleset)})",
        key=tuple(one.text for one in behind),
        primary=Location(behind[0].span, "never sees a packet"),
        related=(
            Location(end.span, "ends every packet's way through the chain"),
            *(Location(one.span, "nor does this one") for one in behind[1:MOST_LINES]),
        ),
        remedy=deletion(ruleset, end),
    )
