"""An option of a network has a value that every engine refuses, so no engine made the network as it is described.

## What it detects

On a bridge network, a true-or-false option whose value is neither to Go's ParseBool, a gateway mode that does not
exist, and the mode isolated on a network that is not internal. On macvlan and ipvlan networks, a mode or a flag that
does not exist.

## Why it matters

`docker network create` fails on each of them. The document was edited after it was captured, or it is of another
program or of an engine that icclint does not know; either way what it claims cannot be taken at its word. ICC counts as
on where its value is unreadable. Low, since the host may well be in order.

## Example

    "Options": {"com.docker.network.bridge.enable_icc": "no"}

## What to do

Capture `docker network inspect` again, straight into the file.

## Limits

Addresses and numbers are not checked. A mode that engines after 29 come to know would be named too.

## References

- CWE-20
- moby, daemon/libnetwork/drivers/bridge/bridge_linux.go, fromLabels, newGwMode and parseNetworkOptions
- moby, daemon/libnetwork/drivers/macvlan and ipvlan, parseNetworkOptions
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    BOOLEANS,
    CHOICES,
    DRIVER_OPTIONS,
    GATEWAY_MODE,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Severity,
    parse_bool,
    rule,
)


@rule(
    id="option-value-refused",
    severity=Severity.LOW,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def option_value_refused(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.networks or ():
        for key in sorted(DRIVER_OPTIONS.get(network.driver, frozenset()) & network.options.keys()):
            reason = why_refused(network, key, network.options[key])
            if reason:
                yield Finding(
                    message=(f"No engine makes network {network.name!r} with {key}={network.options[key]}: {reason}"),
                    subject=f"network {network.name}",
                    key=(key, network.options[key]),
                    primary=Location(network.span_of("Options", key), "every engine refuses it"),
                )


def why_refused(network: Network, key: str, value: str) -> str:
    """Why engines refuse an option; empty where they take it."""
    if key in BOOLEANS and parse_bool(value) is None:
        return "the value is neither true nor false"
    if value not in CHOICES.get(key, (value,)):
        return f"it is one of {', '.join(word for word in CHOICES[key] if word)}"
    if key in GATEWAY_MODE.values() and value == "isolated" and not network.internal:
        return "only an internal network can be isolated"
    return ""
