"""The report as a SARIF 2.1.0 log, for code scanning and other programs that collect findings.

Sections named here are those of the standard (https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html).
What GitHub takes, shows and refuses is from "SARIF support for code scanning" in its documentation; how GitLab ranks
findings is from its "SARIF report format" page.

The same report gives the same bytes: no times, no machine, no path but those of the documents, all of them relative.
"""

from __future__ import annotations

import functools
import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import attr
import sarif_om as om

from icclint import __version__
from icclint.checked import Checked, joined
from icclint.output.alert import alert_hash
from icclint.output.delivery import Delivery
from icclint.output.items import separated
from icclint.output.page import markdown
from icclint.output.visible import escaped, visible
from icclint.report import (
    PathStep,
    RelatedLocation,
    Report,
    ReportedAssumption,
    ReportedCrash,
    ReportedDocument,
    ReportedFinding,
    ReportedGap,
    ReportedGone,
    ReportedIdleAcceptance,
    ReportedLocation,
    ReportedNotAssessed,
    ReportedPacket,
)
from icclint.spool import Spool

if TYPE_CHECKING:
    from icclint.rule import Rule
    from icclint.source import Document

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
HOME = "https://github.com/icclint/icclint"
ROOT = "%SRCROOT%"
FINGERPRINT = "icclintFinding/v1"
"""The recipe of the fingerprints that the report has."""

MOST_RESULTS = 25_000
"""GitHub refuses a run with more."""
MOST_PACKED = 9_000_000
"""GitHub refuses a log of more than 10 MB of gzip; results end here, as what follows them takes room too."""
MOST_NOTIFICATIONS = 1_000
"""A document of nothing but garbage has a gap in every line."""
MOST_RELATED = 900
"""GitHub refuses a result with more than 1,000 locations; its place and its path count as well."""
MOST_STEPS = 50
MOST_TEXT = 2_000
"""GitLab drops a result whose message has more than 2,048 characters."""
MOST_CLAIM = 500
MOST_TAGS = 10
"""GitLab takes no more of a rule, GitHub refuses more than 20."""
MOST_DESCRIPTION = 1_000
"""GitHub cuts descriptions of rules at 1,024 characters."""
MOST_SNIPPET = 2_000
"""A capture may hold all of its JSON in one line."""
CONTEXT_LINES = 3
CONTEXT_COLUMNS = 80


def render_sarif(parts: Iterable[Checked], rules: Sequence[Rule], delivery: Delivery) -> Iterator[str]:
    """The log, line by line: one line for each result and each document, and one for each other member of a run.

    ``rules`` are those that ran, in the order of the registry. Results of several hosts come the worst first.
    """
    room = _Room()
    runs = (_Run(rules, delivery, room).lines(run) for run in _runs(parts, delivery))
    log = om.SarifLog(schema_uri=SCHEMA, version="2.1.0", runs=[])
    yield from map(room.with_line, _with_items(log, {"runs": separated(runs)}))


def _runs(parts: Iterable[Checked], delivery: Delivery) -> Iterator[Iterable[Checked]]:
    """What each run tells of."""
    if not delivery.per_host:
        yield parts
        return
    by_host = ("documents", "findings", "not_assessed", "gaps", "crashes", "accepted", "gone")
    whole = joined(parts)
    for host in whole.report.hosts:
        told = {key: tuple(one for one in getattr(whole.report, key) if one.host == host.name) for key in by_host}
        yield [replace(whole, report=whole.report.model_copy(update={"hosts": (host,)} | told))]


