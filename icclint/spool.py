"""What is put aside to be gone through later, without growing in memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Generic, TypeVar

T = TypeVar("T")

_IN_MEMORY = 1 << 20


class Spool(Generic[T]):
    """Values in the order in which they were appended: in memory up to a megabyte, in a temporary file from then on.

    Nobody but this process sees the file, which has no name where the system allows that.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._count = 0

    def append(self, value: T) -> None:
        """Puts a value behind the others."""
        self._file.seek(0, 2)
        pickle.dump(value, self._file, pickle.HIGHEST_PROTOCOL)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        position = 0
        for _ in range(self._count):
            self._file.seek(position)
            yield pickle.load(self._file)
            position = self._file.tell()


class Again(Generic[T]):
    """What comes from a stream, for several readers, one after the other: ``kept`` holds what was taken from it."""

    def __init__(self, stream: Iterable[T], kept: list[T] | Spool[T]) -> None:
        self._stream = iter(stream)
        self._kept = kept

    def __iter__(self) -> Iterator[T]:
        yield from self._kept
        for value in self._stream:
            self._kept.append(value)
            yield value
