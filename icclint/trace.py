"""Answers to questions about packets, as a story or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from icclint.engine import location, reported_packet, reported_step
from icclint.ir.host import Host
from icclint.output.visible import escaped, visible
from icclint.output.words import line_of, step_words
from icclint.packets.connection import NotSeenError, NoWayError, Passage, follow, nowhere, unseen
from icclint.packets.effect import Effect
from icclint.packets.packet import Packet, address_text
from icclint.packets.verdict import Trace
from icclint.question import Question, QuestionError, packet_of
from icclint.report import PathStep, ReportedAssumption, ReportedLocation, ReportedPacket


class _Answered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Answered):
    """What decided: a rule, a policy, a setting. ``location`` is null where no document holds it."""

    location: ReportedLocation | None
    text: str


class DeliveredTo(_Answered):
    """Where a packet ends up, after all rewriting: ``interface`` is null for the host itself.

    ``container`` is the name of the container that has the address, null where none is known to. ``source`` is the
    sender as the receiver sees it, null where that is not known.
    """

    interface: str | None
    address: str
    port: int | None
    container: str | None
    source: str | None


class Leg(_Answered):
    """A packet and the rules and policies that it met, in order. A docker-proxy on the way makes a second leg."""

    packet: ReportedPacket
    path: tuple[PathStep, ...]


class Answer(_Answered):
    """What becomes of the packet of a question. ``id`` is the question's own."""

    id: Any = None
    verdict: str
    at: Place
    delivered_to: DeliveredTo | None
    path: tuple[Leg, ...]
    assumptions: tuple[ReportedAssumption, ...]

    def story(self) -> Iterator[str]:
        """The answer for people, line by line."""
        for number, leg in enumerate(self.path):
            yield f"{'docker-proxy sends' if number else 'packet'}  {visible(leg.packet.text)}"
            yield from _story(leg.path)
        to = self.delivered_to
        where = f" to {_receiver(to)}" if to is not None else ""
        at = self.at.location
        line = f"  ({visible(at.document)}:{at.line})" if at is not None else ""
        yield f"{self.verdict}{where}, by {visible(self.at.text)}{line}"
        for assumption in self.assumptions:
            tell = f"; `{assumption.capture_with}` would tell" if assumption.capture_with else ""
            yield f"assuming that {visible(assumption.text)}{tell}"


_Port = Annotated[int, Field(ge=0, le=0xFFFF)]


class Asked(_Answered):
    """One line of ``--queries``: the shape of a question in JSON."""

    id: Any = None
    sender: str = Field(alias="from")
    to: str
    family: Literal[4, 6] = 4
    proto: str | int = "tcp"
    sport: _Port | None = None
    dport: _Port | None = None
    icmp_type: Annotated[int, Field(ge=0, le=0xFF)] | None = None
    state: Literal["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"] = "NEW"
    mark: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 0
    source: str | None = None

    def question(self) -> Question:
        """The question that is asked."""
        return Question(
            source=self.sender,
            destination=self.to,
            protocol=str(self.proto),
            port=self.dport,
            source_port=self.sport,
            icmp_type=self.icmp_type,
            state=self.state,
            mark=self.mark,
            family=self.family,
            source_address=self.source,
        )


class Tracer:
    """Answers questions about one host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.effect = Effect(host)

    def answer(self, question: Question, id: Any = None) -> Answer:
        """What becomes of a packet. Raises `QuestionError` for what cannot be asked."""
        try:
            packet = packet_of(self.host, question)
        except NoWayError as error:
            return self._answer(Passage((nowhere(str(error)),), ()), id)
        except NotSeenError as error:
            return self._answer(Passage((unseen(str(error)),), ()), id)
        return self._answer(follow(self.host, packet, self.effect.walk), id)

    def answer_lines(self, lines: Iterable[str]) -> Iterator[str]:
        """One answer a line for one question a line, in the same order; a question that cannot be asked is answered so.

        Raises `QuestionError` for a line that is no question at all, with its number.
        """
        for number, line in enumerate(lines, start=1):
            try:
                asked = Asked.model_validate_json(line)
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]
                where = ".".join(str(key) for key in problem["loc"])
                raise QuestionError(f"line {number} is no question: {where}: {problem['msg']}") from error
            try:
                answer = self.answer(asked.question(), asked.id)
            except QuestionError as error:
                answer = self._answer(Passage((unseen(str(error)),), ()), asked.id)
            yield escaped(json.dumps(answer.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")))

    def _answer(self, passage: Passage, id: Any) -> Answer:
        last = passage.last
        decided = last.decision
        return Answer(
            id=id,
            verdict=last.verdict.value,
            at=Place(location=location(decided.span) if decided.span else None, text=decided.text),
            delivered_to=self._delivered_to(passage.packets[-1], last) if passage.packets else None,
            path=tuple(
                Leg(packet=reported_packet(packet), path=tuple(reported_step(step) for step in trace.steps))
                for packet, trace in zip(passage.packets, passage.legs, strict=False)
            ),
            assumptions=tuple(
                ReportedAssumption(text=assumption.text, capture_with=assumption.capture_with)
                for assumption in last.assumptions
            ),
        )

    def _delivered_to(self, packet: Packet, trace: Trace) -> DeliveredTo | None:
        delivery = trace.delivery
        if delivery is None:
            return None
        address = address_text(delivery.address, packet.family)
        network = self.host.network_of_bridge(delivery.interface or "")
        holders = [e.name for e in network.endpoints if address in map(str, e.addresses)] if network else []
        return DeliveredTo(
            interface=delivery.interface,
            address=address,
            port=delivery.port,
            container=holders[0] if holders else None,
            source=None if delivery.source is None else address_text(delivery.source, packet.family),
        )


def _story(path: tuple[PathStep, ...]) -> Iterator[str]:
    for step in path:
        if step.text == "policy ACCEPT" and step.table != "filter":
            continue
        if step.matched:
            end = f"=> {visible(step.effect)}"
        else:
            end = f"{'may match' if step.matched is None else 'no'}: {visible(step.why)}"
        yield f"  {'  ' * step.depth}{step_words(step)}  {end}{line_of(step)}"


def _receiver(to: DeliveredTo) -> str:
    port = "" if to.port is None else f" port {to.port}"
    who = "the host" if to.interface is None else to.container or "somebody"
    by = "" if to.interface is None else f" by {to.interface}"
    return visible(f"{who} ({to.address}{port}){by}")
