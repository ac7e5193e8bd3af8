"""Who can open a connection to whom: claim beside effect, for all containers, the host and the outside.

A connection works when its first packet (NEW) and the answers (ESTABLISHED) pass. Containers that are treated alike
make one row, so that a host of thousands has a table that a person can read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from icclint.engine import location, reported_packet
from icclint.ir.host import Host
from icclint.output.visible import visible
from icclint.packets.box import Box, merged
from icclint.packets.packet import PORT_PROTOCOLS, PROTOCOL_NAMES
from icclint.packets.ranges import RangeSet
from icclint.relation import Claim, Extent, Relation, relations
from icclint.report import ReportedLocation, ReportedPacket

_ALL_PORTS = RangeSet.of((1, 65535))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Services(_Part):
    """What of one protocol passes: ``ports`` are numbers and ranges, empty where all pass or where it has none.

    ``source_ports`` are those that the sender must send from, empty where any will do.
    """

    proto: str
    ports: tuple[str, ...]
    source_ports: tuple[str, ...] = ()

    def words(self) -> str:
        """The services in a few words."""
        source = f"from {','.join(self.source_ports)}" if self.source_ports else ""
        return " ".join(word for word in (self.proto, ",".join(self.ports), source) if word)


class At(_Part):
    """What decides: a rule, a policy or a setting."""

    location: ReportedLocation | None
    text: str


class Row(_Part):
    """Some senders and receivers that are treated alike. ``network`` is the one that the claim is about.

    ``claim`` is Docker's word: ``open``, ``closed``, or ``none`` where it has none. ``effect`` is how much of what they
    could open does work. ``witness`` and ``at`` show it for one packet. ``sender_network`` is the network that the
    senders send by, ``receiver_network`` that of the receivers; null for the host and the outside. ``published`` tells
    that a published port is all that is asked.
    """

    senders: tuple[str, ...] = Field(serialization_alias="from")
    sender_network: str | None = Field(serialization_alias="from_network")
    receivers: tuple[str, ...] = Field(serialization_alias="to")
    receiver_network: str | None = Field(serialization_alias="to_network")
    network: str
    family: int
    claim: Claim
    effect: Extent
    published: bool
    services: tuple[Services, ...]
    witness: ReportedPacket | None
    at: At | None

    @property
    def disagrees(self) -> bool:
        """Whether the claim says one thing and the effect another."""
        return (self.claim, self.effect) in {
            ("open", "none"),
            ("open", "some"),
            ("closed", "all"),
            ("closed", "some"),
        }


class Table(_Part):
    """All rows of a host, and what the table leaves out."""

    rows: tuple[Row, ...]
    not_covered: tuple[str, ...]

    def text(self) -> Iterator[str]:
        """The table for people, line by line; ``!`` marks the rows where claim and effect disagree."""
        head = ("", "FROM", "TO", "NETWORK", "", "CLAIM", "EFFECT", "SERVICES")
        lines = [head] + [_cells(row) for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        for line in lines:
            yield "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        yield from (f"not covered: {visible(text)}" for text in self.not_covered)


def _cells(row: Row) -> tuple[str, ...]:
    services = "; ".join(service.words() for service in row.services)
    return (
        "!" if row.disagrees else "",
        visible(some_names(row.senders)),
        visible(some_names(row.receivers)),
        visible(row.network),
        f"IPv{row.family}",
        row.claim,
        row.effect,
        services,
    )


def some_names(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def reach(host: Host) -> Table:
    """The table of a host."""
    return Table(rows=tuple(map(_row, relations(host))), not_covered=tuple(not_covered(host)))


def not_covered(host: Host) -> Iterator[str]:
    """What no relation speaks of, and why."""
    if host.networks is None:
        yield "containers, since no output of `docker network inspect` was captured"
    for network in host.networks or ():
        if network.bridge is None and network.endpoints:
            yield f"network {network.name}, since its driver {network.driver} does not use the host's bridges"


def _row(relation: Relation) -> Row:
    at = None
    if relation.shown is not None:
        decision = relation.shown[1]
        at = At(location=location(decision.span) if decision.span else None, text=decision.text)
    return Row(
        senders=relation.senders,
        sender_network=relation.sender_network,
        receivers=relation.receivers,
        receiver_network=relation.receiver_network,
        network=relation.network,
        family=relation.packets.family,
        claim=relation.claim,
        effect=relation.extent,
        published=relation.is_published,
        services=_shown_services(relation),
        witness=reported_packet(relation.shown[0]) if relation.shown else None,
        at=at,
    )


def _shown_services(relation: Relation) -> tuple[Services, ...]:
    if relation.is_published:
        return services([relation.packets.box])
    return services(one.services for one in relation.passing) if relation.extent == "some" else ()


def services(boxes: Iterable[Box]) -> tuple[Services, ...]:
    """What passes, by protocol and by the ports that it must be sent from."""
    found: dict[tuple[int, RangeSet], RangeSet] = {}
    for box in merged(boxes):
        for protocol in box.protocol.first(256):
            key = (protocol, box.source_port)
            found[key] = found.get(key, RangeSet()) | box.destination_port
    words = []
    for (protocol, source_ports), ports in sorted(found.items(), key=lambda item: (item[0][0], item[0][1].ranges)):
        name = PROTOCOL_NAMES.get(protocol)
        if name is not None:
            numbered = protocol in PORT_PROTOCOLS
            words.append(
                Services(
                    proto=name,
                    ports=_ports(ports) if numbered else (),
                    source_ports=_ports(source_ports) if numbered else (),
                )
            )
    return tuple(words)


def _ports(ports: RangeSet) -> tuple[str, ...]:
    """Ports as numbers and ranges; none where all are meant."""
    return () if ports == _ALL_PORTS else tuple(_range(*one) for one in ports.ranges)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