class _Room:
    """What gzip makes of the lines so far. Level 1 packs least, so that no other level makes more of them."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(1)
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._bytes > MOST_PACKED

    def with_line(self, line: str) -> str:
        """The line, which is counted."""
        self._bytes += len(self._packer.compress(line.encode()))
        return line


# --- The run and its tool ---


class _Weight(NamedTuple):
    """What a severity is called by those who read the log."""

    level: str
    problem: str
    score: str

    @property
    def rank(self) -> float:
        """GitLab believes the rank before anything else, so it must say what the score says."""
        return 10 * float(self.score)


# Scores lie in the middle of what GitHub calls high, medium and low. From `warning` on, levels are what the exit
# code counts by default.
_WEIGHTS: Mapping[str, _Weight] = {
    "high": _Weight("error", "error", "8.0"),
    "medium": _Weight("warning", "warning", "5.5"),
    "low": _Weight("note", "recommendation", "2.5"),
    "note": _Weight("note", "recommendation", "0.5"),
}

# Readers that look messages up and readers that want their text both find what they need, as every message gives
# its id, its arguments and its text.
_MESSAGES: Mapping[str, str] = {"default": "{0}.", "explained": "{0}. {1}."}


class _Notice(NamedTuple):
    """A kind of notification, and what to do about it. An error says that the run failed (section 3.20.21)."""

    id: str
    level: str
    summary: str
    help: str


_CRASHED = _Notice(
    "rule-crashed",
    "error",
    "A rule failed, so findings may be missing.",
    "This is a fault of the rule. Report it with what `icclint check` prints, which names the place in its code.",
)
_UNREAD = _Notice(
    "document-not-read",
    "error",
    "Nothing of a document could be used, so findings may be missing.",
    "Capture the document anew, or take it out of the capture if it does not belong there.",
)
_MISSING = _Notice(
    "path-not-read",
    "error",
    "A path that was named gave no capture, so findings may be missing.",
    "Look at the messages of `icclint check`, which name the path and say why.",
)
_GAP = _Notice(
    "not-understood",
    "warning",
    "A part of a document was not understood; the rest of it was analysed.",
    "Look at the place: findings do not take account of what stands there.",
)
_NOT_ASSESSED = _Notice(
    "not-assessed",
    "note",
    "The capture does not hold what a rule needs to tell.",
    "Capture the output of the command that the message names, where it names one.",
)
_SHORTENED = _Notice(
    "log-shortened",
    "warning",
    "The log leaves something out, to stay within what its readers accept.",
    "The JSON report (`icclint check -o json`) has everything.",
)
_ENDED = _Notice(
    "ended-accept",
    "warning",
    "The last day of an acceptance is over.",
    "Decide anew: mend what was accepted, or give the entry of the configuration another last day.",
)
_UNUSED = _Notice(
    "unused-accept",
    "note",
    "An acceptance matches no finding.",
    "Take the entry out of the configuration, or mend its names.",
)
_NOTICES = (_CRASHED, _UNREAD, _MISSING, _GAP, _NOT_ASSESSED, _SHORTENED, _ENDED, _UNUSED)


class _Run:
    """One run of the log."""

    def __init__(self, rules: Sequence[Rule], delivery: Delivery, room: _Room) -> None:
        self._rules = rules
        self._order = {rule.id: index for index, rule in enumerate(rules)}
        self._delivery = delivery
        self._room = room
        self._hosts: list[tuple[str, list[str]]] = []
        self._artifacts = Spool[str]()
        self._results: dict[str, Spool[str]] = {name: Spool() for name in (*_WEIGHTS, "accepted", "gone")}
        self._notes = _Notes()
        self._idle: list[om.Notification] = []
        self._written = 0

    def lines(self, parts: Iterable[Checked]) -> Iterator[str]:
        """The run line by line. What is said of the run as a whole comes after the results, when it is known."""
        complete = True
        for part in parts:
            self._take(part.report, _Places.of(part, len(self._artifacts)))
            complete &= part.report.complete
        if not complete:
            self._notes.add(_MISSING, _notification(_MISSING, "A path that was named gave no capture."))
        arrays = {
            "artifacts": separated([line] for line in self._artifacts),
            "results": separated([line] for line in self._fitting()),
            "invocations": self._closing(),
        }
        return _with_items(self._frame(), arrays)

    def _take(self, report: Report, places: _Places) -> None:
        """Puts aside what the run says of a part of the report."""
        self._hosts += ((host.name, [found.releases for found in host.rules_of]) for host in report.hosts)
        for document in _unique(report.documents):
            self._artifacts.append(_line(_artifact(document, places)))
        for finding in report.findings:
            self._take_finding(finding.severity, finding, places)
        if self._delivery.show_all:
            for finding in report.accepted:
                self._take_finding("accepted", finding, places)
            for gone in report.gone:
                index = self._order[gone.rule]
                weight = _WEIGHTS[self._rules[index].severity.value]
                self._results["gone"].append(
                    _line(_absent(gone, weight, index, _some_place(report, gone.host, places)))
                )
        for notice, notification in _notifications(report, places, self._order, self._delivery.strict):
            self._notes.add(notice, notification)
        self._idle += map(_of_idle_acceptance, report.idle_acceptances)

    def _take_finding(self, group: str, finding: ReportedFinding, places: _Places) -> None:
        suppressions = _suppressions(finding) if self._delivery.show_all else None
        result = _result(finding, places, self._order[finding.rule], suppressions)
        for notification in _of_shortened(finding, places):
            self._notes.add_of_result(group, len(self._results[group]), notification)
        self._results[group].append(_line(result))

    def _fitting(self) -> Iterator[str]:
        """The results for which there is room, the worst first."""
        for line in islice(chain.from_iterable(self._results.values()), MOST_RESULTS):
            if self._room.is_full:
                return
            self._written += 1
            yield line

    def _closing(self) -> Iterator[str]:
        left = sum(map(len, self._results.values())) - self._written
        if left:
            text = f"The {left} results after the first {self._written} are left out."
            self._notes.add(_SHORTENED, _notification(_SHORTENED, text))
        starts = dict(zip(self._results, accumulate(map(len, self._results.values()), initial=0), strict=False))
        yield _line(self._notes.invocation(lambda group, number: starts[group] + number < self._written, self._idle))

    def _frame(self) -> om.Run:
        """All that is neither an array of lines nor known after the results."""
        taxa = _taxa(self._rules)
        id = self._delivery.id_of(self._hosts[0][0] if self._hosts else "")
        return om.Run(
            tool=om.Tool(driver=_driver(self._rules, taxa)),
            automation_details=om.RunAutomationDetails(id=id) if id else None,
            taxonomies=[_component(taxonomy, names) for taxonomy, names in taxa.items()] or None,
            # Columns count what Python counts, and a lone carriage return ends no line.
            column_kind="unicodeCodePoints",
            newline_sequences=["\r\n", "\n"],
            # Without a URI, since where a capture lies on this machine is nobody's business (section 3.14.14).
            original_uri_base_ids={ROOT: om.ArtifactLocation(description=_message("The folder of the captures."))},
            properties={"hosts": [{"name": name, "rulesOf": releases} for name, releases in self._hosts]},
        )


def _driver(rules: Sequence[Rule], taxa: _Taxa) -> om.ToolComponent:
    """The tool with all rules that ran, whether they found anything or not: so the log says what was looked for."""
    return om.ToolComponent(
        name="icclint",
        full_name=f"icclint {__version__}: Docker's network claims against captured iptables rules",
        organization="icclint",
        information_uri=HOME,
        version=__version__,
        semantic_version=__version__,
        rules=[_rule(rule, taxa) for rule in rules],
        notifications=[_notification_descriptor(notice) for notice in _NOTICES],
        supported_taxonomies=[_component_reference(taxonomy) for taxonomy in taxa] or None,
    )


def _rule(rule: Rule, taxa: _Taxa) -> om.ReportingDescriptor:
    weight = _WEIGHTS[rule.severity.value]
    uri = _help_uri(rule)
    # GitHub wants all of these texts, and rules of other packages may have no page.
    summary = rule.summary or f"{rule.id}."
    detects = " ".join(rule.section("What it detects").split())
    return om.ReportingDescriptor(
        id=rule.id,
        name=_pascal_case(rule.id),
        short_description=_described(summary),
        full_description=_described(detects or summary),
        message_strings={key: om.MultiformatMessageString(text=text) for key, text in _MESSAGES.items()},
        default_configuration=om.ReportingConfiguration(level=weight.level, rank=weight.rank),
        help_uri=uri,
        help=om.MultiformatMessageString(
            text=rule.page.strip() or summary,
            # GitHub shows the help and no help URI.
            markdown=f"{markdown(rule)}\n[This page with examples]({uri})\n" if uri else markdown(rule),
        ),
        relationships=[_relationship(taxonomy, name, taxa) for taxonomy, name in _classified(rule)] or None,
        properties={
            "tags": ["security", "docker", "iptables", *_weakness_tags(rule)][:MOST_TAGS],
            # A finding has a packet that proves it, or names what it assumes.
            "precision": "very-high",
            "problem.severity": weight.problem,
            "security-severity": weight.score,
        },
    )


def _help_uri(rule: Rule) -> str | None:
    """Where the page of a built-in rule stands. Other packages have other homes."""
    if rule.check.__module__.partition(".")[0] != "icclint_rules":
        return None
    return f"{HOME}/blob/main/docs/rules/{rule.id}.md"


def _weakness_tags(rule: Rule) -> list[str]:
    """The form in which CodeQL tags its rules, and by which GitHub finds weaknesses."""
    return [f"external/cwe/cwe-{number:03}" for number in rule.references.weaknesses]


def _notification_descriptor(notice: _Notice) -> om.ReportingDescriptor:
    return om.ReportingDescriptor(
        id=notice.id,
        name=_pascal_case(notice.id),
        short_description=_described(notice.summary),
        full_description=_described(notice.summary),
        help=_described(notice.help),
        default_configuration=om.ReportingConfiguration(level=notice.level),
    )


def _pascal_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _described(text: str) -> om.MultiformatMessageString:
    return om.MultiformatMessageString(text=_clipped(text, MOST_DESCRIPTION))


def _artifact(document: ReportedDocument, places: _Places) -> om.Artifact:
    return om.Artifact(
        location=places.artifact(document.name),
        length=document.bytes,
        # Of the bytes as read, so that sha256sum says the same.
        hashes={"sha-256": document.sha256},
        roles=["analysisTarget"],
        properties={"kind": document.kind, "host": document.host},
    )


def _unique(documents: Iterable[ReportedDocument]) -> list[ReportedDocument]:
    """Each document once: a file that is named beside its folder belongs to two hosts."""
    first: dict[str, ReportedDocument] = {}
    for document in documents:
        first.setdefault(document.name, document)
    return list(first.values())


# --- What rules are classified by ---


class _Taxonomy(NamedTuple):
    """A list of things that others have named and numbered, and how a rule relates to one of them (section 3.53.3)."""

    name: str
    version: str | None
    organization: str
    address: str
    kind: str

    @property
    def guid(self) -> str:
        """A reference finds its component by this or not at all (section 3.54.2), so it is made of the name alone."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.address}#{self.version or ''}"))


