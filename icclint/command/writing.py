"""Where output goes: to standard output, or to files that are written as a whole or not at all."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import click

from icclint.command.exits import USAGE, fail
from icclint.output.formats import FILES, FORMATS


def target_of(output: str) -> tuple[str, str | None]:
    """The format and the file of an output that was asked for. Raises click.UsageError."""
    form, _, file = output.partition("=")
    if form not in FORMATS:
        raise click.UsageError(f"no output format has the name {form!r}; there are {', '.join(FORMATS)}")
    if form in FILES:
        if not file:
            raise click.UsageError(f"{form} is no text for standard output; name a file: -o {form}=FILE")
        if importlib.util.find_spec("pyarrow") is None:
            raise click.UsageError(f"-o {form} needs `pip install icclint[cluster]`")
    return form, file or None


def coloured(color: str, file: str | None) -> bool:
    """Whether text is to have colours."""
    if color != "auto":
        return color == "always"
    return file is None and is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person sees a stream."""
    # Python has none where it was started without one.
    return stream is not None and stream.isatty()


def say(*lines: str) -> None:
    """Lines for standard output."""
    write(lines, None, coloured=True)


def write(lines: Iterable[str | bytes], file: str | None, coloured: bool) -> None:
    """Lines to a file, or to standard output. Ends the command where that cannot be."""
    shown: Callable[[str], str] = str if coloured else click.unstyle
    # Nothing that was captured may keep a report from being written.
    text = (
        line if isinstance(line, bytes) else f"{shown(line)}\n".encode("utf-8", "backslashreplace") for line in lines
    )
    try:
        if file is None:
            _print(text)
        else:
            _save(text, Path(os.path.realpath(file)))
    except OSError as error:
        fail(f"{file or 'standard output'} cannot be written: {error.strerror}", USAGE)


def _print(text: Iterable[bytes]) -> None:
    # Python has none where it was started without one.
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        for line in text:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would be tried once more at the end, and Python would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # The reader has seen enough (`| head`).
        if not isinstance(error, BrokenPipeError):
            raise
        # What is not written counts for the exit code, and for other outputs.
        deque(text, maxlen=0)


def _save(text: Iterable[bytes], target: Path) -> None:
    """Writes a file as a whole or not at all: beside it first, so that nobody ever sees the half of one."""
    if target.exists() and not target.is_file():
        # A device or a pipe is written to; to replace it would take it away from everybody else.
        with target.open("wb") as stream:
            stream.writelines(text)
        return
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".icclint-", delete=False) as draft:
        try:
            draft.writelines(text)
            draft.close()
            # Created as 0600 for privacy; a report is an ordinary file.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(draft.name, 0o666 & ~mask)
            os.replace(draft.name, target)
        except BaseException:
            os.unlink(draft.name)
            raise
