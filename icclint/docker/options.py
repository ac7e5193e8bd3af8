"""The options that Docker's network drivers read.

Sources: moby, libnetwork/drivers/bridge/bridge_linux.go (parseNetworkGenericOptions), bridge/labels.go,
netlabel/labels.go, drivers/overlay/ovmanager/ovmanager.go, drivers/macvlan, drivers/ipvlan, at v28.5.2.
"""

from __future__ import annotations

PREFIX = "com.docker.network."
ENABLE_ICC = "com.docker.network.bridge.enable_icc"
BRIDGE_NAME = "com.docker.network.bridge.name"
DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge"

BRIDGE_OPTIONS = frozenset(
    PREFIX + key
    for key in (
        "bridge.name",
        "bridge.default_bridge",
        "bridge.enable_icc",
        "bridge.enable_ip_masquerade",
        "bridge.host_binding_ipv4",
        "bridge.inhibit_ipv4",
        "bridge.gateway_mode_ipv4",
        "bridge.gateway_mode_ipv6",
        "bridge.trusted_host_interfaces",
        "driver.mtu",
        "enable_ipv4",
        "enable_ipv6",
        "container_iface_prefix",
        "host_ipv4",
        "host_ipv6",
        "endpoint.ifname",
        "endpoint.sysctls",
        "driver.private.no_proxy_6to4",
    )
)
"""Keys that the bridge driver, or the engine on its behalf, reads."""

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def parse_bool(text: str) -> bool | None:
    """What Go's ``strconv.ParseBool`` makes of a text; None where it refuses it."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return None