# GitLab knows it by this name. Its numbers keep their meaning, so no version is given.
_WEAKNESSES = _Taxonomy("CWE", None, "MITRE", "https://cwe.mitre.org/", "superset")

_Taxa = Mapping[_Taxonomy, Sequence[str]]
"""Each taxonomy that rules of a log refer to, with those of its entries to which they do."""


def _benchmark(version: str) -> _Taxonomy:
    address = "https://www.cisecurity.org/benchmark/docker"
    return _Taxonomy("CIS Docker Benchmark", version, "Center for Internet Security", address, "relevant")


def _classified(rule: Rule) -> Iterator[tuple[_Taxonomy, str]]:
    """The entries of taxonomies that the page of a rule refers to."""
    references = rule.references
    yield from ((_WEAKNESSES, str(number)) for number in references.weaknesses)
    yield from ((_benchmark(item.version), item.item) for item in references.benchmark_items)


def _taxa(rules: Iterable[Rule]) -> _Taxa:
    found: dict[_Taxonomy, set[str]] = {}
    for rule in rules:
        for taxonomy, name in _classified(rule):
            found.setdefault(taxonomy, set()).add(name)
    by_name = sorted(found.items(), key=lambda pair: (pair[0].name, pair[0].version or ""))
    return {taxonomy: sorted(names, key=_by_numbers) for taxonomy, names in by_name}


