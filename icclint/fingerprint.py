"""Identity of findings: the same as long as the same thing is wrong, on whatever line it stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from icclint.ir.host import Host

VERSION = "icclintFinding/v1"


def fingerprint(host: Host, rule: str, subject: str, key: Iterable[str]) -> str:
    """SHA-256, in hex, over the rule, the subject and the canonical key; neither path nor line nor message count."""
    parts = (VERSION, rule, subject, *(canonical(host, text) for text in key))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# A word of a rule: an interface name, an address with or without its prefix length.
_WORD = re.compile(r"[0-9A-Za-z_.:-]+(?:/\d+)?")


def canonical(host: Host, text: str) -> str:
    """A rule as written, with names in place of what changes when networks and containers are made anew.

    Bridges, subnets and gateways are named by their network, addresses by their container.
    """
    names = _names(host)
    return _WORD.sub(lambda word: names.get(word[0], names.get(word[0].partition("/")[0], word[0])), text)


def _names(host: Host) -> dict[str, str]:
    names: dict[str, str] = {}
    for network in host.networks or ():
        if network.bridge:
            names[network.bridge] = f"<bridge:{network.name}>"
        names |= {str(subnet): f"<subnet:{network.name}>" for subnet in network.subnets}
        names |= {str(gateway): f"<gateway:{network.name}>" for gateway in network.gateways}
        for endpoint in network.endpoints:
            names |= {str(address): f"<container:{endpoint.name}>" for address in endpoint.addresses}
    return names
