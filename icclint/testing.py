"""Cases of rules in Markdown, for whoever writes rules: hosts in fenced blocks, and what is to be found on each.

A file of cases is named after its rule, and each heading of the second level in it begins a case. A case is a host: its
fenced blocks are documents, named by their info string. A line that the rule must point at ends in ``# finding``
(``// finding`` in JSON); whatever is not marked must not be reported. An ``expect`` block says more, line by line:
``possible`` (each finding hangs on assumptions), ``message: TEXT`` (a part of a message), ``not assessed: COMMAND``
(``nothing`` where no command would tell).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from icclint.capture.read import Capture
from icclint.engine import check
from icclint.parse.kind import kind_of
from icclint.report import Report
from icclint.rule import Rule
from icclint.source import Document

_MARK = re.compile(r"\s*(?:#|//) finding$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPECT = re.compile(r"^```expect\n.*?^```$", re.MULTILINE | re.DOTALL)
_EXPECTATION = re.compile(r"possible|(?:message|not assessed): .+")


@dataclass(frozen=True)
class Case:
    """One host and what a rule has to say of it. ``host`` is the case as written, but for its title and ``expect``."""

    rule: str
    title: str
    host: str
    documents: Mapping[str, str]
    expect: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule}: {self.title}"

    @property
    def marked(self) -> frozenset[tuple[str, int]]:
        """The documents and lines at which the rule has a finding."""
        return frozenset(
            (name, number)
            for name, text in self.documents.items()
            for number, line in enumerate(text.splitlines(), start=1)
            if _MARK.search(line)
        )

    @property
    def is_silent(self) -> bool:
        """Whether the rule has nothing to say at all."""
        return not self.marked and not self.expect

    @property
    def capture(self) -> Capture:
        """The host, without the marks."""
        documents = [Document(name, _MARK.sub("", text).encode()) for name, text in sorted(self.documents.items())]
        return Capture("host", tuple((document, kind_of(document)) for document in documents), ())

    def expected(self, key: str) -> list[str]:
        """What the ``expect`` block says under a key."""
        return [line.removeprefix(f"{key}: ") for line in self.expect if line.startswith(f"{key}: ")]


def cases(path: Path) -> Iterator[Case]:
    """The cases of a file. Raises ValueError, with the case's name, for one that would not test what it seems to."""
    for part in path.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        yield _case(path.stem, title, text.strip())


def _case(rule: str, title: str, text: str) -> Case:
    documents: dict[str, str] = {}
    for name, content in _BLOCK.findall(text):
        if name in documents:
            raise ValueError(f"{rule}: {title}: two blocks are called {name}")
        documents[name] = content
    if "```" in _BLOCK.sub("", text):
        raise ValueError(f"{rule}: {title}: a block has no name, or no end")
    expect = tuple(documents.pop("expect", "").splitlines())
    for line in expect:
        if not _EXPECTATION.fullmatch(line):
            raise ValueError(f"{rule}: {title}: nothing can be expected by {line!r}")
    if not documents:
        raise ValueError(f"{rule}: {title}: there is no document in it")
    return Case(rule, title, _EXPECT.sub("", text).strip(), documents, expect)


def report(case: Case, rules: Iterable[Rule]) -> Report:
    """What the case's rule, one of ``rules``, says of its host. Raises ValueError where it is none of them."""
    own = [rule for rule in rules if rule.id == case.rule]
    if not own:
        raise ValueError(f"{case}: no rule has the name {case.rule}")
    return check([case.capture], own)


def run_case(case: Case, rules: Iterable[Rule]) -> list[str]:
    """Where a case and its rule, one of ``rules``, differ, in words; empty where they agree."""
    return list(_differences(case, report(case, rules)))


def _differences(case: Case, said: Report) -> Iterator[str]:
    yield from (f"the rule crashed: {crash.error}" for crash in said.crashes)
    found = {(finding.location.document, finding.location.line): finding for finding in said.findings}
    for document, line in sorted(case.marked - found.keys()):
        yield f"{document}:{line} is marked, and nothing is reported there"
    for document, line in sorted(found.keys() - case.marked):
        yield f"{document}:{line} is not marked, and is reported: {found[document, line].message}"
    for text in case.expected("message"):
        if not any(text in finding.message for finding in said.findings):
            yield f"no message has {text!r} in it: {[finding.message for finding in said.findings]}"
    confidence = "possible" if "possible" in case.expect else "certain"
    for finding in said.findings:
        if finding.confidence != confidence:
            yield f"not {confidence}: {finding.message} {[assumption.text for assumption in finding.assumptions]}"
    wanted, unknown = set(case.expected("not assessed")), {word.capture_with or "nothing" for word in said.not_assessed}
    yield from (f"nothing is left open for want of {command!r}" for command in sorted(wanted - unknown))
    yield from (
        f"not assessed for want of {word.capture_with or 'nothing'!r}: {word.reason}"
        for word in said.not_assessed
        if (word.capture_with or "nothing") not in wanted
    )