def _by_numbers(name: str) -> list[int]:
    return [int(number) for number in name.split(".")]


def _component(taxonomy: _Taxonomy, names: Sequence[str]) -> om.ToolComponent:
    return om.ToolComponent(
        name=taxonomy.name,
        version=taxonomy.version,
        organization=taxonomy.organization,
        information_uri=taxonomy.address,
        guid=taxonomy.guid,
        is_comprehensive=False,
        taxa=[om.ReportingDescriptor(id=name, help_uri=_taxon_uri(taxonomy, name)) for name in names],
    )


def _taxon_uri(taxonomy: _Taxonomy, name: str) -> str | None:
    return f"{taxonomy.address}data/definitions/{name}.html" if taxonomy == _WEAKNESSES else None


def _component_reference(taxonomy: _Taxonomy) -> om.ToolComponentReference:
    return om.ToolComponentReference(name=taxonomy.name, guid=taxonomy.guid)


def _relationship(taxonomy: _Taxonomy, name: str, taxa: _Taxa) -> om.ReportingDescriptorRelationship:
    target = om.ReportingDescriptorReference(
        id=name, index=taxa[taxonomy].index(name), tool_component=_component_reference(taxonomy)
    )
    return om.ReportingDescriptorRelationship(target=target, kinds=[taxonomy.kind])


# --- Results ---


def _suppressions(finding: ReportedFinding) -> list[om.Suppression]:
    if finding.acceptance is None:
        return []
    until = f" (until {finding.acceptance.until})" if finding.acceptance.until else ""
    reason = f"{finding.acceptance.reason}{until}"
    return [om.Suppression(kind="external", state="accepted", justification=reason)]


def _result(
    finding: ReportedFinding, places: _Places, rule_index: int, suppressions: list[om.Suppression] | None
) -> om.Result:
    weight = _WEIGHTS[finding.severity]
    chains = {step.location: step for step in finding.path}
    return om.Result(
        rule_id=finding.rule,
        rule_index=rule_index,
        # GitHub makes an alert of every other kind as well.
        kind="fail",
        level=weight.level,
        rank=weight.rank,
        message=_finding_message(finding),
        locations=[
            places.location(finding.location, finding.label, chains.get(finding.location), finding.host, context=True)
        ],
        related_locations=[
            places.location(related.location, related.message, chains.get(related.location), finding.host, id=number)
            for number, related in _numbered(finding.related)
        ]
        or None,
        code_flows=[_code_flow(finding, places)] if finding.path else None,
        baseline_state=_STATES.get(finding.state or ""),
        suppressions=suppressions,
        partial_fingerprints=_fingerprints(finding),
        properties={
            "confidence": finding.confidence,
            "host": finding.host,
            "subject": finding.subject,
            "assumptions": [
                {"text": assumption.text, "captureWith": assumption.capture_with} for assumption in finding.assumptions
            ],
            "remedy": list(finding.remedy),
        },
    )


_STATES: Mapping[str, str] = {"new": "new", "known": "unchanged"}


def _fingerprints(finding: ReportedFinding | ReportedGone) -> dict[str, str]:
    """GitHub knows findings again by the second one only; its own hash of a line changes with the lines below."""
    ordinal = finding.fingerprint.rpartition(":")[2]
    return {FINGERPRINT: finding.fingerprint, "primaryLocationLineHash": f"{alert_hash(finding)[:16]}:{ordinal}"}


