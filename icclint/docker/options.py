"""The options that Docker's network drivers read.

Sources: moby, libnetwork/drivers/bridge/bridge_linux.go (parseNetworkGenericOptions), bridge/labels.go,
netlabel/labels.go, drivers/overlay/ovmanager/ovmanager.go, drivers/macvlan, drivers/ipvlan, at v28.5.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from icclint.ir.network import Network

PREFIX = "com.docker.network."
ENABLE_ICC = "com.docker.network.bridge.enable_icc"
BRIDGE_NAME = "com.docker.network.bridge.name"
DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge"
GATEWAY_MODE = {4: "com.docker.network.bridge.gateway_mode_ipv4", 6: "com.docker.network.bridge.gateway_mode_ipv6"}
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
TRUSTED_INTERFACES = "com.docker.network.bridge.trusted_host_interfaces"
ENCRYPTED = "encrypted"

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

DRIVER_OPTIONS: Mapping[str, frozenset[str]] = {
    "bridge": BRIDGE_OPTIONS,
    "overlay": frozenset((ENCRYPTED, PREFIX + "driver.mtu", PREFIX + "driver.overlay.vxlanid_list")),
    "macvlan": frozenset(("parent", "macvlan_mode")),
    "ipvlan": frozenset(("parent", "ipvlan_mode", "ipvlan_flag")),
}
"""Keys that each driver reads."""

BOOLEANS = frozenset(
    PREFIX + key
    for key in (
        "bridge.default_bridge",
        "bridge.enable_icc",
        "bridge.enable_ip_masquerade",
        "bridge.inhibit_ipv4",
        "enable_ipv4",
        "enable_ipv6",
    )
)
"""Options of the bridge driver that are true or false."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    GATEWAY_MODE[4]: ("nat", "nat-unprotected", "routed", "isolated"),
    GATEWAY_MODE[6]: ("nat", "nat-unprotected", "routed", "isolated"),
    "macvlan_mode": ("", "bridge", "private", "passthru", "vepa"),
    "ipvlan_mode": ("", "l2", "l3", "l3s"),
    "ipvlan_flag": ("", "bridge", "private", "vepa"),
}
"""Options that are one of a few words; any other is refused (newGwMode, and parseNetworkOptions of each driver)."""


def gateway_mode(network: Network, family: int) -> str:
    """How a bridge network meets the outside: ``nat`` unless an option says otherwise (since 27.0).

    ``routed`` opens its published ports to whoever routes to it, ``nat-unprotected`` all ports, and ``isolated``,
    for internal networks, gives the bridge no address (moby, libnetwork/drivers/bridge/bridge_linux.go, gwMode).
    """
    return network.options.get(GATEWAY_MODE[family], "nat")


_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def parse_bool(text: str) -> bool | None:
    """What Go's ``strconv.ParseBool`` makes of a text; None where it refuses it."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return None
