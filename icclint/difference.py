"""What changed between two captures of a host, in effect: connections, claims, and findings.

The order of a dump, its counters, ids and addresses do not matter: containers and networks are known by their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from icclint.capture.read import Capture
from icclint.docker.options import BRIDGE_NAME, ENABLE_ICC
from icclint.engine import check, location, reported_packet
from icclint.ir.host import Host
from icclint.ir.network import Network
from icclint.lower.host import lower_host
from icclint.packets.box import Box
from icclint.packets.connection import follow
from icclint.packets.effect import Effect
from icclint.packets.judgement import packet_of
from icclint.packets.packet import Packet
from icclint.packets.ranges import RangeSet
from icclint.reach import At, Services, not_covered, services
from icclint.relation import Relation, relations
from icclint.report import Report, ReportedFinding, ReportedPacket
from icclint.rule import Rule

Became = Literal["possible", "impossible", "unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConnectionChange(_Part):
    """Connections that became possible or impossible, or of which one capture cannot tell.

    ``services`` are those that changed, empty for all. ``witness`` is one of their first packets, with the ends that it
    has in the later capture; ``before`` and ``after`` are what decides on it in each.
    """

    became: Became
    senders: tuple[str, ...] = Field(serialization_alias="from")
    receivers: tuple[str, ...] = Field(serialization_alias="to")
    network: str
    family: int
    services: tuple[Services, ...]
    witness: ReportedPacket | None
    before: At | None
    after: At | None


class ClaimChange(_Part):
    """Something that Docker says of a network, before and after; None where it says nothing."""

    subject: str
    claim: str
    before: str | None
    after: str | None


class Difference(_Part):
    """All that changed. ``appeared`` and ``disappeared`` are networks, and containers on them.

    ``not_covered`` is what neither capture tells of.
    """

    format: Literal["icclint-diff/1"] = "icclint-diff/1"
    connections: tuple[ConnectionChange, ...]
    claims: tuple[ClaimChange, ...]
    appeared: tuple[str, ...]
    disappeared: tuple[str, ...]
    new_findings: tuple[ReportedFinding, ...]
    gone_findings: tuple[ReportedFinding, ...]
    not_covered: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any(
            (
                self.connections,
                self.claims,
                self.appeared,
                self.disappeared,
                self.new_findings,
                self.gone_findings,
            )
        )


_Kind = tuple[str | None, str, int, Box]
"""The network that the senders send by, the one that they send to, the family, and the services that are asked for."""


@dataclass(frozen=True)
class _Moment:
    """A host at one of the two times."""

    host: Host

    @cached_property
    def relations(self) -> dict[_Kind, list[Relation]]:
        """Relations by what those of two moments must share."""
        found: dict[_Kind, list[Relation]] = {}
        for relation in relations(self.host):
            asked = _anywhere(relation.packets.box)
            kind = (relation.sender_network, relation.network, relation.packets.family, asked)
            found.setdefault(kind, []).append(relation)
        return found

    @cached_property
    def effect(self) -> Effect:
        return Effect(self.host)

    @cached_property
    def things(self) -> frozenset[str]:
        """Its networks, and the containers on them."""
        networks = self.host.networks or ()
        return frozenset(f"network {network.name}" for network in networks) | {
            f"container {endpoint.name} on network {network.name}"
            for network in networks
            for endpoint in network.endpoints
        }


def difference(before: Capture, after: Capture, rules: Sequence[Rule]) -> Difference:
    """What changed from one capture to another; ``rules`` are asked of both."""
    earlier, later = (_Moment(lower_host(one.host, one.documents)[0]) for one in (before, after))
    new, gone = _findings(check([before], rules), check([after], rules))
    return Difference(
        connections=tuple(_connections(earlier, later)),
        claims=tuple(_claims(earlier.host, later.host)),
        appeared=tuple(sorted(later.things - earlier.things)),
        disappeared=tuple(sorted(earlier.things - later.things)),
        new_findings=new,
        gone_findings=gone,
        not_covered=tuple(dict.fromkeys((*not_covered(earlier.host), *not_covered(later.host)))),
    )


def _findings(before: Report, after: Report) -> tuple[tuple[ReportedFinding, ...], tuple[ReportedFinding, ...]]:
    """The findings that are new, and those that are gone. Fingerprints make a multiset: each counts once."""
    was, is_now = (Counter(finding.fingerprint for finding in report.findings) for report in (before, after))
    new, gone = is_now - was, was - is_now
    return (
        tuple(finding for finding in after.findings if finding.fingerprint in new),
        tuple(finding for finding in before.findings if finding.fingerprint in gone),
    )


_CLAIMS: dict[str, Callable[[Network], str]] = {
    "driver": lambda network: network.driver,
    "ICC": lambda network: "on" if network.icc else "off",
    "internal": lambda network: "yes" if network.internal else "no",
    "IPv6": lambda network: "on" if network.ipv6 else "off",
}
"""What Docker says of a network, and how it reads."""


def _claims(before: Host, after: Host) -> Iterator[ClaimChange]:
    was, is_now = ({network.name: network for network in host.networks or ()} for host in (before, after))
    for name in sorted(was.keys() & is_now.keys()):
        for claim, words in _CLAIMS.items():
            old, new = words(was[name]), words(is_now[name])
            if old != new:
                yield ClaimChange(subject=f"network {name}", claim=claim, before=old, after=new)
        for option in sorted((was[name].options.keys() | is_now[name].options.keys()) - {ENABLE_ICC, BRIDGE_NAME}):
            values = (was[name].options.get(option), is_now[name].options.get(option))
            if values[0] != values[1]:
                yield ClaimChange(subject=f"network {name}", claim=option, before=values[0], after=values[1])


def _connections(before: _Moment, after: _Moment) -> Iterator[ConnectionChange]:
    for kind in dict.fromkeys((*before.relations, *after.relations)):
        earlier, later = before.relations.get(kind, []), after.relations.get(kind, [])
        if kind[-1].destination_port.size == 1:
            # A port that is published at one moment only is closed at the other.
            earlier, later = earlier or _closed(later), later or _closed(earlier)
        for new in later:
            for old in earlier:
                senders = tuple(name for name in new.senders if name in old.senders)
                receivers = tuple(name for name in new.receivers if name in old.receivers)
                if senders and receivers and (senders != receivers or len(senders) > 1):
                    yield from _Pair(before, old, after, new, senders, receivers).changes()


def _closed(published: Iterable[Relation]) -> list[Relation]:
    return [replace(relation, passing=(), doubtful=False, shown=None) for relation in published]


@dataclass(frozen=True)
class _Pair:
    """Two relations of the same senders and receivers, one at each moment."""

    before: _Moment
    old: Relation
    after: _Moment
    new: Relation
    senders: tuple[str, ...]
    receivers: tuple[str, ...]

    def changes(self) -> Iterator[ConnectionChange]:
        was, is_now = ([_anywhere(one.services) for one in relation.passing] for relation in (self.old, self.new))
        opened = [rest for box in is_now for rest in box.minus(was)]
        closed = [rest for box in was for rest in box.minus(is_now)]
        if opened:
            yield self._change("unknown" if self.old.doubtful else "possible", opened)
        if closed:
            yield self._change("unknown" if self.new.doubtful else "impossible", closed)
        if not opened and not closed and self.old.doubtful != self.new.doubtful:
            yield self._change("unknown", [_anywhere(self.new.packets.box)])

    def _change(self, became: Became, boxes: Sequence[Box]) -> ConnectionChange:
        earlier, later = _decided(self.before, self.old, boxes[0]), _decided(self.after, self.new, boxes[0])
        asked = _anywhere(self.new.packets.box)
        all_of_them = asked.destination_port.size > 1 and not asked.minus(boxes)
        return ConnectionChange(
            became=became,
            senders=self.senders,
            receivers=self.receivers,
            network=self.new.network,
            family=self.new.packets.family,
            services=() if all_of_them else services(boxes),
            witness=reported_packet(later[0]) if later else None,
            before=earlier[1] if earlier else None,
            after=later[1] if later else None,
        )


_EVERY = RangeSet.of((0, (1 << 128) - 1))


def _anywhere(box: Box) -> Box:
    """A box without its addresses: senders and receivers are treated alike, and two captures may number them anew."""
    return replace(box, source=_EVERY, destination=_EVERY)


def _decided(moment: _Moment, relation: Relation, box: Box) -> tuple[Packet, At] | None:
    """One of the packets of a relation that ask for some services, and what decides on it."""
    asked = relation.packets.box & {
        name: values for name, values in box.fields.items() if name not in ("source", "destination")
    }
    packet = packet_of(relation.packets, asked) if asked is not None else None
    if packet is None:
        return None
    decision = follow(moment.host, packet, moment.effect.walk).last.decision
    return packet, At(location=location(decision.span) if decision.span else None, text=decision.text)
