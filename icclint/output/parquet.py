"""The findings as an Apache Parquet file, a row for each, for questions to a whole fleet (DuckDB, pandas, Spark)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from icclint.output.visible import visible
from icclint.report import Report, ReportedFinding, ReportedPacket
from icclint.rule import Rule

_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    {
        "host": pa.string(),
        "rule": pa.string(),
        "family": pa.string(),
        "severity": pa.string(),
        "confidence": pa.string(),
        "state": pa.string(),
        "accepted": pa.string(),
        "subject": pa.string(),
        "message": pa.string(),
        "document": pa.string(),
        "line": pa.int64(),
        "column": pa.int64(),
        "packet": pa.string(),
        "packet_family": pa.int8(),
        "packet_state": pa.string(),
        "packet_protocol": pa.string(),
        "packet_source": pa.string(),
        "packet_source_port": pa.int32(),
        "packet_destination": pa.string(),
        "packet_destination_port": pa.int32(),
        "packet_in_interface": pa.string(),
        "packet_out_interface": pa.string(),
        "assumptions": _TEXTS,
        "capture_with": _TEXTS,
        "remedy": _TEXTS,
        "fingerprint": pa.string(),
    }
)
"""The columns. ``state`` is what a finding is beside a baseline, ``accepted`` the reason why it is; both may be null,
as what tells of a packet is where none proves the finding.
"""
_GROUP = 2_000
"""So many rows are in memory."""


def render_parquet(reports: Iterable[Report], rules: Sequence[Rule]) -> Iterator[bytes]:
    """The file, in pieces: findings in the order of the report, those of a host that are accepted after the others."""
    families = {rule.id: rule.family for rule in rules}
    rows = (_row(one, families[one.rule]) for report in reports for one in (*report.findings, *report.accepted))
    pieces = _Pieces()
    with pq.ParquetWriter(pa.PythonFile(pieces, mode="w"), SCHEMA, compression="zstd") as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
            yield pieces.taken()
    yield pieces.taken()


class _Pieces(io.RawIOBase):
    """A file that is taken away while it is written."""

    def __init__(self) -> None:
        self._written = bytearray()
        self._before = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._before + len(self._written)

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        piece = bytes(self._written)
        self._before += len(piece)
        self._written.clear()
        return piece


def _row(finding: ReportedFinding, family: str) -> Mapping[str, object]:
    row: dict[str, object] = {
        "host": finding.host,
        "rule": finding.rule,
        "family": family,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "state": finding.state,
        "accepted": finding.acceptance.reason if finding.acceptance else None,
        "subject": finding.subject,
        "message": finding.message,
        "document": finding.location.document,
        "line": finding.location.line,
        "column": finding.location.column,
        **(_packet(finding.packet) if finding.packet else {}),
        "assumptions": [visible(one.text) for one in finding.assumptions],
        "capture_with": [visible(one.capture_with) for one in finding.assumptions if one.capture_with],
        "remedy": list(map(visible, finding.remedy)),
        "fingerprint": finding.fingerprint,
    }
    return {name: visible(value) if isinstance(value, str) else value for name, value in row.items()}


def _packet(packet: ReportedPacket) -> Mapping[str, object]:
    return {
        "packet": packet.text,
        "packet_family": packet.family,
        "packet_state": packet.state,
        "packet_protocol": packet.protocol,
        "packet_source": packet.source,
        "packet_source_port": packet.source_port,
        "packet_destination": packet.destination,
        "packet_destination_port": packet.destination_port,
        "packet_in_interface": packet.in_interface,
        "packet_out_interface": packet.out_interface,
    }
