"""Checks many captures at a time, in processes of this machine or on a Dask cluster.

Parts come in the order of their places, whoever is done first, and only so many are under way that what is held does
not grow with their number. A capture that ends the process that it is checked in, or takes too long, costs only itself:
its host is in the report, with a gap that says why.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from threading import Timer

from icclint.capture.places import Place
from icclint.checked import Checked
from icclint.inquiry import Inquiry
from icclint.report import ReportedGap, ReportedHost, ReportedLocation

TIME_LIMIT = 600.0
"""After how many seconds a capture is given up, unless somebody says otherwise."""
_UNDER_WAY = 16
"""How many places for each process wait, or are done, while one before them is not."""

_PATIENCE = 120
"""For how many seconds a cluster may have no worker, as those that grow with their work have none at first."""

Start = Callable[[Place], "Future[Checked]"]
_Errors = type[Exception] | tuple[()]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ClusterError(Exception):
    """A cluster that cannot be used; the text says why."""


def check_apart(places: Iterable[Place], inquiry: Inquiry, processes: int, seconds: float) -> Iterator[Checked]:
    """Asks at some places, in so many processes, for at most so many seconds each."""
    # A pool of `concurrent.futures` is broken for good where one of its processes dies, and knows no time limits.
    from pebble import ProcessPool  # noqa: PLC0415

    # What is forked is a server that nothing has happened in, so no lock is held and no thread is lost; and where a
    # process has to be replaced, the next one has its modules already.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["icclint.inquiry", "icclint_rules"])
    pool = ProcessPool(processes, context=context)

    def start(place: Place) -> Future[Checked]:
        return pool.schedule(inquiry.ask, (place,), timeout=seconds)

    try:
        yield from _in_order(places, inquiry, start, processes, seconds)
    finally:
        pool.stop()
        pool.join()


def check_on_cluster(places: Iterable[Place], inquiry: Inquiry, address: str, seconds: float) -> Iterator[Checked]:
    """Asks at some places on the workers of a cluster, who see the same files by the same paths.

    Where a worker dies, its scheduler asks others. Raises `ClusterError`.
    """
    try:
        from distributed import Client  # noqa: PLC0415
        from distributed.scheduler import KilledWorker  # noqa: PLC0415

        client = Client(address)
    except ImportError as error:
        raise ClusterError("--cluster needs `pip install icclint[cluster]`") from error
    except (OSError, ValueError) as error:
        raise ClusterError(f"the cluster at {address} does not answer: {error}") from error
    with client:
        executor = client.get_executor(pure=False)
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise ClusterError(f"the cluster at {address} has no worker") from error

        def start(place: Place) -> Future[Checked]:
            sources = tuple(replace(source, path=os.path.abspath(source.path)) for source in place.sources)
            future: Future[Checked] = executor.submit(_ask_within, replace(place, sources=sources), inquiry, seconds)
            return future

        yield from _in_order(places, inquiry, start, sum(client.nthreads().values()), seconds, KilledWorker)


def _ask_within(place: Place, inquiry: Inquiry, seconds: float) -> Checked:
    # Nothing ends a thread. Its process can be ended, and the cluster begins another one.
    timer = Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()
    try:
        return inquiry.ask(place)
    finally:
        timer.cancel()


def _in_order(
    places: Iterable[Place],
    inquiry: Inquiry,
    start: Start,
    processes: int,
    seconds: float,
    shared_fate: _Errors = (),
) -> Iterator[Checked]:
    """What comes of some places, in their order. What ends in ``shared_fate`` may have been another's, and is asked
    again.
    """
    under_way: deque[tuple[Place, Future[Checked]]] = deque()

    def first() -> Checked:
        place, future = under_way.popleft()
        try:
            try:
                return future.result()
            except shared_fate:
                # All that waits at a worker dies with it, time and again; those before this place are through by now.
                return start(place).result()
        except Exception as error:
            return _not_checked(place, inquiry, _why(error, seconds, shared_fate))

    for place in places:
        if len(under_way) >= max(1, processes) * _UNDER_WAY:
            yield first()
        under_way.append((place, _here(place, inquiry) if place.is_stream else start(place)))
    while under_way:
        yield first()


def _here(place: Place, inquiry: Inquiry) -> Future[Checked]:
    """What only this process can read."""
    done: Future[Checked] = Future()
    done.set_result(inquiry.ask(place))
    return done


def _why(error: Exception, seconds: float, shared_fate: _Errors) -> str:
    """Why a place was not checked."""
    if isinstance(error, TimeoutError):
        return f"it took longer than {seconds:g} seconds (--time-limit)"
    if isinstance(error, shared_fate):
        return f"the workers that checked it died, as they do after {seconds:g} seconds (--time-limit)"
    code = getattr(error, "exitcode", None)
    if code is not None:
        end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the process that checked it died ({end})"
    return f"{type(error).__name__}: {error}"


def _not_checked(place: Place, inquiry: Inquiry, reason: str) -> Checked:
    location = ReportedLocation(document=place.host, line=1, column=1, end_line=1, end_column=1)
    reason = f"not checked to the end: {reason}"
    silence = inquiry.silence(complete=True)
    host = ReportedHost(name=place.host, rules_of=(), layout="", passed_over=0)
    gap = ReportedGap(host=place.host, location=location, text=place.host, reason=reason, whole=True)
    return Checked(silence.model_copy(update={"hosts": (host,), "gaps": (gap,)}), {})
