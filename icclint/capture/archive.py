"""What is packed in a file: members of tar and zip, nested once, and compressed documents.

Everything is read as a stream or in memory, and nothing is written: evidence does not spread. A name in an archive is
only a name, so neither a path that leads out of it nor a link can reach anything.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Protocol, cast

from icclint.capture.limits import Budget, LimitError

UNREADABLE = "cannot be read"
"""How the reason begins where something should have been read, and could not be."""
HEAD = 1 << 16
"""How many bytes of a file tell what it is."""
LINK = "a symbolic link, which is not followed"
NOT_A_FILE = "not a regular file"

_LONGEST_NAME = 4096  # PATH_MAX of Linux
_LARGEST_HEADER = 1 << 20
_FEED = 1 << 10
_LARGEST_WINDOW = 1 << 27  # what zstd itself unpacks without being told to, and xz -9 needs half of it
_DEEPEST = 2


class DamagedError(Exception):
    """An archive that does not go on as its format says."""


READ_ERRORS: tuple[type[Exception], ...] = (
    OSError, EOFError, LimitError, DamagedError, tarfile.TarError, zipfile.BadZipFile, zlib.error,
    # What the standard library raises on members that were made to do harm.
    ValueError, RuntimeError, NotImplementedError, IndexError, KeyError, OverflowError, MemoryError,
)  # fmt: skip
"""Everything that can go wrong while an archive is read."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something at a path: a file with its first `HEAD` bytes and the rest, or the reason why it cannot be read.

    ``rest`` is good until the next one is asked for. ``of_all`` is set where the reason concerns all that lies beneath
    the name: a folder or an archive.
    """

    name: str
    head: bytes = b""
    rest: IO[bytes] | None = None
    reason: str = ""
    of_all: bool = False


def failed(name: str, error: BaseException, last: str = "") -> Found:
    """A folder or an archive that cannot be read; not to its end, if its ``last`` readable member is given."""
    beyond = f" beyond member {last}" if last else ""
    return Found(name, reason=f"{UNREADABLE}{beyond}: {why(error)}", of_all=True)


def why(error: BaseException) -> str:
    """What an error has to say, without the path, which a report does not tell."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def opened(name: str, stream: IO[bytes], budget: Budget, depth: int = 0) -> Iterator[Found]:
    """A file; or, if it is an archive, what is in it, by names that begin with its own."""
    head = _first(stream)
    unpack = next((unpack for magic, unpack in _COMPRESSED.items() if head.startswith(magic)), None)
    if unpack is not None:
        yield from _uncompressed(name, unpack, _Again(head, stream), budget, depth)
    elif head.startswith(_ZIP):
        yield from _zip(name, head, stream, budget, depth)
    elif head[257:262] == b"ustar":
        yield from _tar(name, _Again(head, stream), budget, depth)
    else:
        yield Found(name, head, stream)


def printable(name: str) -> str:
    """A name that can be printed: what is no UTF-8 in it becomes U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _first(stream: IO[bytes]) -> bytes:
    head = bytearray()
    while len(head) < HEAD and (piece := stream.read(HEAD - len(head))):
        head += piece
    return bytes(head)


class _Stream(io.RawIOBase):
    """What can be read once, from the front."""

    def readable(self) -> bool:
        return True


class _Again(_Stream):
    """A stream of which the head was read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(size)
        piece, self._head = self._head[:size], self._head[size:]
        return piece


class _Metered(_Stream):
    """What comes out of compressed data, on account of a budget."""

    def __init__(self, unpacked: IO[bytes], budget: Budget) -> None:
        # To read until a piece is full would lose what stands before damage.
        self._read: Callable[[int], bytes] = getattr(unpacked, "read1", unpacked.read)
        self._budget = budget

    def read(self, size: int = -1) -> bytes:
        piece = self._read(HEAD if size < 0 else min(size, HEAD))
        self._budget.unpack(len(piece))
        return piece


