"""Containers, as ``docker inspect`` states them."""

from __future__ import annotations

from icclint.ir.base import Frozen
from icclint.source import Span


class Container(Frozen):
    """One container, running or not. ``links`` are the names of those that it was started with ``--link`` to."""

    id: str
    name: str
    links: frozenset[str]
    span: Span
