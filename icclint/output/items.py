"""Items of arrays in JSON that come from a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def separated(items: Iterable[Iterable[str]]) -> Iterator[str]:
    """The items of an array, each in one line or several, with commas between them."""
    before = None
    for item in items:
        for number, line in enumerate(item):
            if before is not None:
                yield before if number else f"{before},"
            before = line
    if before is not None:
        yield before
