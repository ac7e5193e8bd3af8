"""The modules of the kernel, as ``lsmod`` and ``/proc/modules`` show them.

Shapes: kmod, tools/lsmod.c; kernel/module/procfs.c, m_show. Lines that a search picked out are read alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from icclint.parse.gaps import Gaps
from icclint.source import Document, Gap, Span

_MODULE = re.compile(r"(?P<name>\w+)\s+\d+\s+-?\d+(?P<rest>(?:\s.*)?)$")
_HEAD = re.compile(r"Module\s+Size\s+Used by\b")


@dataclass(frozen=True, slots=True)
class ShownModule:
    """One module as written, with the modules that use it."""

    name: str
    users: tuple[str, ...]
    span: Span


def looks_like_modules(lines: list[str]) -> bool:
    """Whether the first line that says anything heads ``lsmod``, or is its line, or the kernel's, about a bridge."""
    first = next((line for line in lines if line.strip()), "")
    found = _MODULE.match(first)
    return _HEAD.match(first) is not None or (found is not None and found["name"] in ("bridge", "br_netfilter"))


def parse_modules(document: Document) -> tuple[tuple[ShownModule, ...], tuple[Gap, ...]]:
    """The modules, and the lines that are none."""
    found: list[ShownModule] = []
    gaps = Gaps(document)
    for number, line in enumerate(document.lines, start=1):
        module = _MODULE.match(line)
        if not line.strip() or _HEAD.match(line):
            continue
        if module is None:
            gaps.foreign(number, "not a line that lsmod prints")
            continue
        gaps.understood()
        users = module["rest"].split()
        names = users[0].split(",") if users and users[0] != "-" else []
        found.append(ShownModule(module["name"], tuple(name for name in names if name), document.line_span(number)))
    return tuple(found), gaps.all()
