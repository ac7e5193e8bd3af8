"""What the kernel knows of bridges and their ports."""

from __future__ import annotations

from icclint.ir.base import Frozen
from icclint.source import Span


class BridgePort(Frozen):
    """One port of a bridge: the host's end of a container's cable, as a rule.

    Between two ports that are ``isolated`` no frame passes (man bridge; net/bridge/br_private.h, br_skb_isolated).
    ``hairpin`` tells whether a frame may go back by the port that it came in by, as engines set it where no
    docker-proxy runs. Both are None where they were not shown.
    """

    name: str
    bridge: str
    isolated: bool | None
    hairpin: bool | None
    span: Span


class BridgeSwitch(Frozen):
    """A bridge whose frames of some families (none, as by default) meet iptables whatever the host's setting is.

    Source: man ip-link, ``nf_call_iptables``; net/bridge/br_netfilter_hooks.c, br_nf_pre_routing.
    """

    bridge: str
    families: frozenset[int]
    span: Span