def _absent(gone: ReportedGone, weight: _Weight, rule_index: int, place: om.Location) -> om.Result:
    """A result of the baseline that is no longer there. Its place is the host's first document, for want of its own."""
    claim = _clipped(_literal(f"No longer found: {gone.message.removesuffix('.')}"), MOST_CLAIM)
    return om.Result(
        rule_id=gone.rule,
        rule_index=rule_index,
        kind="fail",
        level=weight.level,
        rank=weight.rank,
        message=om.Message(text=_escaped(_MESSAGES["default"].format(claim)), id="default", arguments=[claim]),
        locations=[place],
        baseline_state="absent",
        # Either all results of a run tell of suppressions or none does (section 3.27.23).
        suppressions=[],
        partial_fingerprints=_fingerprints(gone),
        properties={"host": gone.host, "subject": gone.subject},
    )


def _some_place(report: Report, host: str, places: _Places) -> om.Location:
    """Where nothing better is known, since GitHub refuses a result without a place."""
    document = next(document.name for document in report.documents if document.host == host)
    return places.location(ReportedLocation(document=document, line=1, column=1, end_line=1, end_column=1))


def _numbered(related: Sequence[RelatedLocation]) -> list[tuple[int, RelatedLocation]]:
    """Related locations with the numbers by which the message links to them."""
    return list(enumerate(related[:MOST_RELATED], start=1))


def _finding_message(finding: ReportedFinding) -> om.Message:
    """What is wrong, in a first sentence that can stand as a title, and then what to look at.

    GitHub shows those related locations only that the message links to (section 3.11.6).
    """
    claim = _clipped(_literal(finding.message.removesuffix(".")), MOST_CLAIM)
    more = ". ".join(_reading(finding, MOST_TEXT - len(_escaped(claim))))
    arguments = [claim, more] if more else [claim]
    key = "explained" if more else "default"
    return om.Message(text=_escaped(_MESSAGES[key].format(*arguments)), id=key, arguments=arguments)


def _reading(finding: ReportedFinding, room: int) -> Iterator[str]:
    """Sentences on what a finding leans on, each without its period, that fit into some characters."""
    links = [f"[{_link_text(related.message)}]({number})" for number, related in _numbered(finding.related)]
    supposed = [_literal(_supposed(assumption)) for assumption in finding.assumptions]
    for opening, parts in (("See", links), ("This supposes that", supposed)):
        sentence = _sentence(opening, parts, room)
        if sentence:
            room -= len(_escaped(sentence))
            yield sentence


def _sentence(opening: str, parts: Iterable[str], room: int) -> str:
    """An opening with as many parts as fit; empty where not even one does."""
    sentence = ""
    fitting: list[str] = []
    for part in parts:
        fitting.append(part)
        longer = f"{opening} {_listed(fitting)}"
        if len(_escaped(longer)) > room:
            break
        sentence = longer
    return sentence


def _supposed(assumption: ReportedAssumption) -> str:
    command = assumption.capture_with
    return f"{assumption.text} (`{command}` would tell)" if command else assumption.text