class _Tape(_Stream):
    """A tar as its reader sees it, which reads a header of any size at once. ``end`` is how far it may go now."""

    def __init__(self, tar: IO[bytes]) -> None:
        self._tar = tar
        self._position = 0
        self.end: float = _LARGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        piece = self._tar.read(size)
        self._position += len(piece)
        if self._position > self.end:
            raise DamagedError(f"a header is larger than {_LARGEST_HEADER:,} bytes")
        return piece


class _Broken(_Stream):
    """A stream that ends in an error."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error


class _Unpacker(Protocol):
    """What `lzma` and `zstandard` unpack one frame with."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Frames(_Stream):
    """xz and zstd: frames one after the other. Fed in small pieces, none of which can become many megabytes.

    `lzma.open` takes no bound on the memory that a header asks for, and zstandard's own reader takes the end of a file
    that was cut off for its end.
    """

    def __init__(self, packed: IO[bytes], new: Callable[[], _Unpacker], error: type[Exception]) -> None:
        self._packed = packed
        self._new = new
        self._error = error
        self._unpacker: _Unpacker | None = None
        self._ready = io.BytesIO()

    def read(self, size: int = -1) -> bytes:
        while not (piece := self._ready.read(size)):
            left = b"" if self._unpacker is None else self._unpacker.unused_data
            # Between frames there may be padding.
            packed = left.lstrip(b"\0") or self._packed.read(_FEED)
            if not packed:
                if self._unpacker is None or self._unpacker.eof:
                    return b""
                raise EOFError("it is cut off")
            if self._unpacker is None or self._unpacker.eof:
                packed = packed.lstrip(b"\0")
                self._unpacker = self._new() if packed else self._unpacker
            if packed and self._unpacker is not None:
                try:
                    self._ready = io.BytesIO(self._unpacker.decompress(packed))
                except self._error as error:
                    raise DamagedError(str(error)) from error
        return piece


def _xz(packed: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Frames(packed, lambda: lzma.LZMADecompressor(memlimit=_LARGEST_WINDOW), lzma.LZMAError))


def _zstd(packed: IO[bytes]) -> IO[bytes]:
    # Not in the standard library before Python 3.14, and needed by few.
    import zstandard  # noqa: PLC0415

    unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    return cast("IO[bytes]", _Frames(packed, unpacker.decompressobj, zstandard.ZstdError))


_COMPRESSED: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda packed: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)),
    b"BZh": lambda packed: cast("IO[bytes]", bz2.BZ2File(packed)),
    b"\xfd7zXZ\x00": _xz,
    b"\x28\xb5\x2f\xfd": _zstd,
}
"""What unpacks a file, by the bytes that it begins with."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def _uncompressed(
    name: str, unpack: Callable[[IO[bytes]], IO[bytes]], packed: _Again, budget: Budget, depth: int
) -> Iterator[Found]:
    try:
        plain = cast("IO[bytes]", _Metered(unpack(cast("IO[bytes]", packed)), budget))
    except READ_ERRORS as error:
        yield failed(name, error)
        return
    head = bytearray()
    try:
        while len(head) < HEAD and (piece := plain.read(HEAD - len(head))):
            head += piece
    except READ_ERRORS as error:
        if head[257:262] != b"ustar":
            yield failed(name, error)
            return
        # The members that stand before the damage are good.
        plain = cast("IO[bytes]", _Broken(error))
    if head[257:262] == b"ustar":
        yield from _tar(name, _Again(bytes(head), plain), budget, depth)
    else:
        yield Found(name, bytes(head), plain)


class _Member(tarfile.TarInfo):
    """A member of a tar, by the library's reader, which takes a damaged header for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> _Member:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise DamagedError(f"it is damaged or cut off ({error})") from error


def _tar(name: str, plain: _Again, budget: Budget, depth: int) -> Iterator[Found]:
    if depth == _DEEPEST:
        yield _too_deep(name)
        return
    last, refused = "", list[str]()
    tape = _Tape(cast("IO[bytes]", plain))
    try:
        with tarfile.open(fileobj=tape, mode="r|", tarinfo=_Member) as tar:
            while (member := tar.next()) is not None:
                tape.end = float("inf")
                # The library keeps every member, and nobody looks back.
                tar.members.clear()  # type: ignore[attr-defined]
                budget.look()
                last = printable(member.name)
                if _is_refused(last):
                    refused.append(last)
                else:
                    yield from _tar_member(name, tar, member, budget, depth)
                # Where the next header is; what of this member was not read is skipped first.
                tape.end = tar.offset + _LARGEST_HEADER
    except READ_ERRORS as error:
        yield failed(name, error, last)
    yield from _told(name, refused)


