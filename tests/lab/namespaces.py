"""Network namespaces, and how this thread gets into one and back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_OWN = Path("/proc/thread-self/ns/net")
_LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, held open. The code of a ``with`` block, and the programs that it starts, run inside.

    A socket stays in the namespace that it was made in, so one thread can hold sockets in many.
    """

    def __init__(self, path: Path) -> None:
        """Opens an existing one; raises OSError where it is gone."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @classmethod
    def own(cls) -> Namespace:
        """The one that this thread is in."""
        return cls(_OWN)

    @classmethod
    def new(cls) -> Namespace:
        """A fresh one. The kernel takes it away with the last file descriptor."""
        home = cls.own()
        _system_call("unshare", _CLONE_NEWNET)
        made = cls.own()
        home._enter()
        return made

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Runs a block inside."""
        before = Namespace.own()
        self._enter()
        try:
            yield
        finally:
            before._enter()
            before.close()

    def close(self) -> None:
        """Gives it back to the kernel."""
        os.close(self._descriptor)

    def _enter(self) -> None:
        _system_call("setns", self._descriptor, _CLONE_NEWNET)


def _system_call(name: str, *arguments: int) -> None:
    # Python has these in os since 3.12 only.
    if getattr(_LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
