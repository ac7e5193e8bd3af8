"""An overlay network says `encrypted=false`, and is encrypted: the driver only asks whether the option is there.

## What it detects

A network of the overlay driver whose option `encrypted` has a value that reads as false.

## Why it matters

Nothing leaks: the network is safer than it says. But who turned encryption off to be rid of its cost still pays it, and
who looks for what drops packets of another MTU, or why ESP must pass the hosts' firewalls, is misled. Hence a note.

## Example

    "Driver": "overlay",
    "Options": {"encrypted": "false"}

## What to do

Make the network anew without the option if it is not to be encrypted.

## Limits

None known: the driver has only ever asked for the key.

## References

- CWE-1188
- moby, daemon/libnetwork/drivers/overlay/ov_network.go, CreateNetwork
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    ENCRYPTED,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    Profile,
    Severity,
    parse_bool,
    rule,
)

NO = ("no", "off", "disabled")
"""Words for false that are none of Go's."""


@rule(
    id="encrypted-false-encrypts",
    severity=Severity.NOTE,
    profile=Profile.AUDIT,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def encrypted_false_encrypts(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.networks or ():
        value = network.options.get(ENCRYPTED, "")
        if network.driver == "overlay" and (parse_bool(value) is False or value.lower() in NO):
            yield Finding(
                message=(
                    f"Overlay network {network.name!r} says {ENCRYPTED}={value} and is encrypted: the driver asks "
                    "whether the option is there, not what it says"
                ),
                subject=f"network {network.name}",
                key=(value,),
                primary=Location(network.span_of("Options", ENCRYPTED), "turns encryption on"),
            )