def _tar_member(
    name: str, tar: tarfile.TarFile, member: tarfile.TarInfo, budget: Budget, depth: int
) -> Iterator[Found]:
    inner = _joined(name, printable(member.name))
    if member.isdir():
        return
    if not member.isreg():
        reason = LINK if member.issym() else "a hard link, which is not followed" if member.islnk() else NOT_A_FILE
        yield Found(inner, reason=reason)
        return
    stream = tar.extractfile(member)
    assert stream is not None
    yield from opened(inner, stream, budget, depth + 1)


class _Bounded(io.RawIOBase):
    """A file that can be searched, of which no large piece is read at once, as a zip's directory would be."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = most

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if size > self._most:
            raise DamagedError(f"its directory is larger than {self._most:,} bytes (--max-files)")
        return self._file.read(min(size, self._most) if size >= 0 else self._most)


_DIRECTORY_ENTRY = 128  # 46 bytes and a path


def _zip(name: str, head: bytes, stream: IO[bytes], budget: Budget, depth: int) -> Iterator[Found]:
    if depth == _DEEPEST:
        yield _too_deep(name)
        return
    last, refused = "", list[str]()
    try:
        file = stream if _is_on_disk(stream) else io.BytesIO(_whole(head, stream, budget))
        most = max(2 * HEAD, budget.files * _DIRECTORY_ENTRY)
        with zipfile.ZipFile(cast("IO[bytes]", _Bounded(file, most))) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
                budget.look()
                # Archivers of Windows write backslashes.
                last = printable(member.filename).replace("\\", "/")
                if _is_refused(last):
                    refused.append(last)
                else:
                    yield from _zip_member(_joined(name, last), archive, member, budget, depth)
    except READ_ERRORS as error:
        yield failed(name, error, last)
    yield from _told(name, refused)


def _is_on_disk(stream: IO[bytes]) -> bool:
    # Inside an archive "seekable" would mean to unpack it again from the front.
    return isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO) and stream.seekable()


def _whole(head: bytes, stream: IO[bytes], budget: Budget) -> bytes:
    content = bytearray(head)
    while piece := stream.read(HEAD):
        content += piece
        budget.document(len(content))
    return bytes(content)


def _zip_member(
    name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: Budget, depth: int
) -> Iterator[Found]:
    if member.is_dir():
        return
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        yield Found(name, reason=LINK)
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        yield Found(name, reason=NOT_A_FILE)
    elif member.compress_type not in _ZIP_METHODS:
        way = f"packed with method {member.compress_type}, which icclint does not unpack"
        yield Found(name, reason=f"{UNREADABLE}: {way}")
    else:
        try:
            stream = archive.open(member)
        except READ_ERRORS as error:
            yield Found(name, reason=f"{UNREADABLE}: {why(error)}")
            return
        with stream:
            yield from opened(name, cast("IO[bytes]", _Metered(stream, budget)), budget, depth + 1)


# Others may ask for gigabytes of memory.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _is_refused(path: str) -> bool:
    """Whether a member has a name that leads out of the archive, or that no file can have."""
    return len(path) > _LONGEST_NAME or ".." in path.split("/")


def _told(name: str, refused: list[str]) -> Iterator[Found]:
    if refused:
        first = refused[0] if len(refused[0]) <= 200 else f"{refused[0][:200]}…"
        reason = f"{len(refused)} of its members not read, whose names lead out of it or are too long: {first}"
        yield Found(name, reason=reason, of_all=True)


def _joined(name: str, path: str) -> str:
    """The name of a member: an absolute one becomes relative, as tar itself does it."""
    return "/".join((name, *(part for part in path.split("/") if part not in ("", "."))))


def _too_deep(name: str) -> Found:
    return Found(name, reason="an archive in an archive in another, which is not opened")
