"""What lies at one path, read as far as a capture may need it: documents whole, and of other files what shows that."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from icclint.capture.archive import HEAD, READ_ERRORS, UNREADABLE, Found, opened, why
from icclint.capture.folder import look, walk
from icclint.capture.limits import Budget, LimitError, Limits
from icclint.capture.tree import Entry, Folder, is_named_like_a_capture
from icclint.parse.kind import NOT_KNOWN, Kind, kind_of
from icclint.source import Document

STDIN = "-"


class Reader:
    """Reads one path. ``top`` is the tree of a folder or an archive, ``loose`` the document that a file is."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.top = Folder(name)
        self.loose: list[Entry] = []
        self._budget = Budget(limits)
        # A person's folder has few unknown files, and what stands far down in one may make it known.
        self._room = limits.bytes

    def read_inner(self, path: str) -> None:
        """Reads everything at a path that lies in a folder; why nothing at it can be read is a trouble of ``top``."""
        self._place(look(Path(path), self.top.name, self._budget))

    def read(self, path: str) -> None:
        """Reads everything at a path. Raises one of `READ_ERRORS` where nothing at it can be read."""
        if path != STDIN and os.path.isdir(path):
            self._place(walk(Path(path), self.top.name, self._budget))
            return
        with _stream(path) as stream:
            self._place(self._asked(opened(self.top.name, stream, self._budget)))

    def _asked(self, found: Iterator[Found]) -> Iterator[Found]:
        """What is in the archive that was asked for; a file that is none was asked for itself."""
        for one in found:
            if one.name != self.top.name:
                yield one
            elif one.rest is not None:
                self.loose.append(self._loose(one.name, one.head, one.rest))
            elif self.top.count:
                yield one
            else:
                raise OSError(None, one.reason)

    def _loose(self, name: str, head: bytes, rest: IO[bytes]) -> Entry:
        content = self._content(head, rest)
        return Entry(name, content, kind_of(Document(name, content)))

    def _place(self, found: Iterable[Found]) -> None:
        try:
            for one in found:
                if one.of_all:
                    self.top.add_trouble(Entry(one.name, None, None, one.reason, of_all=True), self._budget)
                else:
                    self.top.add(self._entry(one), self._budget)
        except LimitError as error:
            reason = f"{UNREADABLE} any further: {error}"
            self.top.troubles.append(Entry(self.top.name, None, None, reason, of_all=True))

    def _entry(self, found: Found) -> Entry:
        if found.rest is None:
            return Entry(found.name, None, None, found.reason)
        kind = kind_of(Document(found.name, found.head))
        is_unknown = kind is Kind.UNKNOWN and not is_named_like_a_capture(found.name)
        if is_unknown and len(found.head) == HEAD and self._room <= 0:
            return Entry(found.name, None, kind, NOT_KNOWN)
        try:
            content = self._content(found.head, found.rest)
        except READ_ERRORS as error:
            self._room -= self._budget.limits.bytes if is_unknown else 0
            return Entry(found.name, None, kind, f"{UNREADABLE}: {why(error)}")
        if len(content) > len(found.head):
            kind = kind_of(Document(found.name, content))
            is_unknown = is_unknown and kind is Kind.UNKNOWN
        if is_unknown:
            self._room -= len(content)
            return Entry(found.name, content if self._room >= 0 else None, kind, NOT_KNOWN)
        self._budget.keep(len(content))
        return Entry(found.name, content, kind)

    def _content(self, head: bytes, rest: IO[bytes]) -> bytes:
        content = bytearray(head)
        self._budget.document(len(content))
        while len(content) >= HEAD and (piece := rest.read(HEAD)):
            content += piece
            self._budget.document(len(content))
        return bytes(content)


def _stream(path: str) -> AbstractContextManager[IO[bytes]]:
    if path != STDIN:
        return open(path, "rb")
    # Python has none where it was started without one.
    return nullcontext(sys.stdin.buffer if sys.stdin is not None else open(os.devnull, "rb"))
