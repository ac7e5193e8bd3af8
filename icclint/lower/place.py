"""Of what an output of iptables is, where its text does not say so.

``iptables -S`` names neither its family nor its variant nor its table, and saves leave some of them out. What tells:
the text itself; a dump that does say what it is, and shows the same; the name of the document; and what the command
prints when it is called without more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from icclint.ir.ruleset import BUILT_IN_CHAINS
from icclint.lower.draft import TableDraft
from icclint.parse.dump import Option

_FamilyOf = Callable[[Option], int | None]


@dataclass(frozen=True, slots=True)
class Place:
    """One table of one variant of iptables for one family."""

    family: int
    variant: str | None
    table: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A dump with its place. ``sure`` is unset where nothing told the family, and IPv4 was taken for granted."""

    draft: TableDraft
    place: Place
    sure: bool


def place_all(drafts: Iterable[TableDraft]) -> tuple[list[Placed], list[TableDraft]]:
    """Each dump with its place, those that tell the most first, and the dumps whose table cannot be told."""
    drafts = list(drafts)
    around: dict[str, list[TableDraft]] = {}
    for draft in drafts:
        if draft.dump.family is None:
            around.setdefault(draft.dump.document, []).append(draft)
    hint = cache(lambda document, family_of: _only_family(around.get(document, ()), family_of))
    told = [(_families(draft, hint), draft) for draft in drafts]
    placed: list[Placed] = []
    lost: list[TableDraft] = []
    for families, draft in sorted(told, key=lambda pair: (len(pair[0]), *_silence(pair[1]))):
        found = _placed(draft, families, placed)
        if found is None:
            lost.append(draft)
        else:
            placed.append(found)
    return placed, lost


def shows_every_table(placed: Iterable[Placed], family: int, variant: str | None) -> bool:
    """Whether a save shows every table that one variant has, so that a missing one holds no rules.

    ``iptables-save`` prints every table that exists, but ``iptables-save -t filter`` prints one, and a save of a single
    table may be either.
    """
    saves: dict[str, list[Placed]] = {}
    for known in placed:
        if known.draft.dump.saved and (known.place.family, known.place.variant) == (family, variant):
            saves.setdefault(known.draft.dump.document, []).append(known)
    return any(
        len({known.place.table for known in save}) > 1
        and not any(known.draft.dump.cut or known.draft.dump.partial for known in save)
        for save in saves.values()
    )


def _silence(draft: TableDraft) -> tuple[object, ...]:
    """How much a dump leaves untold; the fuller one comes first among equals."""
    dump = draft.dump
    shows_all = any(draft.shown_of(table).complete for table in _tables(draft))
    return not dump.saved, _told_variant(draft) is None, not shows_all, dump.document


def _placed(draft: TableDraft, families: Sequence[int], placed: Sequence[Placed]) -> Placed | None:
    tables = _tables(draft)
    for family, table in product(families, tables):
        for known in placed:
            if (known.place.family, known.place.table) == (family, table) and _agree(known, draft):
                return Placed(draft, known.place, sure=True)
    likeliest = _likeliest(draft, tables)
    if likeliest is None:
        return None
    place = Place(families[0], _variant(draft, families[0], likeliest, placed), likeliest)
    return Placed(draft, place, sure=len(families) == 1)


def _agree(known: Placed, draft: TableDraft) -> bool:
    """Whether a dump shows what is known of a table already."""
    told = _told_variant(draft)
    if known.place.variant != told and (told is not None or _names_its_program(draft)):
        return False
    known_table, table = (d.shown_of(known.place.table) for d in (known.draft, draft))
    return bool(known_table.chains.keys() & table.chains.keys()) and not any(known_table.contradictions(table))


def _variant(draft: TableDraft, family: int, table: str, placed: Sequence[Placed]) -> str | None:
    """The variant of a dump that agrees with no other."""
    told = _told_variant(draft)
    if told is not None or _names_its_program(draft):
        return told
    known = sorted({p.place.variant for p in placed if p.place.family == family}, key=str)
    # A host where one variant holds Docker's rules still answers for the other one with policies and no rule.
    if not known or (draft.is_open and len(known) == 1):
        return None
    holding = [p for p in placed if (p.place.family, p.place.table) == (family, table)]
    lacking = [variant for variant in known if variant not in {p.place.variant for p in holding}]
    if lacking:
        return None if shows_every_table(placed, family, lacking[0]) else lacking[0]
    # Who calls one dump "legacy" and another one nothing means that they are of two variants.
    return None if all(_VARIANT_NAME.search(_name(p.draft)) for p in holding) else known[0]


def _names_its_program(draft: TableDraft) -> bool:
    """Whether it is a save with the line that says which program wrote it."""
    return draft.dump.saved and draft.dump.family is not None


