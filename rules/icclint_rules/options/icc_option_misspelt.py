"""A network carries an option or a label that looks like Docker's own and that the engine ignores.

## What it detects

On a network of the bridge driver: a key under `com.docker.network.` that no engine reads, a key that is ICC's
in all but spelling (`enable_icc`, `icc`, `com.docker.network.bridge.enableicc`), and the right key as a label where
an option is meant. On an overlay, macvlan or ipvlan network: an option of the bridge driver's, and a key that is
nearly one of the driver's own (`encrypt`, `macvlan-mode`).

## Why it matters

The engine accepts unknown keys in silence and shows them in `docker network inspect`. Whoever reads
`com.docker.network.bridge.enableicc=false` there believes that the containers are isolated; ICC is on. In the same way
an overlay with the option `encrypt` sends in the clear.

## Example

    "Options": {"com.docker.network.bridge.enableicc": "false"}

## What to do

Make the network anew with `-o com.docker.network.bridge.enable_icc=false`; options cannot be changed later.

## Limits

Keys of other prefixes are other people's and are left alone, except those that come that near. ICC's own key on another
driver is `icc-option-void`, a value that no engine takes is `option-value-refused`.

## References

- CWE-1188
- CIS Docker Benchmark 1.8.0, 2.2
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import partial

from icclint.api import (
    BRIDGE_OPTIONS,
    DRIVER_OPTIONS,
    ENABLE_ICC,
    ENCRYPTED,
    PREFIX,
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

SPELLINGS_OF_ICC = ("icc", "enableicc", "bridgeicc", "bridgeenableicc")


@rule(
    id="icc-option-misspelt",
    severity=Severity.MEDIUM,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def icc_option_misspelt(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.networks or ():
        ours = why_ignored_by_bridge if network.bridge is not None else partial(why_ignored_by_other, network.driver)
        for key, value in network.options.items():
            reason = "" if key in DRIVER_OPTIONS.get(network.driver, (key,)) else ours(key)
            if reason:
                yield ignored(network, "Options", key, value, reason)
        for key, value in network.labels.items():
            if network.bridge is not None and is_icc(key) and ENABLE_ICC not in network.options:
                yield ignored(network, "Labels", key, value, "the engine reads options, not labels")


def why_ignored_by_bridge(key: str) -> str:
    """Why the bridge driver ignores a key that it does not read; empty where it is somebody else's."""
    if is_icc(key):
        return f"the key is {ENABLE_ICC}"
    if key.startswith(PREFIX):
        near = nearest(key, BRIDGE_OPTIONS)
        return f"the bridge driver reads no such key{f'; the nearest is {near}' if near else ''}"
    return ""


def why_ignored_by_other(driver: str, key: str) -> str:
    """The same for a driver that is not bridge's. Of ICC's own key another rule speaks."""
    if key in BRIDGE_OPTIONS:
        return "" if key == ENABLE_ICC else f"the {driver} driver reads none of the bridge driver's options"
    near = nearest(key.replace("-", "_"), DRIVER_OPTIONS[driver])
    if driver == "overlay" and key.lower().startswith("encrypt"):
        near = ENCRYPTED
    return f"the key is {near}" if near else ""


def nearest(key: str, keys: Iterable[str]) -> str:
    """The key that another one is nearly; empty where there is none."""
    return next(iter(difflib.get_close_matches(key, sorted(keys), n=1, cutoff=0.8)), "")


def is_icc(key: str) -> bool:
    return re.sub(r"[^a-z]", "", key.lower().removeprefix(PREFIX)) in SPELLINGS_OF_ICC


def ignored(network: Network, where: str, key: str, value: str, reason: str) -> Finding:
    wanted_off = is_icc(key) and parse_bool(value) is False and network.icc is not None
    effect = f", and ICC is {'on' if network.icc else 'off'}" if wanted_off else ""
    if reason == f"the key is {ENCRYPTED}" and ENCRYPTED not in network.options:
        effect = ", and nothing is encrypted"
    kind = "option" if where == "Options" else "label"
    return Finding(
        message=f"The {kind} {key}={value} of network {network.name!r} has no effect ({reason}){effect}",
        subject=f"network {network.name}",
        key=(kind, key, value),
        primary=Location(network.span_of(where, key), "ignored by the engine"),
    )
