"""The table of iptables options, as the lowering asks it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any


class Support(Enum):
    """How far an option is understood; options.toml explains the states."""

    MODELLED = "modelled"
    NO_EFFECT = "no-effect"
    PER_PACKET = "per-packet"
    FREE = "free"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True)
class OptionTable:
    """The rows of options.toml. Owners are ``command``, ``match.NAME`` and ``target.NAME``."""

    rows: Mapping[tuple[str, str], Support]
    owners: Mapping[str, Mapping[str, Any]]

    def support(self, owner: str, keyword: str) -> Support:
        """The state of one option of one owner."""
        return self.rows.get((owner, keyword), Support.UNRECOGNISED)

    def bare(self, owner: str) -> Support:
        """The state of a match without any option."""
        return Support(self.owners[owner].get("bare", "free")) if owner in self.owners else Support.UNRECOGNISED

    def is_entangled(self, owner: str) -> bool:
        """Whether the options of a match change each other's meaning."""
        return bool(self.owners.get(owner, {}).get("entangled", False))

    def written_by(self, owner: str) -> frozenset[str]:
        """The targets that can change what a match looks at."""
        return frozenset(self.owners.get(owner, {}).get("written-by", ()))

    def verdict(self, target: str, keywords: Collection[str]) -> str | None:
        """What a target extension does with a packet, or None where no such extension is known."""
        owner = self.owners.get(f"target.{target}")
        if owner is None:
            return None
        special: Mapping[str, str] = owner.get("verdict-with", {})
        return next((special[keyword] for keyword in keywords if keyword in special), owner["verdict"])


# The spellings that dumps do not print but hand-made files use (man iptables).
_LONG = {
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--in-interface": "-i",
    "--out-interface": "-o", "--protocol": "-p", "--fragment": "-f", "--fragments": "-f", "--match": "-m",
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
    return OptionTable(rows, sections)