_VARIANT_NAME = re.compile(r"legacy|nft", re.IGNORECASE)
_TABLE_NAME = re.compile(r"(?<![a-z])(?:filter|nat|mangle|raw|security)(?![a-z])", re.IGNORECASE)
_FAMILY_NAMES = {
    6: re.compile(r"ip6|(?<![a-z0-9])(?:ip)?v6", re.IGNORECASE),
    4: re.compile(r"iptables|(?<![a-z0-9])(?:ip)?v4", re.IGNORECASE),
}


def _name(draft: TableDraft) -> str:
    return draft.dump.title.rpartition("/")[2]


def _told_variant(draft: TableDraft) -> str | None:
    named = _VARIANT_NAME.search(_name(draft))
    return draft.dump.variant or (named[0].lower() if named else None)


def _families(draft: TableDraft, hint: Callable[[str, _FamilyOf], int | None]) -> tuple[int, ...]:
    """The families that a dump can be of. One with no hint is taken for what ``iptables -S`` prints.

    Its own word counts first, and then that of the dumps around it, as ``hint`` gives it for a document: nat may have
    addresses where filter has none.
    """
    told = (
        draft.dump.family
        or _only_family([draft], _family_of_option)
        or hint(draft.dump.document, _family_of_option)
        or family_of_name(draft.dump.title)
        or hint(draft.dump.document, _family_of_protocol)
    )
    return (told,) if told else (4, 6)


def family_of_name(document: str) -> int | None:
    """The family that a document's name tells of."""
    name = document.rpartition("/")[2]
    return next((family for family, pattern in _FAMILY_NAMES.items() if pattern.search(name)), None)


_FAMILY_OF_WORD = {
    "module": {
        "icmp": 4, "ttl": 4, "realm": 4, "icmp6": 6, "hl": 6, "frag": 6, "rt": 6, "hbh": 6, "dst": 6, "mh": 6,
        "ipv6header": 6, "eui64": 6, "srh": 6,
    },
    "jump": {"TTL": 4, "ECN": 4, "ULOG": 4, "CLUSTERIP": 4, "HL": 6, "SNPT": 6, "DNPT": 6},
}  # fmt: skip
"""The words of iptables that only one family has (extensions/libipt_*.c and libip6t_*.c)."""


def _only_family(drafts: Iterable[TableDraft], family_of: _FamilyOf) -> int | None:
    """The family that all options speak for which speak for any."""
    options = (option for draft in drafts for command in draft.dump.commands for option in command.options)
    found = {family for option in options if (family := family_of(option))}
    return found.pop() if len(found) == 1 else None


def _family_of_option(option: Option) -> int | None:
    value = option.values[0] if option.values else ""
    if option.name in ("source", "destination", "source_range", "destination_range"):
        return 6 if ":" in value else 4 if "." in value else None
    if option.keyword == "--reject-with":
        return 6 if value.startswith("icmp6-") else 4 if value.startswith("icmp-") else None
    return _FAMILY_OF_WORD.get(option.name, {}).get(value)


def _family_of_protocol(option: Option) -> int | None:
    """What a protocol hints at, though the kernel takes either in both families."""
    return {"icmp": 4, "ipv6-icmp": 6, "icmpv6": 6}.get(option.values[0]) if option.name == "protocol" else None


_TABLES = ("filter", "nat", "mangle", "raw", "security")
_ONLY_IN = {
    **dict.fromkeys(("DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP"), ("nat",)),
    **dict.fromkeys(("CT", "NOTRACK"), ("raw",)),
    **dict.fromkeys(("CHECKSUM", "DSCP", "TOS", "ECN", "TTL", "HL", "TPROXY"), ("mangle",)),
    **dict.fromkeys(("SECMARK", "CONNSECMARK"), ("security", "mangle")),
    "REJECT": ("filter",),
}
"""Targets that the kernel takes in some tables only (struct xt_target, .table)."""


def _tables(draft: TableDraft) -> tuple[str, ...]:
    """The tables that a dump can be of: those that have its built-in chains and take its targets."""
    if draft.dump.table is not None:
        return (draft.dump.table,)
    fitting = [
        table
        for table in _TABLES
        if draft.hooks <= set(BUILT_IN_CHAINS[table])
        and all(table in _ONLY_IN.get(name, _TABLES) for name in draft.targets)
    ]
    # `iptables -S` shows one chain or all of them.
    whole = [table for table in fitting if _is_whole(draft, table)]
    return tuple(whole if whole and len(draft.hooks) > 1 else fitting)


def _likeliest(draft: TableDraft, tables: Sequence[str]) -> str | None:
    """One of several tables, or None where nothing speaks for one of them."""
    if len(tables) == 1:
        return tables[0]
    named = {found.lower() for found in _TABLE_NAME.findall(_name(draft))}
    best = [table for table in tables if table in named]
    # `iptables -S` without -t prints the filter table.
    return best[0] if best else "filter" if "filter" in tables else None


def _is_whole(draft: TableDraft, table: str) -> bool:
    """Whether it has the built-in chains of a table and no other; nat had no INPUT before Linux 2.6.36."""
    return draft.hooks | ({"INPUT"} if table == "nat" else set()) == set(BUILT_IN_CHAINS[table])
