"""The baseline: findings that were there before, so that a run can tell what is new from what is known.

Findings are counted by host and fingerprint: a second one like a known one is new. Where the run and the baseline are
of one host each, its name does not count, since a folder may be called otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from icclint.parse.json import JsonError, JsonText, parse_json
from icclint.report import Report, ReportedFinding, ReportedGone
from icclint.source import Document


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


_Key = tuple[str, str]
"""A host and a fingerprint."""


class BaselineFinding(_Part):
    """Findings of one fingerprint on one host, and how many; the rest is for whoever reads the file."""

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    count: Annotated[int, Field(ge=1)]
    host: str
    rule: str
    subject: str
    message: str

    @property
    def key(self) -> _Key:
        """What it is told from others by."""
        return self.host, self.fingerprint


class Baseline(_Part):
    """The hosts that were looked at, and what was found. Its JSON Schema is docs/baseline.schema.json."""

    format: Literal["icclint-baseline/1"] = "icclint-baseline/1"
    hosts: tuple[str, ...]
    findings: tuple[BaselineFinding, ...]

    def of(self, hosts: Iterable[str]) -> Baseline:
        """What it says of some hosts."""
        known = tuple(host for host in hosts if host in self.by_host)
        return Baseline.model_construct(
            hosts=known, findings=tuple(one for host in known for one in self.by_host[host])
        )

    @cached_property
    def by_host(self) -> Mapping[str, list[BaselineFinding]]:
        """The findings of each host, in their order."""
        found: dict[str, list[BaselineFinding]] = {host: [] for host in self.hosts}
        for one in self.findings:
            found.setdefault(one.host, []).append(one)
        return found

    @model_validator(mode="after")
    def _each_once(self) -> Baseline:
        if len({one.key for one in self.findings}) < len(self.findings):
            raise ValueError("a host has two entries of one fingerprint")
        return self


class BaselineError(Exception):
    """A baseline that cannot be read. The text names the file, and the line where there is one."""


@dataclass(frozen=True)
class BaselineFile:
    """A baseline and the file that it was read from."""

    path: Path
    content: bytes
    values: Baseline


def read_baseline(path: Path) -> BaselineFile:
    """The baseline in a file. Raises `BaselineError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BaselineError(f"{path}: {error.strerror}") from None
    try:
        return BaselineFile(path, content, Baseline.model_validate_json(content))
    except ValidationError as error:
        raise BaselineError(_in_words(path, content, error.errors()[0])) from None


def _in_words(path: Path, content: bytes, error: Mapping[str, Any]) -> str:
    """Where in a file something is wrong, and what. Pydantic's reader is fast, and keeps no places."""
    try:
        text = parse_json(Document(str(path), content))
    except JsonError as broken:
        return f"{path}:{broken.gap.span.line}: {broken.gap.reason}"
    place = ".".join(map(str, error["loc"])) or "the file"
    return f"{path}:{_line(text, error['loc'])}: no baseline that icclint has written: {place}: {error['msg']}"


def _line(text: JsonText, path: tuple[str | int, ...]) -> int:
    """The line of a value; of what it is missing from, where it is."""
    while path not in text.spans:
        path = path[:-1]
    return text.spans[path].line


def baseline_of(report: Report) -> Baseline:
    """What a run found. What is accepted is left out: an acceptance has a reason and an end of its own."""
    counts = Counter(map(_key, report.findings))
    first = {_key(finding): finding for finding in reversed(report.findings)}
    findings = [
        BaselineFinding(
            fingerprint=key[1],
            count=counts[key],
            host=key[0],
            rule=finding.rule,
            subject=finding.subject,
            message=finding.message,
        )
        for key, finding in first.items()
    ]
    findings.sort(key=lambda one: (one.host, one.rule, one.subject, one.fingerprint))
    return Baseline(hosts=tuple(sorted(host.name for host in report.hosts)), findings=tuple(findings))


def _key(finding: ReportedFinding) -> _Key:
    return finding.host, finding.fingerprint.partition(":")[0]


def compare(report: Report, baseline: Baseline) -> Report:
    """The report with the state of each finding, and with what is gone."""
    called = _as_called_in(report, baseline)
    left = Counter({one.key: one.count for one in called.findings})
    return report.model_copy(
        update={
            "findings": tuple(_with_state(finding, left) for finding in report.findings),
            "accepted": tuple(_with_state(finding, left) for finding in report.accepted),
            "gone": tuple(_gone(report, called, left)),
        }
    )


def _as_called_in(report: Report, baseline: Baseline) -> Baseline:
    """The baseline with the host named as in the report, where each is of one host."""
    if len(baseline.hosts) != 1 or len(report.hosts) != 1:
        return baseline
    name = report.hosts[0].name
    findings = tuple(one.model_copy(update={"host": name}) for one in baseline.findings)
    return baseline.model_copy(update={"hosts": (name,), "findings": findings})


def _with_state(finding: ReportedFinding, left: Counter[_Key]) -> ReportedFinding:
    """A finding as known as long as ones like it are left."""
    key = _key(finding)
    if left[key] == 0:
        return finding.model_copy(update={"state": "new"})
    left[key] -= 1
    return finding.model_copy(update={"state": "known"})


def _gone(report: Report, baseline: Baseline, left: Counter[_Key]) -> Iterator[ReportedGone]:
    """What is left over of the baseline, unless a rule that was not asked, or could not tell, may be why."""
    for one in baseline.findings:
        if report.is_told(one.rule, one.host):
            for number in range(one.count - left[one.key] + 1, one.count + 1):
                yield ReportedGone(
                    rule=one.rule,
                    host=one.host,
                    subject=one.subject,
                    message=one.message,
                    fingerprint=f"{one.fingerprint}:{number}",
                )


def pruned(baseline: Baseline, report: Report) -> Baseline:
    """The baseline without what is gone; nothing is added to it."""
    called = _as_called_in(report, baseline)
    gone = Counter((one.host, one.fingerprint.partition(":")[0]) for one in compare(report, baseline).gone)
    counts = [one.count - gone[key.key] for one, key in zip(baseline.findings, called.findings, strict=True)]
    kept = zip(baseline.findings, counts, strict=True)
    return baseline.model_copy(
        update={"findings": tuple(one.model_copy(update={"count": count}) for one, count in kept if count)}
    )


def render_baseline(baseline: Baseline) -> Iterator[str]:
    """A finding a line, so that a change of a host is a change of its lines. Equal baselines give equal bytes."""
    yield f'{{"format": {_json(baseline.format)}, "hosts": {_json(baseline.hosts)}, "findings": ['
    *others, last = [f"  {_json(one.model_dump())}" for one in baseline.findings] or [""]
    yield from (f"{line}," for line in others)
    if last:
        yield last
    yield "]}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
