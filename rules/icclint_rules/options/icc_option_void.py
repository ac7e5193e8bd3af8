"""A network that is no bridge network says that ICC is off; its driver ignores the option without a word.

## What it detects

A network of the overlay, macvlan or ipvlan driver with `com.docker.network.bridge.enable_icc` set to false.

## Why it matters

Only the bridge driver reads the option. The engine accepts it for every driver, keeps it and shows it in
`docker network inspect`, and the containers reach each other all the same. Frames between two containers of
such a network never meet the host's iptables, so no dump shows it either.

## Example

    "Driver": "overlay",
    "Options": {"com.docker.network.bridge.enable_icc": "false"}

## What to do

Give each group of containers a network of its own. On macvlan, `-o macvlan_mode=private` keeps the containers
of one host apart; on ipvlan, `-o ipvlan_flag=private`.

## Limits

A macvlan in private mode and an ipvlan with the private flag do isolate, so nothing is said of them. What a
driver from elsewhere makes of the option cannot be told.

## References

- CWE-923, CWE-636
- CIS Docker Benchmark 1.8.0, 2.2, which speaks of the default bridge only
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    ENABLE_ICC,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    Severity,
    parse_bool,
    rule,
)

IGNORED_BY = ("overlay", "macvlan", "ipvlan")
PRIVATE = (("macvlan_mode", "private"), ("ipvlan_flag", "private"))


@rule(
    id="icc-option-void",
    severity=Severity.HIGH,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def icc_option_void(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.networks or ():
        if network.bridge is not None or parse_bool(network.options.get(ENABLE_ICC, "")) is not False:
            continue
        if any(network.options.get(key) == value for key, value in PRIVATE):
            continue
        subject = f"network {network.name}"
        if network.driver not in IGNORED_BY:
            reason = f"what the driver {network.driver!r} makes of {ENABLE_ICC} is not known"
            yield NotAssessed(subject, reason, None)
            continue
        yield Finding(
            message=(
                f"Network {network.name!r} says that ICC is off, but its driver {network.driver} ignores the option: "
                "its containers reach each other"
            ),
            subject=subject,
            key=(network.driver,),
            primary=Location(network.span_of("Options", ENABLE_ICC), f"means nothing to the {network.driver} driver"),
            related=(Location(network.span_of("Driver"), "the driver"),),
        )
