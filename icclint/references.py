"""What a rule's page refers to: weaknesses, benchmark items, vulnerabilities and links, as programs can use them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """A recommendation of the CIS Docker Benchmark. Items move between versions, so a number alone means nothing."""

    version: str
    item: str


@dataclass(frozen=True, slots=True)
class References:
    """The references of a rule, each kind in the order of the page.

    ``weaknesses`` are numbers of the Common Weakness Enumeration, the main one first; ``vulnerabilities`` are names
    of CVE records.
    """

    weaknesses: tuple[int, ...] = ()
    benchmark_items: tuple[BenchmarkItem, ...] = ()
    vulnerabilities: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


_ITEM = re.compile(r"^[-*] (.*(?:\n(?![-*] ).*)*)", re.MULTILINE)
_WEAKNESS = re.compile(r"\bCWE-(\d+)\b")
_BENCHMARK = re.compile(r"CIS Docker Benchmark (\d+(?:\.\d+)+)((?:, \d+(?:\.\d+)+)+)")
_VULNERABILITY = re.compile(r"\bCVE-\d{4}-\d{4,}\b")
_LINK = re.compile(r"https?://[^\s,;()<>]*[^\s,;:.()<>]")


def read_references(section: str) -> References:
    """The references in the list items of a page's section; what else the items say is for people.

    The items of a benchmark follow its version, with commas: ``CIS Docker Benchmark 1.8.0, 2.2, 2.3``.
    """
    items = "\n".join(_ITEM.findall(section))
    return References(
        weaknesses=_unique(int(number) for number in _WEAKNESS.findall(items)),
        benchmark_items=_unique(
            BenchmarkItem(version, item)
            for version, listed in _BENCHMARK.findall(items)
            for item in listed.removeprefix(", ").split(", ")
        ),
        vulnerabilities=_unique(_VULNERABILITY.findall(items)),
        links=_unique(_LINK.findall(items)),
    )


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
