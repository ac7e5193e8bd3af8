"""The table of iptables options, as the lowering asks it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files


class Support(Enum):
    """How far an option is understood; options.toml explains the states."""

    MODELLED = "modelled"
    NO_EFFECT = "no-effect"
    PER_PACKET = "per-packet"
    FREE = "free"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True)
class OptionTable:
    """The rows of options.toml. Owners are ``command``, ``match.NAME`` and ``target.NAME``.

    ``idle_owners`` are those that match every packet where they have no option (``-m tcp``, ``-m comment``), while
    the others are tests in themselves (``-m socket``).
    """

    rows: Mapping[tuple[str, str], Support]
    owners: frozenset[str]
    idle_owners: frozenset[str]
    verdicts: Mapping[str, str]

    def support(self, owner: str, keyword: str) -> Support:
        """The state of one option of one owner."""
        return self.rows.get((owner, keyword), Support.UNRECOGNISED)

    def verdict(self, target: str) -> str | None:
        """What a target extension does with a packet, or None where no such extension is known."""
        return self.verdicts.get(target)


# The spellings that dumps do not print but hand-made files use (man iptables).
_LONG = {
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--in-interface": "-i",
    "--out-interface": "-o", "--protocol": "-p", "--proto": "-p", "--fragment": "-f", "--match": "-m",
    "--jump": "-j", "--goto": "-g", "--set-counters": "-c", "--source-port": "--sport",
    "--destination-port": "--dport", "--source-ports": "--sports", "--destination-ports": "--dports",
}  # fmt: skip


def plain_keyword(keyword: str) -> str:
    """The spelling of an option that dumps print."""
    return _LONG.get(keyword, keyword)


@cache
def option_table() -> OptionTable:
    """The table, read once."""
    data = tomllib.loads(files("icclint_grammars").joinpath("options.toml").read_text("utf-8"))
    sections = {"command": data["command"]}
    sections |= {f"match.{name}": section for name, section in data["match"].items()}
    sections |= {f"target.{name}": section for name, section in data["target"].items()}
    rows = {
        (owner, keyword): support
        for owner, section in sections.items()
        for support in Support
        for keyword in section.get(support.value, ())
    }
    verdicts = {name: section["verdict"] for name, section in data["target"].items()}
    idle = {owner for (owner, _), support in rows.items() if support in (Support.MODELLED, Support.NO_EFFECT)}
    return OptionTable(rows, frozenset(sections), frozenset(idle), verdicts)
