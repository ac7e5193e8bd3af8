"""An option of a network has no effect, since another one of its own settings rules it out.

## What it detects

On a bridge network: `host_binding_ipv4` with an address while `gateway_mode_ipv4` is routed, and
`trusted_host_interfaces` on an internal network.

## Why it matters

Both options narrow or widen who reaches a container, and the engine takes them without a word. In gateway mode routed
it binds nothing on the host: a port published there is open at the container's own address to whoever has a route,
though the network says `127.0.0.1`. An internal network lets nobody in, trusted or not. Low, since the mode that rules
the option out stands right beside it.

## Example

    "com.docker.network.bridge.gateway_mode_ipv4": "routed",
    "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"

## What to do

Make the network anew without the option, or without the mode.

## Limits

Other options that change nothing beside each other, and nothing about who reaches whom, are left alone.

## References

- CWE-1188, CWE-923
- moby, daemon/libnetwork/drivers/bridge/port_mapping_linux.go, configurePortBindingIPv4
- moby, daemon/libnetwork/drivers/bridge/internal/iptabler/endpoint.go, filterDirectAccess
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from icclint.api import (
    GATEWAY_MODE,
    HOST_BINDING,
    TRUSTED_INTERFACES,
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    Network,
    NotAssessed,
    Severity,
    Span,
    rule,
)


@rule(
    id="option-overruled",
    severity=Severity.LOW,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def option_overruled(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        mode = network.options.get(GATEWAY_MODE[4])
        if mode == "routed" and binds(network.options.get(HOST_BINDING, "")):
            reason = (
                "in gateway mode routed nothing is bound on the host, and published ports are open at the container"
            )
            yield overruled(network, HOST_BINDING, reason, network.span_of("Options", GATEWAY_MODE[4]))
        if network.internal and network.options.get(TRUSTED_INTERFACES):
            reason = "an internal network lets nobody in"
            yield overruled(network, TRUSTED_INTERFACES, reason, network.span_of("Internal"))


def binds(text: str) -> bool:
    """Whether a text is one IPv4 address of a host, not all of them."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.version == 4 and not address.is_unspecified


def overruled(network: Network, key: str, reason: str, by: Span) -> Finding:
    return Finding(
        message=f"The option {key}={network.options[key]} of network {network.name!r} has no effect: {reason}",
        subject=f"network {network.name}",
        key=(key,),
        primary=Location(network.span_of("Options", key), "has no effect"),
        related=(Location(by, "rules it out"),),
    )
