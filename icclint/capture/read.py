"""Paths to captures: which documents there are, and which host each belongs to.

Evidence is only read, and links are not followed, since a capture may come from anybody.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from icclint.parse.kind import Kind, kind_of
from icclint.source import Document, Gap, Span

STDIN = "-"
LOOSE_HOST = "host"
"""The name of the host that loose files and standard input tell of."""


@dataclass(frozen=True, slots=True)
class Capture:
    """All documents of one host at one time, each with its kind, and what could not be read."""

    host: str
    documents: tuple[tuple[Document, Kind], ...]
    gaps: tuple[Gap, ...]


class MissingInputError(Exception):
    """A path that does not exist, or a folder that holds no document."""


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
    captures: list[Capture] = []
    loose: list[_Entry] = []
    for path in wanted:
        if path == STDIN:
            loose.append(_Entry("stdin", sys.stdin.buffer.read()))
        elif os.path.isdir(path):
            found = list(_folder(Path(path), base))
            captures += found
            if not found:
                errors.append(MissingInputError(f"{path}: the folder holds no file"))
        elif os.path.lexists(path):
            loose.append(_file(Path(path), base, follow=True))
        else:
            errors.append(MissingInputError(f"{path}: no such file or folder"))
    if loose:
        captures.append(_capture(LOOSE_HOST, loose))
    unique = {capture.host: capture for capture in captures}
    return tuple(unique[host] for host in sorted(unique)), tuple(errors)


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


def _folder(folder: Path, base: str) -> Iterator[Capture]:
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    files = [_file(path, base) for path in entries if not _is_folder(path)]
    folders = [path for path in entries if _is_folder(path)]
    here = _capture(_host(folder, base), files)
    if any(kind is not Kind.UNKNOWN for _, kind in here.documents):
        beneath = [_file(path, base) for sub in folders for path in _files_beneath(sub)]
        yield _capture(here.host, files + beneath)
        return
    found = [capture for sub in folders for capture in _folder(sub, base)]
    # Notes that lie beside the folders of several hosts belong to none of them.
    if not found and files:
        yield here
    yield from found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _files_beneath(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if _is_folder(path):
            yield from _files_beneath(path)
        else:
            yield path


def _file(path: Path, base: str, *, follow: bool = False) -> _Entry:
    name = _name(path, base)
    try:
        mode = (path.stat() if follow else path.lstat()).st_mode
        if stat.S_ISLNK(mode):
            return _Entry(name, None, "a symbolic link, which is not followed")
        # A pipe or a device could be read for ever.
        if not stat.S_ISREG(mode):
            return _Entry(name, None, "not a regular file")
        return _Entry(name, path.read_bytes())
    except OSError as error:
        return _Entry(name, None, f"cannot be read: {error.strerror}")


def _capture(host: str, entries: Iterable[_Entry]) -> Capture:
    documents = [Document(entry.name, entry.content) for entry in entries if entry.content is not None]
    gaps = [
        Gap(Span(entry.name, 1, 1, 1, 1), entry.name, entry.reason, whole=True)
        for entry in entries
        if entry.content is None
    ]
    return Capture(host, tuple((document, kind_of(document)) for document in documents), tuple(gaps))


def _name(path: Path, base: str) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def _host(folder: Path, base: str) -> str:
    name = _name(folder, base)
    return os.path.basename(base) if name == "." else name
