"""A network carries an option or a label that looks like Docker's own and that the engine ignores.

## What it detects

On a network of the bridge driver: a key under `com.docker.network.` that no engine reads, a key that is ICC's
in all but spelling (`enable_icc`, `icc`, `com.docker.network.bridge.enableicc`), the right key as a label where
an option is meant, and a value of a boolean option that is neither true nor false to the engine.

## Why it matters

The engine accepts unknown keys in silence and shows them in `docker network inspect`. Whoever reads
`com.docker.network.bridge.enableicc=false` there believes that the containers are isolated; ICC is on.

## Example

    "Options": {"com.docker.network.bridge.enableicc": "false"}

## What to do

Make the network anew with `-o com.docker.network.bridge.enable_icc=false`; options cannot be changed later.

## Limits

Keys of other prefixes are other people's and are left alone, except those that spell ICC.

## References

- CWE-1188
- CIS Docker Benchmark 1.8.0, 2.2
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from icclint.api import (
    BRIDGE_OPTIONS,
    ENABLE_ICC,
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
    for network in host.bridges:
        for key, value in network.options.items():
            reason = why_ignored(key, value)
            if reason:
                yield ignored(network, "Options", key, value, reason)
        for key, value in network.labels.items():
            if is_icc(key) and ENABLE_ICC not in network.options:
                yield ignored(network, "Labels", key, value, "the engine reads options, not labels")


def why_ignored(key: str, value: str) -> str:
    """Why the engine ignores an option; empty where it reads it, or where it is somebody else's."""
    if key == ENABLE_ICC and parse_bool(value) is None:
        return "the value is neither true nor false"
    if key in BRIDGE_OPTIONS:
        return ""
    if is_icc(key):
        return f"the key is {ENABLE_ICC}"
    if key.startswith(PREFIX):
        near = difflib.get_close_matches(key, sorted(BRIDGE_OPTIONS), n=1, cutoff=0.8)
        return f"the bridge driver reads no such key{f'; the nearest is {near[0]}' if near else ''}"
    return ""


def is_icc(key: str) -> bool:
    return re.sub(r"[^a-z]", "", key.lower().removeprefix(PREFIX)) in SPELLINGS_OF_ICC


def ignored(network: Network, where: str, key: str, value: str, reason: str) -> Finding:
    wanted_off = is_icc(key) and parse_bool(value) is False
    effect = f", and ICC is {'on' if network.icc else 'off'}" if wanted_off else ""
    kind = "option" if where == "Options" else "label"
    return Finding(
        message=f"The {kind} {key}={value} of network {network.name!r} has no effect ({reason}){effect}",
        subject=f"network {network.name}",
        key=(kind, key, value),
        primary=Location(network.span_of(where, key), "ignored by the engine"),
    )
