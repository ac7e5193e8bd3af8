"""The options of the targets of table nat (man iptables-extensions: DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from icclint.ir.match import Range
from icclint.lower.values import address_number, ordered, range_of_subnet

_HOW = {"DNAT": "to", "SNAT": "to", "MASQUERADE": "interface", "REDIRECT": "interface", "NETMAP": "prefix"}
_TO = ("--to-destination", "--to-source", "--to-ports", "--to")
# ADDRESS[-ADDRESS][:PORT[-PORT]], with brackets around IPv6 where a port follows.
_ENDS = re.compile(
    r"(?:\[(?P<brackets>[^\]]+)\]|(?P<bare>[^\[\]:]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.-]*))"
    r"(?::(?P<ports>[0-9]+(?:-[0-9]+)?))?"
)


def rewrite_ends(target: str, options: Mapping[str, str], family: int) -> dict[str, Any]:
    """The fields of a `Rewrite`; its ``how`` is ``unknown`` where the options cannot be read."""
    text = next((options[keyword] for keyword in _TO if keyword in options), "")
    how = _HOW[target]
    try:
        if how == "interface":
            return {"how": how, "ports": _ports(text) if text else None}
        if how == "prefix":
            return {"how": how, "addresses": range_of_subnet(text, family)}
        found = _ENDS.fullmatch(text)
        if found is None or not text:
            raise ValueError(text)
        addresses = found["brackets"] or found["bare"]
        return {
            "how": how,
            "addresses": _addresses(addresses, family) if addresses else None,
            "ports": _ports(found["ports"]) if found["ports"] else None,
        }
    except ValueError:
        return {"how": "unknown"}


def _addresses(text: str, family: int) -> Range:
    first, _, last = text.partition("-")
    return ordered(address_number(first, family), address_number(last or first, family))


def _ports(text: str) -> Range:
    # `1000-2000/1000` maps each port to one of its own, which the fields of a rewrite cannot say.
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if not 0 <= low <= high <= 65535:
        raise ValueError(text)
    return low, high
