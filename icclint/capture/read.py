"""Paths to captures: which documents there are, and which host each belongs to.

Evidence is only read, and links are not followed, since a capture may come from anybody.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from icclint.capture.states import SEVERAL_STATES, State, read_states
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap, Span

STDIN = "-"
UNREADABLE = "cannot be read"
"""How the reason of a gap begins where a document should have been read, and could not be."""
LOOSE_HOST = "host"
"""The name of the host that loose files and standard input tell of."""
MOST_BYTES = 1 << 28
"""The largest file that is read. No output of a host comes near it; a disk image in its folder does."""


@dataclass(frozen=True, slots=True)
class Capture:
    """All documents of one host at one time, each with its kind, and what could not be read."""

    host: str
    documents: tuple[tuple[Document, Kind], ...]
    gaps: tuple[Gap, ...]


class MissingInputError(Exception):
    """A path that does not exist or cannot be read, or a folder that holds no document."""


def read_captures(paths: Iterable[str], root: Path) -> tuple[tuple[Capture, ...], tuple[MissingInputError, ...]]:
    """The captures at some paths, and the paths at which there is none.

    A folder is one host with everything beneath it, if a document that icclint knows lies directly in it; otherwise
    each of its folders is looked at in the same way. Loose files and ``-`` (standard input) are one host together.
    Documents are named by their path relative to ``root``, or, where some lie outside of it, relative to the folder
    above all of them, so that no name tells where on this machine a capture lies.
    """
    wanted = sorted(set(paths))
    base = _base([path for path in wanted if path != STDIN], root)
    errors: list[MissingInputError] = []
    captures: dict[str, Capture] = {}
    loose: list[_Entry] = []
    for path in wanted:
        if path != STDIN and os.path.isdir(path):
            found = {part.host: part for capture in _folder(Path(path), base, errors) for part in _by_state(capture)}
            captures |= found
            if not found:
                errors.append(MissingInputError(f"{path}: the folder holds no file"))
            continue
        try:
            loose.append(_stdin() if path == STDIN else _Entry(_name(Path(path), base), _all_of(path, os.O_RDONLY)))
        except OSError as error:
            errors.append(MissingInputError(f"{path}: {error.strerror}"))
    if loose:
        # A folder may have the same name.
        host = LOOSE_HOST if LOOSE_HOST not in captures else f"{LOOSE_HOST} (files)"
        captures |= {part.host: part for part in _by_state(_capture(host, loose))}
    return tuple(captures[host] for host in sorted(captures)), tuple(errors)


def _base(paths: list[str], root: Path) -> str:
    """The folder that all names are relative to."""
    top = os.path.abspath(root)
    absolute = [os.path.abspath(path) for path in paths]
    if all(path == top or path.startswith(os.path.join(top, "")) for path in absolute):
        return top
    return os.path.commonpath([os.path.dirname(path) for path in absolute])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file by its name: its bytes, or why there are none."""

    name: str
    content: bytes | None
    reason: str = ""

    @property
    def is_unreadable(self) -> bool:
        """Whether it should have been read, and could not be."""
        return self.reason.startswith(UNREADABLE)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What lies directly in one folder, in the order of names; ``failure`` is why that cannot be told."""

    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    failure: str = ""


def _folder(top: Path, base: str, errors: list[MissingInputError]) -> Iterator[Capture]:
    """The hosts in a folder. Files that icclint does not know belong to none, unless there is nothing else."""
    tree = _tree(top)
    pending = [top]
    while pending:
        folder = pending.pop()
        entries = list(_entries(folder, tree[folder], base))
        here = _capture(_host(folder, base), entries)
        # Notes beside the folders of hosts may well show a command and its output.
        if any(kind not in (Kind.UNKNOWN, Kind.EMPTY, *SEVERAL_STATES) for _, kind in here.documents):
            beneath = [entry for below in _beneath(folder, tree) for entry in _entries(below, tree[below], base)]
            yield _capture(here.host, entries + beneath)
            continue
        pending += reversed(tree[folder].folders)
        if entries and not any(tree[below].files for below in _beneath(folder, tree)):
            yield here
        else:
            told = tuple(piece for piece in here.documents if piece[1] in SEVERAL_STATES)
            if told:
                yield Capture(here.host, told, ())
            errors += [MissingInputError(f"{entry.name}: {entry.reason}") for entry in entries if entry.is_unreadable]


def _tree(top: Path) -> dict[Path, _Listing]:
    """Every folder from one on down; links lead nowhere."""
    tree: dict[Path, _Listing] = {}
    pending = [top]
    while pending:
        folder = pending.pop()
        tree[folder] = _listing(folder)
        pending += tree[folder].folders
    return tree


def _listing(folder: Path) -> _Listing:
    try:
        with os.scandir(folder) as found:
            kinds = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
    except OSError as error:
        return _Listing((), (), f"{UNREADABLE}: {error.strerror}")
    return _Listing(
        files=tuple(folder / name for name, is_folder in kinds if not is_folder),
        folders=tuple(folder / name for name, is_folder in kinds if is_folder),
    )


def _beneath(folder: Path, tree: Mapping[Path, _Listing]) -> Iterator[Path]:
    """The folders in a folder, and those in them."""
    pending = list(reversed(tree[folder].folders))
    while pending:
        below = pending.pop()
        yield below
        pending += reversed(tree[below].folders)


def _entries(folder: Path, listing: _Listing, base: str) -> Iterator[_Entry]:
    if listing.failure:
        yield _Entry(_name(folder, base), None, listing.failure)
    for path in listing.files:
        yield _file(path, _name(path, base))


def _file(path: Path, name: str) -> _Entry:
    """A file of a folder that may come from anybody."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return _Entry(name, None, "a symbolic link, which is not followed")
        # A pipe or a device could be read for ever.
        if not stat.S_ISREG(mode):
            return _Entry(name, None, "not a regular file")
        return _Entry(name, _all_of(path, os.O_RDONLY | _NO_SURPRISES))
    except OSError as error:
        return _Entry(name, None, f"{UNREADABLE}: {error.strerror}")


