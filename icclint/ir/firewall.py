"""Programs that write rules of a host's own firewall: what they say of themselves, beside the rules that they wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import SkipValidation

from icclint.ir.base import Frozen
from icclint.source import Span


class UfwRule(Frozen):
    """One rule of ufw as it shows it."""

    text: str
    span: Span


class Ufw(Frozen):
    """What ``ufw status`` says. ``defaults`` are its policies (``deny``, ``allow``, ``reject``, ``disabled``).

    Their keys are ``incoming``, ``outgoing`` and ``routed``; there are none unless the status was verbose.
    """

    active: bool
    defaults: Annotated[Mapping[str, str], SkipValidation]
    rules: tuple[UfwRule, ...]
    span: Span


class FirewalldPart(Frozen):
    """One zone or policy of firewalld as ``firewall-cmd --list-all-zones`` and its like show it.

    ``active`` tells that an interface or a source is bound to it. ``settings`` are the values of each of its lines by
    their name: ``target``, ``interfaces``, ``sources``, ``services``, ``ports``, ``rich rules`` and others.
    """

    name: str
    kind: Literal["zone", "policy"]
    active: bool
    settings: Annotated[Mapping[str, tuple[str, ...]], SkipValidation]
    span: Span