def _listed(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _code_flow(finding: ReportedFinding, places: _Places) -> om.CodeFlow:
    """The packet's way to the rule that decided. GitHub shows no step that is not written out in its place."""
    steps = list(enumerate(_telling(finding), start=1))[-MOST_STEPS:]
    packet = f"The packet: {finding.packet.text}." if finding.packet else "The packet's way through the rules."
    return om.CodeFlow(
        message=_message(packet),
        thread_flows=[
            om.ThreadFlow(
                # Not an immutable state: address translation changes the packet on its way.
                initial_state=_state(finding.packet) if finding.packet else None,
                locations=[
                    om.ThreadFlowLocation(
                        location=places.location(step.location, _step_text(step), step, finding.host),
                        execution_order=number,
                        nesting_level=step.depth,
                        importance=_importance(step, last=number == steps[-1][0]),
                        kinds=_kinds(step),
                    )
                    for number, step in steps
                ],
            )
        ],
    )


def _state(packet: ReportedPacket) -> dict[str, om.MultiformatMessageString]:
    """The packet at the start of its way, part by part."""
    parts = {
        "in": packet.in_interface,
        "out": packet.out_interface,
        "source": _with_port(packet.source, packet.source_port),
        "destination": _with_port(packet.destination, packet.destination_port),
        "protocol": packet.protocol,
        "state": packet.state,
    }
    return {name: om.MultiformatMessageString(text=_escaped(visible(text))) for name, text in parts.items() if text}


def _with_port(address: str, port: int | None) -> str:
    return address if port is None else f"{address} port {port}"


def _telling(finding: ReportedFinding) -> list[PathStep]:
    """The steps up to the one that decided. Policies of tables that have nothing against a packet are no news.

    The one that decided is the place of the finding; where that is a claim, it is among the places that it leans on.
    """
    steps = [
        step
        for step in finding.path
        if step.table == "filter" or step.text != "policy ACCEPT" or step.location == finding.location
    ] or list(finding.path)
    for places in ([finding.location], [related.location for related in finding.related]):
        decided = [number for number, step in enumerate(steps, start=1) if step.location in places]
        if decided:
            return steps[: decided[-1]]
    return steps


def _step_text(step: PathStep) -> str:
    """A step that reads alone: viewers show one at a time."""
    if step.text.startswith("policy "):
        return f"At the end of chain {step.chain} of table {step.table}, its policy counts: {step.effect}."
    return f"In chain {step.chain} of table {step.table}, '{step.text}' matches: {step.effect}."


def _importance(step: PathStep, *, last: bool) -> str:
    if last:
        return "essential"
    return "unimportant" if step.effect == "next rule" else "important"


def _kinds(step: PathStep) -> list[str] | None:
    """Words that section 3.38.8 has for what a step does."""
    if step.effect.startswith("to chain "):
        return ["call", "function"]
    return ["return", "function"] if step.effect == "RETURN" else None


# --- What kept the analysis from being complete ---


class _Notes:
    """The notifications of a run: what kept it from being complete, and then what does not fit into the log.

    Only so many are kept as a log may have.
    """

    def __init__(self) -> None:
        order = (_CRASHED, _MISSING, _UNREAD, _GAP, _NOT_ASSESSED, _SHORTENED)
        self._kept: dict[_Notice, list[om.Notification]] = {notice: [] for notice in order}
        self._count = 0
        self._of_results: list[tuple[str, int, om.Notification]] = []
        self._failed = False

    def add(self, notice: _Notice, notification: om.Notification) -> None:
        """Adds one of a kind."""
        self._count += 1
        # Findings that are missing for such a reason must not be taken for mended ones.
        self._failed |= notification.level == "error"
        if len(self._kept[notice]) < MOST_NOTIFICATIONS:
            self._kept[notice].append(notification)

    def add_of_result(self, group: str, number: int, notification: om.Notification) -> None:
        """Adds one on a result, which counts if there is room for the result: the ``number``-th of its group."""
        if len(self._of_results) < MOST_NOTIFICATIONS:
            self._of_results.append((group, number, notification))

    def invocation(self, is_written: Callable[[str, int], bool], idle: list[om.Notification]) -> om.Invocation:
        """All of it, with what there is to say of the configuration."""
        of_results = [one for group, number, one in self._of_results if is_written(group, number)]
        told = [*chain.from_iterable(self._kept.values()), *of_results]
        left = self._count + len(of_results) - MOST_NOTIFICATIONS
        if left > 0:
            told[MOST_NOTIFICATIONS:] = [_notification(_SHORTENED, f"{left} more notifications are left out.")]
        return om.Invocation(
            execution_successful=not self._failed,
            tool_execution_notifications=told,
            tool_configuration_notifications=idle or None,
        )


def _of_idle_acceptance(one: ReportedIdleAcceptance) -> om.Notification:
    return _notification(_ENDED if one.kind == _ENDED.id else _UNUSED, f"{one.file}, line {one.line}: {one.text}.")


def _notifications(
    report: Report, places: _Places, order: Mapping[str, int], strict: bool
) -> Iterator[tuple[_Notice, om.Notification]]:
    """What kept a part of the run from being complete."""
    yield from ((_CRASHED, _of_crash(crash, order)) for crash in report.crashes)
    for gap in report.gaps:
        yield _UNREAD if gap.whole else _GAP, _of_gap(gap, places, "error" if strict else None)
    for word in report.not_assessed:
        yield _NOT_ASSESSED, _of_not_assessed(word, order, "error" if strict else None)


def _of_gap(gap: ReportedGap, places: _Places, level: str | None) -> om.Notification:
    text = f": '{_clipped(gap.text, MOST_DESCRIPTION)}'" if gap.text else ""
    return _notification(
        _UNREAD if gap.whole else _GAP,
        f"{'Not read' if gap.whole else 'Not understood'}: {gap.reason}{text}.",
        places.location(gap.location),
        level,
    )


def _of_not_assessed(word: ReportedNotAssessed, order: Mapping[str, int], level: str | None) -> om.Notification:
    command = f" Capture with `{word.capture_with}`." if word.capture_with else ""
    subject = "host" if word.subject == "host" else f"{word.subject} of host"
    return _notification(
        _NOT_ASSESSED,
        f"Rule {word.rule} cannot tell of {subject} '{word.host}': {word.reason}.{command}",
        om.Location(logical_locations=[_logical(word.host, "host")]),
        level,
        associated_rule=_reference(word.rule, order),
    )


def _of_crash(crash: ReportedCrash, order: Mapping[str, int]) -> om.Notification:
    kind, message = _exception(crash.error)
    return _notification(
        _CRASHED,
        f"Rule {crash.rule} failed on host '{crash.host}': {kind}{': ' if message else ''}{message}.",
        om.Location(logical_locations=[_logical(crash.host, "host")]),
        associated_rule=_reference(crash.rule, order),
        exception=om.Exception(kind=kind, message=message or None),
    )


def _exception(error: str) -> tuple[str, str]:
    """The type and the words of an exception. Its stack names paths of this machine, so the other reports have it."""
    lines = error.rpartition("Traceback (most recent call last):\n")[2].splitlines()
    first = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), 0)
    kind, _, message = "\n".join(lines[first:]).partition(": ")
    return kind or "Exception", message


