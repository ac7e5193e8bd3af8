"""What was found at one path, as a tree of folders; an archive is one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from icclint.capture.archive import UNREADABLE
from icclint.capture.limits import Budget
from icclint.parse.kind import Kind

TELLS_NOTHING = (Kind.UNKNOWN, Kind.BROKEN_JSON, Kind.EMPTY)
"""Kinds of documents that do not make their folder a host."""


_CAPTURE_NAME = re.compile(
    r"(?<![a-z])ip6?_?tables|(?<![a-z])nft(?![a-z])|docker_network_inspect|docker-network-inspect|sysctl_?-?a(?:ll)?\b"
    r"|^(?:networks|containers)\.json$",
    re.IGNORECASE,
)


def is_named_like_a_capture(name: str) -> bool:
    """Whether a file's name says that it holds what icclint reads."""
    return _CAPTURE_NAME.search(name.rpartition("/")[2]) is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """A file by its name. ``content`` is None where it was not read, or not kept since it is of no known kind;
    ``reason`` says why, and ``kind`` is None where nothing at all could be read. ``of_all`` is set where the name is
    that of a folder or an archive.
    """

    name: str
    content: bytes | None
    kind: Kind | None
    reason: str = ""
    of_all: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it is a document of a kind that icclint knows."""
        return self.content is not None and self.kind not in TELLS_NOTHING

    @property
    def is_unreadable(self) -> bool:
        """Whether it should have been read, and could not be."""
        return self.reason.startswith(UNREADABLE)


@dataclass(eq=False)
class Folder:
    """A folder: ``troubles`` is what is wrong with all of it, ``repeats`` how often a file's name came. ``count`` and
    the flags tell of all beneath it.
    """

    name: str
    files: dict[str, Entry] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)
    troubles: list[Entry] = field(default_factory=list)
    repeats: dict[str, int] = field(default_factory=dict)
    count: int = 0
    holds_known: bool = False
    is_telling: bool = False

    def add(self, entry: Entry, budget: Budget) -> None:
        """Puts a file where its name says. A name that is taken, as archives allow, gets a number."""
        *path, base = self._path(entry.name)
        folder = self._walk(path, entry, budget)
        while base in folder.files:
            number = folder.repeats[base] = folder.repeats.get(base, 1) + 1
            base, entry = f"{base} ({number})", replace(entry, name=f"{entry.name} ({number})")
        folder.files[base] = entry

    def add_trouble(self, entry: Entry, budget: Budget) -> None:
        """Notes what is wrong with a folder or an archive."""
        self._walk(self._path(entry.name), entry, budget).troubles.append(entry)

    def beneath(self) -> Iterator[Folder]:
        """This folder and all folders in it, in the order of names."""
        pending = [self]
        while pending:
            folder = pending.pop()
            yield folder
            pending += [folder.folders[name] for name in sorted(folder.folders, reverse=True)]

    def _path(self, name: str) -> list[str]:
        path = name.removeprefix(self.name).strip("/")
        return path.split("/") if path else []

    def _walk(self, path: list[str], entry: Entry, budget: Budget) -> Folder:
        folder = self
        folder._tell(entry)
        for part in path:
            below = folder.folders.get(part)
            if below is None:
                budget.look()
                below = folder.folders[part] = Folder(f"{folder.name}/{part}" if folder.name else part)
            folder = below
            folder._tell(entry)
        return folder

    def _tell(self, entry: Entry) -> None:
        self.count += 1
        self.holds_known |= entry.is_known
        # What should have told, too.
        self.is_telling |= entry.is_known or is_named_like_a_capture(entry.name) or entry.of_all
