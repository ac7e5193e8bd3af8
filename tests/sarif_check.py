"""What no validator sees in a SARIF log: faults that the schema and Microsoft's multitool let pass.

Each check is a generator over one log and says what is wrong, and where. The limits are those of GitHub (SARIF support
for code scanning) and of GitLab (SARIF report format).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

Object = dict[str, Any]


class Log:
    """A log as text and as objects. ``files`` are the bytes of its artifacts by name, where a test has them."""

    def __init__(self, text: str, files: Mapping[str, bytes] | None = None, private: tuple[str, ...] = ()) -> None:
        self.text = text
        self.root: Object = json.loads(text, object_pairs_hook=_no_key_twice)
        self.runs: list[Object] = self.root["runs"]
        self.files = {} if files is None else files
        self.private = private

    @cached_property
    def objects(self) -> list[tuple[str, Object]]:
        """Every object of the log with its place, but for property bags, which may hold anything."""
        return list(_objects(self.root, ""))

    def named(self, key: str) -> Iterator[tuple[str, Any]]:
        """Every value of that key, with its place."""
        for where, found in self.objects:
            if key in found:
                yield f"{where}/{key}", found[key]

    def results(self) -> Iterator[tuple[str, Object, Object]]:
        """Every result: its place, its run and itself."""
        for number, run in enumerate(self.runs):
            for index, result in enumerate(run["results"]):
                yield f"/runs/{number}/results/{index}", run, result

    def notifications(self) -> Iterator[tuple[str, Object, Object]]:
        """Every notification, likewise."""
        for number, run in enumerate(self.runs):
            for invocation in run["invocations"]:
                for index, notification in enumerate(invocation.get("toolExecutionNotifications", ())):
                    yield f"/runs/{number} notification {index}", run, notification

    def page(self, location: Object) -> list[str] | None:
        """The lines of an artifact, each with its line break; None where a test has no bytes of it."""
        content = self.files.get(_name(location["uri"]))
        if content is None:
            return None
        mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
        text = content[len(mark) :].decode(_MARKS.get(mark, "utf-8"), errors="replace")
        return re.findall(r"[^\n]*\n|[^\n]+", text) or [""]


_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def _no_key_twice(pairs: list[tuple[str, Any]]) -> Object:
    twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    assert not twice, f"keys stand twice: {twice}"
    return dict(pairs)


def _objects(value: Any, where: str) -> Iterator[tuple[str, Object]]:
    if isinstance(value, dict):
        yield where, value
        for key, member in value.items():
            if key != "properties":
                yield from _objects(member, f"{where}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, f"{where}/{index}")


def _name(uri: str) -> str:
    return unquote_to_bytes(uri).decode("utf-8", "surrogateescape")


def _rules(run: Object) -> list[Object]:
    rules: list[Object] = run["tool"]["driver"]["rules"]
    return rules


def _rule(run: Object, result: Object) -> Object:
    """The rule of a result, by its index; without one, a rule that fits nothing."""
    index = result.get("ruleIndex", -1)
    none: Object = {"id": "", "name": "", "defaultConfiguration": {"level": "", "rank": -1}}
    return _rules(run)[index] if 0 <= index < len(_rules(run)) else none


def _places(result: Object) -> list[Object]:
    """Every location of a result."""
    return [found for _, found in _objects(result, "") if "physicalLocation" in found]


@dataclass(frozen=True)
class Fault:
    """What a check has to say."""

    check: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.what}"


Check = Callable[[Log], Iterator[tuple[str, str]]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Enters a check into the list of all, by its name."""
    CHECKS[function.__name__] = function
    return function


def faults(text: str, files: Mapping[str, bytes] | None = None, private: tuple[str, ...] = ()) -> list[Fault]:
    """All that is wrong with a log. ``private`` are words that may stand nowhere in it."""
    log = Log(text, files, private)
    return [Fault(name, where, what) for name, found in CHECKS.items() for where, what in found(log)]


# --- References ---


@check
def rule_of_a_result(log: Log) -> Iterator[tuple[str, str]]:
    for where, run, result in log.results():
        if _rule(run, result)["id"] != result["ruleId"]:
            yield where, f"rule {result.get('ruleIndex')} is not {result['ruleId']}"


