"""Sends probes and waits for what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.flights import Flights
from tests.lab.probes import Flight, Outcome, Party, Probe
from tests.lab.receivers import Receiver
from tests.lab.senders import Sender
from tests.lab.sockets import Loop

_SECONDS = 1.3
"""How long a packet is waited for: a lost SYN is sent again after one second."""
_AT_ONCE = 1500
"""How many packets are in the air together, so that no queue of this machine overflows."""


class Prober:
    """Sends probes between some parties."""

    def __init__(self, parties: Sequence[Party], loop: Loop) -> None:
        self._loop, self._flights = loop, Flights()
        self._receivers = [Receiver(party, loop, self._flights) for party in parties]
        self._senders = {party.name: Sender(party, loop, self._flights) for party in parties}

    @classmethod
    @contextmanager
    def among(cls, parties: Sequence[Party]) -> Iterator[Prober]:
        """A prober whose sockets are open while a block runs."""
        loop = Loop()
        prober = cls(parties, loop)
        try:
            for receiver in prober._receivers:
                receiver.open()
            for sender in prober._senders.values():
                sender.open()
            yield prober
        finally:
            loop.close()

    def outcomes(self, probes: Sequence[Probe]) -> list[Outcome]:
        """What became of each probe, in order.

        One that is not delivered is sent again, and when it is delivered then, a third time: a loss may be this
        machine's, while a packet that passed was let pass.
        """
        flights = [[flight] for flight in self._round(probes)]
        lost = [sent for sent in flights if sent[0].result != "delivered"]
        self._repeat(lost)
        self._repeat([sent for sent in lost if sent[1].result == "delivered"])
        return [Outcome.of(sent) for sent in flights]

    def _repeat(self, flights: list[list[Flight]]) -> None:
        again = self._round([sent[0].probe for sent in flights])
        for sent, flight in zip(flights, again, strict=True):
            sent.append(flight)

    def _round(self, probes: Sequence[Probe]) -> list[Flight]:
        found: list[Flight] = []
        for start in range(0, len(probes), _AT_ONCE):
            found += self._batch(probes[start : start + _AT_ONCE])
        return found

    def _batch(self, probes: Sequence[Probe]) -> list[Flight]:
        flights = []
        for probe in probes:
            flights.append(self._flights.launch(probe))
            self._senders[probe.way.source].send(flights[-1])
            self._loop.turn(0)
        self._loop.run(_SECONDS, lambda: all(flight.ended for flight in flights))
        # What is still queued at the far side.
        for _ in range(4):
            self._loop.turn(0.02)
        for flight in flights:
            self._flights.land(flight)
            self._senders[flight.probe.way.source].end(flight)
        return flights
