"""What lies in a folder of the disk, archives opened. Links are not followed, since a folder may come from anybody."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from icclint.capture.archive import LINK, NOT_A_FILE, READ_ERRORS, UNREADABLE, Found, failed, opened, printable, why
from icclint.capture.limits import Budget, LimitError


def look(path: Path, name: str, budget: Budget) -> Iterator[Found]:
    """What there is at a path that lies in a folder, by its ``name``: to a capture, a link to a folder is none."""
    return (walk if path.is_dir() and not path.is_symlink() else open_file)(path, name, budget)


def walk(top: Path, name: str, budget: Budget) -> Iterator[Found]:
    """Everything in a folder, by names that begin with ``name``: a folder's files first, in the order of names."""
    pending = [(top, name)]
    while pending:
        folder, name = pending.pop()
        try:
            listing = list_folder(folder, budget)
            if not listing.files and not listing.folders:
                budget.look()
        except (OSError, LimitError) as error:
            yield failed(name, error)
            continue
        for file in listing.files:
            try:
                budget.look()
            except LimitError as error:
                yield failed(name, error)
                return
            yield from open_file(folder / file, joined(name, file), budget)
        pending += [(folder / below, joined(name, below)) for below in reversed(listing.folders)]


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies directly in one folder, in the order of names."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


def list_folder(folder: Path, budget: Budget) -> Listing:
    """What lies directly in a folder, and no more of it than may be looked at, and one. Raises OSError."""
    with os.scandir(folder) as found:
        # One more than may be looked at, so that it shows where there are more.
        kinds = heapq.nsmallest(
            budget.files + 1, ((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
        )
    return Listing(
        files=tuple(name for name, is_folder in kinds if not is_folder),
        folders=tuple(name for name, is_folder in kinds if is_folder),
    )


def open_file(path: Path, name: str, budget: Budget) -> Iterator[Found]:
    """A file of a folder, by its ``name``; or, if it is an archive, what is in it."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield Found(name, reason=LINK)
            return
        # A pipe or a device could be read for ever.
        if not stat.S_ISREG(mode):
            yield Found(name, reason=NOT_A_FILE)
            return
        with open(path, "rb", opener=lambda file, flags: os.open(file, flags | _NO_SURPRISES)) as stream:
            yield from opened(name, stream, budget)
    except READ_ERRORS as error:
        yield Found(name, reason=f"{UNREADABLE}: {why(error)}")


# What was a file a moment ago may be a link or a pipe now.
_NO_SURPRISES: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def joined(folder: str, name: str) -> str:
    """What is called ``name`` in a folder of that name."""
    name = printable(name)
    return f"{folder}/{name}" if folder else name
