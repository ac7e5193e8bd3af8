"""The manifest of an examination: what was read, by what, and what came out, so that another examiner gets the same.

Nothing in it tells of the machine or the moment, unless a time was given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal

import click
from pydantic import BaseModel, ConfigDict

from icclint import __version__
from icclint.config import Acceptance
from icclint.plugins import rule_packages
from icclint.report import Report, ReportedDocument, ReportedGap, ReportedNotAssessed


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Package(_Part):
    """An installed package with rules, and its version."""

    name: str
    version: str


class File(_Part):
    """A file beside the capture, as bytes; ``name`` is without its folder."""

    name: str
    sha256: str
    bytes: int


def file_of(name: str, content: bytes) -> File:
    """A file by what is in it."""
    return File(name=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


class Options(_Part):
    """What the run was asked for. ``at`` is the moment that was given for it, ``accept`` what it was to accept.

    The limits are those of `icclint.capture.limits.Limits`, in files and bytes.
    """

    max_files: int
    max_bytes: int
    max_unpacked: int
    rules: tuple[str, ...]
    fail_on: str
    strict: bool
    category: str | None
    run_per_host: bool
    show_all: bool
    at: datetime | None
    accept: tuple[Acceptance, ...]
    configuration: File | None
    baseline: File | None


class FailedRule(_Part):
    """A rule that crashed on a host. Its error names places of this machine, so the report alone has it."""

    rule: str
    host: str


class NotAnalysed(_Part):
    """What may hide findings. ``all_paths_read`` is false where a path was given that holds nothing readable."""

    all_paths_read: bool
    gaps: tuple[ReportedGap, ...]
    not_assessed: tuple[ReportedNotAssessed, ...]
    crashes: tuple[FailedRule, ...]


class RenderedReport(_Part):
    """The report in one format, without colours."""

    format: str
    sha256: str
    bytes: int


class Manifest(_Part):
    """The manifest. Its JSON Schema is docs/evidence.schema.json."""

    format: Literal["icclint-evidence/1"] = "icclint-evidence/1"
    version: str
    rule_packages: tuple[Package, ...]
    options: Options
    documents: tuple[ReportedDocument, ...]
    not_analysed: NotAnalysed
    reports: tuple[RenderedReport, ...]
    exit_code: int


def manifest(
    report: Report, options: Options, rendered: Mapping[str, Iterable[str | bytes]], exit_code: int
) -> Iterator[str]:
    """The manifest of a run as JSON. ``rendered`` are the lines of the report in each format."""
    found = Manifest(
        version=__version__,
        rule_packages=tuple(Package(name=name, version=version) for name, version in rule_packages()),
        options=options,
        documents=report.documents,
        not_analysed=NotAnalysed(
            all_paths_read=report.complete,
            gaps=report.gaps,
            not_assessed=report.not_assessed,
            crashes=tuple(FailedRule(rule=crash.rule, host=crash.host) for crash in report.crashes),
        ),
        reports=tuple(_rendered(form, lines) for form, lines in rendered.items()),
        exit_code=exit_code,
    )
    yield json.dumps(found.model_dump(mode="json"), ensure_ascii=False, indent=2)


def _rendered(form: str, lines: Iterable[str | bytes]) -> RenderedReport:
    digest, length = hashlib.sha256(), 0
    for line in lines:
        content = line if isinstance(line, bytes) else f"{click.unstyle(line)}\n".encode()
        digest.update(content)
        length += len(content)
    return RenderedReport(format=form, sha256=digest.hexdigest(), bytes=length)