@check
def unique_rules(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        for of in ("rules", "notifications"):
            ids = Counter(rule["id"] for rule in run["tool"]["driver"][of])
            yield from (("tool", f"{count} {of} are called {id}") for id, count in ids.items() if count > 1)


@check
def descriptor_of_a_notification(log: Log) -> Iterator[tuple[str, str]]:
    for where, run, notification in log.notifications():
        for key, of in (("descriptor", "notifications"), ("associatedRule", "rules")):
            reference = notification.get(key)
            if reference is None and key == "associatedRule":
                continue
            known = [(number, found["id"]) for number, found in enumerate(run["tool"]["driver"][of])]
            if reference is None or (reference.get("index"), reference.get("id")) not in known:
                yield where, f"{key} {reference} is not declared"
        # Of these there need be no place: a path that is none, and the log itself.
        if not notification.get("locations") and notification["descriptor"]["id"] not in _WITHOUT_PLACE:
            yield where, "no location"


_WITHOUT_PLACE = ("path-not-read", "log-shortened")


@check
def artifact_of_a_location(log: Log) -> Iterator[tuple[str, str]]:
    for number, run in enumerate(log.runs):
        artifacts = [artifact["location"]["uri"] for artifact in run["artifacts"]]
        for where, found in _objects(run, f"/runs/{number}"):
            if "uri" not in found or "uriBaseId" not in found:
                continue
            index = found.get("index")
            if found["uriBaseId"] not in run.get("originalUriBaseIds", {}):
                yield where, f"{found['uriBaseId']} is not declared"
            if index is None and found["uri"] in artifacts:
                yield where, "no index, though it is an artifact"
            if index is not None and artifacts[index : index + 1] != [found["uri"]]:
                yield where, f"artifact {index} is not {found['uri']}"


@check
def message_by_its_id(log: Log) -> Iterator[tuple[str, str]]:
    for where, run, result in log.results():
        message = result["message"]
        strings = _rule(run, result).get("messageStrings", {})
        if message.get("id") not in strings:
            yield where, f"no message has the id {message.get('id')}"
            continue
        try:
            text = strings[message["id"]]["text"].format(*message.get("arguments", ()))
        except IndexError:
            yield where, "too few arguments"
            continue
        # The text is final, but braces in it are still to be read as placeholders.
        if text != message["text"].format():
            yield where, f"its text is not what its arguments give: {text}"


@check
def links_of_a_message(log: Log) -> Iterator[tuple[str, str]]:
    for where, _, result in log.results():
        related = result.get("relatedLocations", [])
        ids = Counter(place["id"] for place in _places(result) if "id" in place)
        yield from ((where, f"{count} locations have the id {id}") for id, count in ids.items() if count > 1)
        text = result["message"]["text"]
        links = re.findall(r"\[(?:\\.|[^\]\\])*\]\(([^)]*)\)", text)
        yield from ((where, f"no location for the link to {link}") for link in links if not _is_id(link, ids))
        if related and not links:
            yield where, "GitHub shows no related location, since the message links to none"
        if len(links) < len(related) and len(text) < 1_000:
            yield where, "GitHub does not show related locations without a link, and there is room for one"
        if re.search(r"\]\(", re.split(r"\. (?=[A-Z])", text)[0]):
            yield where, "the first sentence, which is the title, has a link"


def _is_id(link: str, ids: Mapping[int, int]) -> bool:
    return link.isdigit() and int(link) in ids


# --- Texts ---


@check
def lengths_of_texts(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        driver = run["tool"]["driver"]
        for rule in [*driver["rules"], *driver["notifications"]]:
            texts = {
                "name": (rule.get("name", ""), 255),
                "shortDescription": (rule["shortDescription"]["text"], 1024),
                "fullDescription": (rule["fullDescription"]["text"], 1024),
                "helpUri": (rule.get("helpUri", "-"), 2048),
                "help": (rule["help"]["text"], 100_000),
            }
            for key, (text, most) in texts.items():
                if not 0 < len(text) <= most:
                    yield rule["id"], f"{key} has {len(text)} characters"
    for where, _, result in log.results():
        if not 0 < len(result["message"]["text"]) <= 2048:
            yield where, "GitLab drops results with such long messages"


@check
def texts_that_are_read_by_people(log: Log) -> Iterator[tuple[str, str]]:
    for where, message in log.named("message"):
        # The message of an exception is text and not an object.
        text = message["text"] if isinstance(message, dict) else "A"
        if re.match(r"/|\\|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]*://", text):
            yield where, f"begins with an absolute path or address: {text[:60]}"
        if re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text):
            yield where, f"holds characters that steer a terminal: {text[:60]!r}"
        try:
            text.format(*[""] * 10)
        except (ValueError, LookupError):
            yield where, f"holds a brace that is not doubled: {text[:60]}"
    for where, run, result in log.results():
        if not result["message"]["text"].endswith("."):
            yield where, "the message is no sentence"
        if _rule(run, result)["name"] == result["ruleId"]:
            yield where, "the rule's name is its id"


# --- Severity ---


@check
def severity_of_a_rule(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        for rule in _rules(run):
            bag = rule["properties"]
            score = bag.get("security-severity")
            if not isinstance(score, str) or not re.fullmatch(r"\d+\.\d", score) or not 0 < float(score) <= 10:
                yield rule["id"], f"GitHub refuses the log for the security severity {score!r}"
                continue
            configuration = rule["defaultConfiguration"]
            if configuration["rank"] != 10 * float(score):
                yield rule["id"], "GitLab believes the rank, which is not ten times the security severity"
            if not isinstance(configuration.get("level"), str):
                yield rule["id"], "no level"
            problem = {"error": "error", "warning": "warning", "note": "recommendation"}[configuration["level"]]
            if bag.get("problem.severity") != problem:
                yield rule["id"], f"the level is {configuration['level']}, the problem's {bag.get('problem.severity')}"
            if bag.get("precision") not in ("very-high", "high", "medium", "low"):
                yield rule["id"], f"precision {bag.get('precision')}"


@check
def severity_of_a_result(log: Log) -> Iterator[tuple[str, str]]:
    for where, run, result in log.results():
        default = _rule(run, result)["defaultConfiguration"]
        if (result.get("level"), result.get("rank")) != (default["level"], default["rank"]):
            yield where, "level and rank are not those of the rule, and GitHub has one severity per rule"
        if result.get("kind") != "fail":
            yield where, "GitHub makes an alert of it, whatever its kind"


# CWEs by which GitLab takes a finding for a leaked secret.
_SECRETS = {"319", "312", "522", "798", "259", "321", "256", "257", "540"}


@check
def tags(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        for rule in _rules(run):
            found = rule["properties"].get("tags", [])
            if len(found) > 10 or len(set(found)) != len(found) or "security" not in found:
                yield rule["id"], f"tags {found}"
            if any(tag.rpartition("cwe-")[2] in _SECRETS for tag in found if "cwe-" in tag):
                yield rule["id"], "GitLab takes it for a leaked secret"


@check
def taxa_of_a_rule(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        declared = {taxonomy["guid"]: taxonomy for taxonomy in run.get("taxonomies", [])}
        supported = run["tool"]["driver"].get("supportedTaxonomies", [])
        if [reference["guid"] for reference in supported] != list(declared):
            yield "tool", "the taxonomies that it supports are not those of the run"
        for rule in _rules(run):
            targets = [relationship["target"] for relationship in rule.get("relationships", [])]
            yield from ((rule["id"], f"no taxon is {target}") for target in targets if not _is_taxon(target, declared))
            weaknesses = {int(target["id"]) for target in targets if target["toolComponent"]["name"] == "CWE"}
            tagged = {int(tag.rpartition("-")[2]) for tag in rule["properties"].get("tags", []) if "/cwe-" in tag}
            if weaknesses != tagged:
                yield rule["id"], f"related to the weaknesses {weaknesses}, tagged with {tagged}"


def _is_taxon(target: Object, taxonomies: Mapping[str, Object]) -> bool:
    component = target["toolComponent"]
    taxonomy = taxonomies.get(component.get("guid"))
    return (
        taxonomy is not None
        and taxonomy["name"] == component["name"]
        # In a reference to a component, an index is one among the tool's extensions.
        and "index" not in component
        and (target["index"], target["id"]) in [(index, taxon["id"]) for index, taxon in enumerate(taxonomy["taxa"])]
    )


# --- Identity ---


@check
def fingerprints(log: Log) -> Iterator[tuple[str, str]]:
    seen: Counter[tuple[str, str, str]] = Counter()
    for where, _, result in log.results():
        prints = result.get("partialFingerprints", {})
        full, short = prints.get("icclintFinding/v1", ""), prints.get("primaryLocationLineHash", "")
        alert = hashlib.sha256(f"{result['properties']['host']}\0{full}".encode()).hexdigest()
        if not re.fullmatch(r"[0-9a-f]{64}:[1-9]\d*", full) or short != f"{alert[:16]}:{full.rpartition(':')[2]}":
            yield where, f"fingerprints {prints}"
        seen[result["ruleId"], result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], short] += 1
    yield from (("results", f"{count} are one alert: {key}") for key, count in seen.items() if count > 1)


@check
def suppressions(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        if len({"suppressions" in result for result in run["results"]}) > 1:
            yield "results", "suppressions on some of them only (section 3.27.23)"


@check
def categories(log: Log) -> Iterator[tuple[str, str]]:
    if len(log.runs) > 20:
        yield "runs", "GitHub refuses more than 20"
    ids = [run["automationDetails"]["id"] for run in log.runs if "automationDetails" in run]
    yield from (("runs", f"no category, since no slash ends it: {id}") for id in ids if not id.endswith("/"))
    found = Counter(run.get("automationDetails", {}).get("id", "").rpartition("/")[0] for run in log.runs)
    yield from (("runs", f"{count} with the category {id!r}") for id, count in found.items() if count > 1)


# --- Places ---


@check
def addresses(log: Log) -> Iterator[tuple[str, str]]:
    for where, location in log.objects:
        uri = location.get("uri")
        if uri is None:
            continue
        if not re.fullmatch(r"(?:[A-Za-z0-9._~!$&'()*+,;=@/-]|%[0-9A-F]{2})+", uri):
            yield where, f"not a relative reference, or not encoded: {uri}"
        if uri.startswith("/") or {"..", ".", ""} & set(uri.split("/")):
            yield where, f"does not lead straight down from the root: {uri}"


@check
def regions(log: Log) -> Iterator[tuple[str, str]]:
    for where, place in log.named("physicalLocation"):
        region, wider = place.get("region"), place.get("contextRegion")
        page = log.page(place["artifactLocation"])
        for name, found in (("region", region), ("contextRegion", wider)):
            if found is not None:
                yield from ((f"{where}/{name}", what) for what in _region_faults(found, page))
        if region is None:
            binary = page is not None and any("\0" in line for line in page)
            yield from () if binary else iter([(where, "no region")])
        elif wider is not None and _is_whole(wider) and _is_whole(region):
            (start, end), (first, last) = _ends(region), _ends(wider)
            if not (first <= start and end <= last and (first, last) != (start, end)):
                yield where, "the context is not larger than the region"


_NUMBERS = ("startLine", "startColumn", "endLine", "endColumn")


def _is_whole(region: Object) -> bool:
    return all(region.get(key, 0) > 0 for key in _NUMBERS)


def _ends(region: Object) -> tuple[tuple[int, int], tuple[int, int]]:
    line, column, end_line, end_column = (region[key] for key in _NUMBERS)
    return (line, column), (end_line, end_column)


def _region_faults(region: Object, page: list[str] | None) -> Iterator[str]:
    if not _is_whole(region):
        yield "not all of line, column, end line and end column"
        return
    start, end = _ends(region)
    if start > end:
        yield "ends before it starts"
        return
    if page is None:
        return
    if end[0] > len(page) or any(column > len(page[line - 1].rstrip("\r\n")) + 1 for line, column in (start, end)):
        yield f"{start} to {end} is not within the file"
        return
    before = sum(map(len, page[: start[0] - 1])) + start[1] - 1
    after = sum(map(len, page[: end[0] - 1])) + end[1] - 1
    text = "".join(page)[before:after]
    snippet = region.get("snippet", {}).get("text")
    if snippet is not None and snippet != text:
        yield f"the snippet is {snippet[:60]!r}, the file has {text[:60]!r}"
    if snippet is None and 0 < len(text) <= 2000:
        yield "no snippet"


@check
def artifacts(log: Log) -> Iterator[tuple[str, str]]:
    for run in log.runs:
        for artifact in run["artifacts"]:
            uri = artifact["location"]["uri"]
            digest = artifact.get("hashes", {}).get("sha-256", "")
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                yield uri, f"hash {digest!r}"
            content = log.files.get(_name(uri))
            if content is not None and (len(content), hashlib.sha256(content).hexdigest()) != (
                artifact.get("length"),
                digest,
            ):
                yield uri, "length or hash is not that of the file"


@check
def code_flows(log: Log) -> Iterator[tuple[str, str]]:
    for where, _, result in log.results():
        for flow in result.get("codeFlows", []):
            for thread in flow["threadFlows"]:
                yield from ((where, what) for what in _flow_faults(thread["locations"]))
                places = [step.get("location", {}).get("physicalLocation", {}) for step in thread["locations"]]
                regions = [(place.get("artifactLocation"), place.get("region")) for place in places]
                primary = result["locations"][0]["physicalLocation"]
                deciding = (primary["artifactLocation"], primary.get("region"))
                if deciding in regions and regions[-1] != deciding:
                    yield where, "goes on after the rule that decided"


def _flow_faults(steps: list[Object]) -> Iterator[str]:
    if len(steps) > 50:
        yield f"{len(steps)} steps"
    if any("index" in step for step in steps):
        yield "GitHub shows no result with steps by index"
    if not all(step.get("location", {}).get("message", {}).get("text", "").endswith(".") for step in steps):
        yield "a step that says nothing by itself"
    if [step.get("importance") == "essential" for step in steps] != [False] * (len(steps) - 1) + [True]:
        yield "not the last step, and only that, is essential"
    order = [step.get("executionOrder", -1) for step in steps]
    if order != sorted(set(order)) or order[0] < 1:
        yield f"order {order}"
    if not all(step.get("nestingLevel", -1) >= 0 for step in steps):
        yield "a step without its depth"


@check
def logical_locations(log: Log) -> Iterator[tuple[str, str]]:
    for where, found in log.named("logicalLocations"):
        for place in found:
            if not f"/{place['fullyQualifiedName']}".endswith(f"/{place['name']}"):
                yield where, f"{place['name']} is not the end of {place['fullyQualifiedName']}"


# --- The run ---


@check
def success(log: Log) -> Iterator[tuple[str, str]]:
    for number, run in enumerate(log.runs):
        for invocation in run["invocations"]:
            found = invocation.get("toolExecutionNotifications", [])
            errors = any(notification["level"] == "error" for notification in found)
            if invocation["executionSuccessful"] is errors:
                yield f"/runs/{number}", "an error says that the run failed, and nothing else does (section 3.20.21)"


# What differs from run to run, by the standard's appendix on deterministic logs.
_VARYING = {
    "guid", "correlationGuid", "baselineGuid", "machine", "account", "processId", "commandLine", "arguments",
    "workingDirectory", "environmentVariables", "threadId", "exitCode", "startTimeUtc", "endTimeUtc", "timeUtc",
}  # fmt: skip


@check
def determinism(log: Log) -> Iterator[tuple[str, str]]:
    for where, found in log.objects:
        varying = found.keys() & _VARYING
        # Arguments of messages are words; those of invocations are of the machine.
        if "id" in found:
            varying -= {"arguments"}
        # That of a taxonomy is its name once more.
        if re.search(r"/(taxonomies|supportedTaxonomies)/\d+$|/toolComponent$", where):
            varying -= {"guid"}
        yield from ((where, f"{key} differs from run to run") for key in varying)
    for number, run in enumerate(log.runs):
        for name, base in run.get("originalUriBaseIds", {}).items():
            if "uri" in base:
                yield f"/runs/{number}", f"{name} tells where this machine keeps files"
        if run.get("columnKind") != "unicodeCodePoints":
            yield f"/runs/{number}", "columns are code points"
    yield from (("text", f"holds {word}") for word in log.private if word in log.text)


_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


@check
def formats(log: Log) -> Iterator[tuple[str, str]]:
    for where, found in log.objects:
        for key, value in found.items():
            if key.endswith(("Guid", "guid")) and not _GUID.fullmatch(value):
                yield where, f"OASIS' schema has no such GUID: {value}"
            if key.endswith("Utc") and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
                yield where, f"not in UTC: {value}"


@check
def sizes(log: Log) -> Iterator[tuple[str, str]]:
    for number, run in enumerate(log.runs):
        if len(run["results"]) > 25_000 or len(_rules(run)) > 25_000:
            yield f"/runs/{number}", "GitHub refuses more than 25,000 results or rules"
    for where, _, result in log.results():
        if len(result["locations"]) != 1 or len(_places(result)) > 1000:
            yield where, "not one location, or more than 1,000 places"
    if len(gzip.compress(log.text.encode(), mtime=0)) > 10_000_000:
        yield "text", "GitHub refuses more than 10 MB of gzip"


@check
def lines(log: Log) -> Iterator[tuple[str, str]]:
    found = log.text.splitlines() if log.text.isascii() else log.text.split("\n")
    starts = [line for line in found if line.startswith('{"ruleId":')]
    count = sum(len(run["results"]) for run in log.runs)
    if len(starts) != count:
        yield "text", f"{len(starts)} lines begin with a result, and there are {count}"
    if not log.text.endswith("}\n"):
        yield "text", "does not end with a line break"