# What was a file a moment ago may be a link or a pipe now.
_NO_SURPRISES: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _stdin() -> _Entry:
    # Python has none where it was started without one.
    return _Entry("stdin", _at_most(sys.stdin.buffer) if sys.stdin is not None else b"")


def _all_of(path: str | Path, flags: int) -> bytes:
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        return _at_most(file)


def _at_most(file: IO[bytes]) -> bytes:
    content = bytearray()
    while piece := file.read(1 << 20):
        content += piece
        if len(content) > MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return bytes(content)


def _capture(host: str, entries: Iterable[_Entry]) -> Capture:
    documents = [Document(entry.name, entry.content) for entry in entries if entry.content is not None]
    gaps = [
        Gap(Span(entry.name, 1, 1, 1, 1), entry.name, entry.reason, whole=True)
        for entry in entries
        if entry.content is None
    ]
    return Capture(host, tuple((document, kind_of(document)) for document in documents), tuple(gaps))


def _by_state(capture: Capture) -> Iterator[Capture]:
    """A capture with its transcripts, and the diffs of its dumps, gone through.

    A transcript of one state of one host is read with the other documents. One that shows several is captures of its
    own: of the other documents nobody can tell to which of its states they belong.
    """
    plain = [(document, kind) for document, kind in capture.documents if kind not in SEVERAL_STATES]
    told = [read_states(document, kind) for document, kind in capture.documents if kind in SEVERAL_STATES]
    names = {state.host for states in told for state in states if state.host}
    if len(names) < 2:
        alone = [states[0] for states in told if len(states) == 1]
        told = [states for states in told if len(states) > 1]
    else:
        alone = []
    if plain or alone or capture.gaps or not told:
        pieces = [piece for state in alone for piece in state.pieces]
        gaps = [gap for state in alone for gap in state.gaps]
        yield Capture(capture.host, (*plain, *pieces), (*capture.gaps, *gaps))
    for states in told:
        yield from (Capture(_title(states, state), state.pieces, state.gaps) for state in states)


def _title(states: Sequence[State], state: State) -> str:
    """What a state of a transcript is called: its host, where there are several, and its place in time."""
    of_host = [other for other in states if other.host == state.host]
    number, last = of_host.index(state) + 1, len(of_host)
    when = f"state {number:0{len(str(last))}} of {last}" if last > 1 else ""
    host = state.host if len(of_host) < len(states) or not when else ""
    words = ", ".join(word for word in (host, when) if word)
    name = state.pieces[0][0].name
    return f"{name} ({words})" if words else name


def _name(path: Path, base: str) -> str:
    """A path that can be printed: what is no UTF-8 in it becomes U+FFFD."""
    relative = Path(os.path.relpath(path, base)).as_posix()
    return os.fsencode(relative).decode("utf-8", "replace")


def _host(folder: Path, base: str) -> str:
    name = _name(folder, base)
    return (os.path.basename(base) or LOOSE_HOST) if name == "." else name
