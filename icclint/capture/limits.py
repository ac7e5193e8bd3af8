"""How much of a capture is read: evidence may come from anybody, and must not cost more than it may."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What one place may cost: a folder that is a host, an archive, or all loose files.

    ``files`` is how many files, folders and members of archives are looked at, ``bytes`` the size of the largest
    document (all together may have `TOGETHER` times as many), ``unpacked`` how many bytes may come out of what is
    compressed. No host comes near the defaults: a sos report has some ten thousand files, and the rules of a host
    with a thousand containers are a megabyte.
    """

    files: int = 200_000
    bytes: int = 1 << 26
    unpacked: int = 1 << 31


TOGETHER = 16
"""How many times larger than the largest document all documents of one place may be together."""


class LimitError(Exception):
    """A limit is reached; the message names the option that sets it."""


@dataclass(slots=True)
class Budget:
    """What is left of the limits of one place."""

    limits: Limits
    files: int = field(init=False)
    unpacked: int = field(init=False)
    kept: int = field(init=False)

    def __post_init__(self) -> None:
        self.files = self.limits.files
        self.unpacked = self.limits.unpacked
        self.kept = self.limits.bytes * TOGETHER

    def look(self) -> None:
        """One more file, folder or member."""
        if self.files == 0:
            raise LimitError(f"there are more than {self.limits.files:,} files (--max-files)")
        self.files -= 1

    def unpack(self, size: int) -> None:
        """So many bytes more came out of an archive."""
        self.unpacked -= size
        if self.unpacked < 0:
            raise LimitError(f"it unpacks to more than {self.limits.unpacked:,} bytes (--max-unpacked)")

    def document(self, size: int) -> None:
        """A document is at least that large."""
        if size > self.limits.bytes:
            raise LimitError(f"it is larger than {self.limits.bytes:,} bytes (--max-bytes)")
        if size > self.kept:
            raise LimitError(f"the documents before it have {self.limits.bytes * TOGETHER:,} bytes (--max-bytes)")

    def keep(self, size: int) -> None:
        """A document of that size stays in memory."""
        self.kept -= size
