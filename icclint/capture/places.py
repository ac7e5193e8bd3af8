"""Where hosts lie at some paths, told without reading them, so that each can be read by itself.

A folder is taken apart where it is certain that its folders and archives are looked at in the same way as it is. What
is not certain is one place, and whoever reads it may find several hosts there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from icclint.capture.archive import READ_ERRORS, Found, opened, printable
from icclint.capture.folder import joined, list_folder, look
from icclint.capture.layout import MOST_BY_HAND, is_named_like_an_archive, may_be_laid_out
from icclint.capture.limits import Budget, Limits
from icclint.capture.reader import STDIN
from icclint.capture.tree import TELLS_NOTHING, Entry, is_named_like_a_capture
from icclint.parse.kind import NOT_KNOWN, kind_of
from icclint.source import Document

LOOSE_HOST = "host"
"""The name of the host that loose files and standard input tell of."""


@dataclass(frozen=True, slots=True)
class Source:
    """A path, and what the names of documents there begin with. ``is_asked`` tells a path that somebody named."""

    path: str
    name: str
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What is read at once: one folder or archive, or all loose files.

    ``host`` is what a host is called that is all of it. ``is_among_many`` tells that it lies among more files than a
    person puts together, and ``beside`` are those of them, beside this place and the ones after it, that belong to no
    host.
    """

    host: str
    sources: tuple[Source, ...]
    is_among_many: bool = False
    beside: tuple[Entry, ...] = ()

    @property
    def is_stream(self) -> bool:
        """Whether a part of it is standard input or a pipe, which can be read once, and by this process only."""
        return not all(
            source.path != STDIN and (os.path.isfile(source.path) or os.path.isdir(source.path))
            for source in self.sources
        )


def find_places(paths: Iterable[str], root: Path, limits: Limits) -> tuple[Place, ...]:
    """The places at some paths, in the order of their names, folder by folder.

    Documents are named by their path relative to ``root``, or, where some lie outside of it, relative to the folder
    above all of them, so that no name tells where on this machine a capture lies.
    """
    wanted = sorted(set(paths))
    base = _base([path for path in wanted if path != STDIN], root)
    found: dict[str, Place] = {}
    loose: list[Source] = []
    for path in wanted:
        source = Source(path, "stdin" if path == STDIN else _name(Path(path), base), is_asked=True)
        top = Place(source.name or printable(os.path.basename(base)) or LOOSE_HOST, (source,))
        if path != STDIN and os.path.isdir(path):
            for place in _in_folder(top, limits):
                if place.host not in found or place.beside:
                    found[place.host] = place
        elif path != STDIN and os.path.isfile(path) and _is_archive(source, limits):
            found[top.host] = top
        else:
            loose.append(source)
    if loose:
        # A folder may have the same name.
        host = LOOSE_HOST if LOOSE_HOST not in found else f"{LOOSE_HOST} (files)"
        found[host] = Place(host, tuple(loose))
    return tuple(found[host] for host in sorted(found, key=lambda host: host.split("/")))


def _base(paths: list[str], root: Path) -> str:
    """The folder that all names are relative to."""
    top = os.path.abspath(root)
    absolute = [os.path.abspath(path) for path in paths]
    if all(path == top or path.startswith(os.path.join(top, "")) for path in absolute):
        return top
    return os.path.commonpath([os.path.dirname(path) for path in absolute])


def _name(path: Path, base: str) -> str:
    relative = printable(Path(os.path.relpath(path, base)).as_posix())
    return "" if relative == "." else relative


def _is_archive(source: Source, limits: Limits) -> bool:
    """Whether a path is an archive; one that cannot be read is none."""
    try:
        with open(source.path, "rb") as stream:
            first = next(opened(source.name, stream, Budget(limits)), None)
            return first is None or first.name != source.name
    except READ_ERRORS:
        return False


def _in_folder(top: Place, limits: Limits) -> Iterator[Place]:
    """The places in a folder; the folder itself, where it is a place or holds none."""
    first = list(islice(_names_of_files(top.sources[0].path), MOST_BY_HAND + 1))
    pending = [replace(top, is_among_many=len(first) > MOST_BY_HAND)]
    while pending:
        place = pending.pop()
        parts = _parts(place, limits) if os.path.isdir(place.sources[0].path) else []
        pending += reversed(parts)
        if not parts:
            yield place


def _parts(place: Place, limits: Limits) -> list[Place]:
    """The places directly in one; none where it may itself be a host."""
    (source,) = place.sources
    path = Path(source.path)
    try:
        found = list_folder(path, Budget(limits))
    except OSError:
        # Whoever reads it will tell.
        return []
    files, names = set(found.files), (*found.files, *found.folders)
    if not (found.folders or any(map(is_named_like_an_archive, files))):
        return []
    if may_be_laid_out(names) or len(names) > limits.files:
        return []
    inner: list[Source] = []
    beside: list[Entry] = []
    silent: list[Entry] = []
    for name in sorted(names):
        below = Source(str(path / name), joined(source.name, name))
        first = next(_lying(below, limits), None)
        if first is None:
            continue
        if name in files and first.name == below.name and not first.of_all:
            if _is_known(first):
                return []
            beside.append(_entry(first))
        elif place.is_among_many and not _is_telling(below, limits):
            silent += map(_entry, _lying(below, limits))
        else:
            inner.append(below)
    apart = (*place.beside, *beside, *silent)
    return [
        Place(below.name, (below,), place.is_among_many, () if number else apart) for number, below in enumerate(inner)
    ]


def _lying(source: Source, limits: Limits) -> Iterator[Found]:
    return look(Path(source.path), source.name, Budget(limits))


def _names_of_files(path: str) -> Iterator[str]:
    return (name for _, _, names in os.walk(path) for name in names)


def _is_telling(source: Source, limits: Limits) -> bool:
    return any(map(is_named_like_a_capture, _names_of_files(source.path))) or any(
        found.of_all or is_named_like_a_capture(found.name) or _is_known(found) for found in _lying(source, limits)
    )


def _is_known(found: Found) -> bool:
    return found.rest is not None and kind_of(Document(found.name, found.head)) not in TELLS_NOTHING


def _entry(found: Found) -> Entry:
    """A file as what it is to the hosts beside it."""
    return Entry(found.name, None, None, found.reason or NOT_KNOWN, found.of_all)
