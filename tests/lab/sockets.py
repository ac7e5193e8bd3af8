"""One loop over the sockets of all namespaces."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress

READ = selectors.EVENT_READ
READ_OR_WRITE = selectors.EVENT_READ | selectors.EVENT_WRITE

Handler = Callable[[socket.socket], None]


class Loop:
    """Sockets, each with what is to be done when there is something to do."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, watched: socket.socket, handler: Handler, events: int = READ) -> None:
        """Calls a handler whenever a socket is ready, for what it was asked for last."""
        watched.setblocking(False)
        with suppress(KeyError):
            self._selector.unregister(watched)
        self._selector.register(watched, events, handler)

    def forget(self, watched: socket.socket) -> None:
        """Closes a socket."""
        with suppress(KeyError):
            self._selector.unregister(watched)
        watched.close()

    def turn(self, seconds: float) -> None:
        """Handles what is ready now, or waits some seconds for the first that is."""
        for key, _ in self._selector.select(seconds):
            # An earlier handler of this turn may have closed it.
            if isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() >= 0:
                key.data(key.fileobj)

    def run(self, seconds: float, done: Callable[[], bool]) -> None:
        """Handles what becomes ready until it is done, or the time is up."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not done():
            self.turn(min(left, 0.2))

    def close(self) -> None:
        """Closes all sockets."""
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            self.forget(key.fileobj)
        self._selector.close()


def address_in(peer: object) -> str:
    """The address of a socket's peer, without a scope."""
    assert isinstance(peer, tuple)
    return str(peer[0]).partition("%")[0].removeprefix("::ffff:")
