"""The table of who reaches whom as one matrix for each network: senders by row, receivers by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from icclint.reach import Row, Table, some_names

_Name = tuple[str | None, str]
"""The network of a sender or a receiver, None for the host and the outside, and the name."""
_Block = tuple[tuple[_Name, ...], tuple[tuple[Row, ...], ...]]
"""Some names, and what is said of them to or from each other side."""


@dataclass(frozen=True, slots=True)
class Side:
    """Senders or receivers that are treated alike, by their networks: None for the host and the outside."""

    members: Mapping[str | None, tuple[str, ...]]

    @property
    def size(self) -> int:
        """How many they are."""
        return sum(map(len, self.members.values()))

    @property
    def words(self) -> str:
        """Some of their names, or of their networks' where they are of several."""
        if len(self.members) == 1:
            return some_names([name for names in self.members.values() for name in names])
        networks = [network for network in self.members if network is not None]
        return f"{self.size} containers of {some_names(networks)}"

    @property
    def is_cut(self) -> bool:
        """Whether the words leave names out."""
        return self.words != ", ".join(name for names in self.members.values() for name in names)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who reaches whom as one network's claims have it, for one family.

    ``cells`` are by sender, then by receiver. A cell holds a row of the table for each thing that is said of the two:
    none where nothing is asked, several only where names are ambiguous.
    """

    network: str
    family: int
    senders: tuple[Side, ...]
    receivers: tuple[Side, ...]
    cells: tuple[tuple[tuple[Row, ...], ...], ...]
    rows: tuple[Row, ...]

    @property
    def disagrees(self) -> bool:
        """Whether claim and effect disagree anywhere in it."""
        return any(row.disagrees for row in self.rows)


def matrices(table: Table) -> Iterator[Matrix]:
    """The matrices of a host. Published ports are left out: each is a service of its own."""
    by_network: dict[tuple[str, int], list[Row]] = {}
    for row in table.rows:
        if not row.published:
            by_network.setdefault((row.network, row.family), []).append(row)
    for (network, family), rows in by_network.items():
        yield _matrix(network, family, rows)


def _matrix(network: str, family: int, rows: list[Row]) -> Matrix:
    senders = _classes([[(row.sender_network, name) for name in row.senders] for row in rows], network)
    receivers = _classes([[(row.receiver_network, name) for name in row.receivers] for row in rows], network)
    lines = [
        (names, tuple(_cell(rows, said & heard) for heard in receivers.values())) for names, said in senders.items()
    ]
    blocks = _merged(lines, network)
    columns = _merged(
        [(names, tuple(cells[number] for _, cells in blocks)) for number, names in enumerate(receivers)], network
    )
    return Matrix(
        network=network,
        family=family,
        senders=tuple(_side(names) for names, _ in blocks),
        receivers=tuple(_side(names) for names, _ in columns),
        cells=tuple(tuple(cells[number] for _, cells in columns) for number in range(len(blocks))),
        rows=tuple(rows),
    )


def _classes(sides: list[list[_Name]], own: str) -> dict[tuple[_Name, ...], frozenset[int]]:
    """The names in classes that the same rows speak of, with the numbers of those rows; the network's own first."""
    spoken: dict[_Name, set[int]] = {}
    for number, names in enumerate(sides):
        for name in names:
            spoken.setdefault(name, set()).add(number)
    classes: dict[frozenset[int], list[_Name]] = {}
    for name in sorted(spoken, key=lambda one: (one[0] != own, one[0] is None, one[0] or "", one[1])):
        classes.setdefault(frozenset(spoken[name]), []).append(name)
    return {tuple(names): numbers for numbers, names in classes.items()}


def _merged(blocks: list[_Block], own: str) -> list[_Block]:
    """The blocks, with those made one of which the same is said throughout.

    The network's own containers, those of others, and what is no container stay apart.
    """
    found: dict[tuple[object, ...], _Block] = {}
    for names, cells in blocks:
        network, _ = names[0]
        kind = (network is None, network == own)
        key = (kind, *(tuple(_look(row) for row in cell) for cell in cells))
        before, same = found.get(key, ((), cells))
        found[key] = ((*before, *names), same)
    return list(found.values())


def _cell(rows: list[Row], numbers: frozenset[int]) -> tuple[Row, ...]:
    found = [rows[number] for number in sorted(numbers)]
    return tuple({_look(row): row for row in found}.values())


def _look(row: Row) -> tuple[object, ...]:
    """What a cell shows of a row."""
    return (row.claim, row.effect, row.services)


def _side(names: tuple[_Name, ...]) -> Side:
    members: dict[str | None, list[str]] = {}
    for network, name in names:
        members.setdefault(network, []).append(name)
    return Side({network: tuple(them) for network, them in members.items()})