def _of_shortened(finding: ReportedFinding, places: _Places) -> Iterator[om.Notification]:
    lost = {
        "places": len(finding.related) - MOST_RELATED,
        "steps": len(_telling(finding)) - MOST_STEPS if finding.path else 0,
    }
    words = [f"{count} {what}" for what, count in lost.items() if count > 0]
    if words:
        text = f"A finding of rule {finding.rule} goes without {' and '.join(words)}."
        yield _notification(_SHORTENED, text, places.location(finding.location))


def _notification(
    notice: _Notice, text: str, location: om.Location | None = None, level: str | None = None, **details: Any
) -> om.Notification:
    return om.Notification(
        descriptor=om.ReportingDescriptorReference(id=notice.id, index=_NOTICES.index(notice)),
        level=level or notice.level,
        message=_message(text),
        locations=[location] if location else None,
        **details,
    )


def _reference(rule: str, order: Mapping[str, int]) -> om.ReportingDescriptorReference:
    return om.ReportingDescriptorReference(id=rule, index=order[rule])


# --- Places ---

Position = tuple[int, int]
"""A line and a column, both from 1."""


class _Page:
    """The text of a document, from which regions are cut. Lines keep the ``\\r`` of their end (section 3.3.2)."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.last = max(1, len(self.lines) - (self.lines[-1] == ""))

    def end(self, line: int) -> Position:
        """The end of a line, before its line break."""
        return line, len(self.lines[line - 1].rstrip("\r")) + 1

    def nearest(self, line: int, column: int) -> Position:
        """A place that exists."""
        return self.end(self.last) if line > self.last else min((line, column), self.end(line))

    def cut(self, start: Position, end: Position) -> str:
        """The text between two places."""
        lines = self.lines[start[0] - 1 : end[0]]
        # The end first: on one line, it is counted from the line's start.
        lines[-1] = lines[-1][: end[1] - 1]
        lines[0] = lines[0][start[1] - 1 :]
        return "\n".join(lines)

    def region(self, start: Position, end: Position) -> om.Region:
        """A region with its text, unless there is too much of it."""
        text = self.cut(start, end)
        snippet = om.ArtifactContent(text=text) if 0 < len(text) <= MOST_SNIPPET else None
        return _region(start, end, snippet)

    def context(self, start: Position, end: Position) -> om.Region | None:
        """Some lines around a region, or some columns where lines are long; None where nothing is around it."""
        around = (max(1, start[0] - CONTEXT_LINES), 1), self.end(min(self.last, end[0] + CONTEXT_LINES))
        beside = (start[0], max(1, start[1] - CONTEXT_COLUMNS)), self.nearest(end[0], end[1] + CONTEXT_COLUMNS)
        for wider in (around, beside):
            # It must be larger than the region (section 3.29.5).
            if wider[0] <= start and end <= wider[1] and wider != (start, end):
                found = self.region(*wider)
                if found.snippet is not None:
                    return found
        return None


def _region(start: Position, end: Position, snippet: om.ArtifactContent | None = None) -> om.Region:
    return om.Region(start_line=start[0], start_column=start[1], end_line=end[0], end_column=end[1], snippet=snippet)


@dataclass(frozen=True)
class _Places:
    """The documents of a report, as a log refers to them. ``pages`` fills as they are looked into."""

    documents: Mapping[str, Document]
    indices: Mapping[str, int]
    pages: dict[str, _Page] = field(default_factory=dict)

    @classmethod
    def of(cls, part: Checked, before: int) -> _Places:
        """The places of a part of the report, with so many documents before its own."""
        names = (document.name for document in _unique(part.report.documents))
        return cls(part.documents, {name: index for index, name in enumerate(names, start=before)})

    def artifact(self, name: str) -> om.ArtifactLocation:
        """A document, by its name and its place among the artifacts. One that could not be read has no such place.

        A name is bytes to the system, and what is not UTF-8 in it came as lone surrogates. Colons are encoded too,
        since what stands before one in the first segment would be a scheme (RFC 3986, section 4.2).
        """
        uri = quote(name.encode("utf-8", "surrogateescape"), safe="/").lstrip("/")
        return om.ArtifactLocation(uri=uri, uri_base_id=ROOT, index=self.indices.get(name, -1))

    def location(
        self,
        place: ReportedLocation | None,
        label: str | None = None,
        step: PathStep | None = None,
        host: str = "",
        *,
        id: int = -1,
        context: bool = False,
    ) -> om.Location:
        """A place with what is to be seen there, and the chain that it is in where a step of a path tells.

        An ``id`` of -1 is none.
        """
        return om.Location(
            id=id,
            message=_message(label) if label else None,
            physical_location=self._physical(place, context) if place else None,
            logical_locations=[_logical(host, "chain", step.table, step.chain)] if step else None,
        )

    def _physical(self, place: ReportedLocation, context: bool) -> om.PhysicalLocation:
        artifact = self.artifact(place.document)
        document = self.documents.get(place.document)
        if document is None:
            region = _region((place.line, place.column), (place.end_line, place.end_column))
            return om.PhysicalLocation(artifact_location=artifact, region=region)
        if document.is_binary:
            # There are no lines in it (section 3.30.1).
            return om.PhysicalLocation(artifact_location=artifact)
        page = self._page(document)
        start, end = page.nearest(place.line, place.column), page.nearest(place.end_line, place.end_column)
        if start >= end:
            # Editors show nothing of an empty region.
            start, end = (start[0], 1), page.end(start[0])
        return om.PhysicalLocation(
            artifact_location=artifact,
            region=page.region(start, end),
            context_region=page.context(start, end) if context else None,
        )

    def _page(self, document: Document) -> _Page:
        if document.name not in self.pages:
            self.pages[document.name] = _Page(document.text)
        return self.pages[document.name]


def _logical(host: str, kind: str, *names: str) -> om.LogicalLocation:
    path = (host, *names)
    return om.LogicalLocation(name=path[-1], fully_qualified_name="/".join(path), kind=kind)


# --- Text ---


def _message(text: str) -> om.Message:
    return om.Message(text=_escaped(_literal(text)))


def _literal(text: str) -> str:
    """Captured text in which nothing steers a terminal, and nothing reads as a link (section 3.11.6)."""
    return visible(text).replace("](", "] (")


def _link_text(text: str) -> str:
    """Text between the brackets of a link."""
    return "".join(f"\\{character}" if character in "[]\\" else character for character in visible(text))


def _escaped(text: str) -> str:
    """Braces enclose the numbers of arguments, so those that are meant stand twice (section 3.11.5)."""
    return text.replace("{", "{{").replace("}", "}}")


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


# --- From objects to JSON ---

# The final schema says "status" of a suppression; the package was made from a draft of it, which said "state".
_RENAMED = {(om.Suppression, "state"): "status"}
# A line of the log begins with what people search it for.
_FIRST = {om.SarifLog: "schema_uri", om.Result: "rule_id", om.ReportingDescriptor: "id"}


class _Member(NamedTuple):
    """A member of a class: its name here and in JSON, and the number that stands for its absence, if one does."""

    name: str
    key: str
    absent: int | None


@functools.cache
def _members(kind: type) -> tuple[_Member, ...]:
    """How an object of a class is written.

    Only what is absent is left out. Values that equal a default are written: a level of "warning" that goes without
    saying is overruled by the level of the result's rule (section 3.27.10).
    """
    fields = sorted(attr.fields(kind), key=lambda found: found.name != _FIRST.get(kind))
    return tuple(
        _Member(
            found.name,
            _RENAMED.get((kind, found.name), found.metadata["schema_property_name"]),
            -1 if found.default == -1 else None,
        )
        for found in fields
    )


def _plain(value: Any) -> Any:
    """What JSON has for a value: objects of sarif-om become dictionaries, in the order of their members."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    kind: type = type(value)
    members = _members(kind)
    state = vars(value)
    if len(state) != len(members):
        # Its classes take any attribute; a misspelt one would be left out in silence.
        known = {member.name for member in members}
        raise AttributeError(f"{kind.__name__} has no {', '.join(sorted(state.keys() - known))}")
    return {
        member.key: _plain(state[member.name])
        for member in members
        if state[member.name] is not None and state[member.name] != member.absent
    }


def _line(value: Any) -> str:
    """A value as JSON in one line. Halves of surrogate pairs, which no UTF-8 can hold, become question marks."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return escaped(text.encode("utf-8", "replace").decode("utf-8"))


def _with_items(value: Any, arrays: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """An object, a line for each member, whose last members are ``arrays``, which come from streams.

    A million objects at once cost more than their results: Python's garbage collector goes through them again and
    again.
    """
    yield "{"
    for name, member in _plain(value).items():
        if name not in arrays:
            yield f"{_line(name)}:{_line(member)},"
    for number, (name, lines) in enumerate(arrays.items(), start=1):
        yield f"{_line(name)}:["
        yield from lines
        yield "]," if number < len(arrays) else "]}"
