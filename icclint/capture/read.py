"""The captures at some places: which documents there are, and which host each belongs to.

Evidence is only read, archives are not unpacked to disk, and links are not followed, since a capture may come from
anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icclint.capture.archive import READ_ERRORS, why
from icclint.capture.layout import (
    BUNDLE,
    MANIFEST,
    MOST_BY_HAND,
    Layout,
    belongs,
    is_named_like_an_archive,
    layout_of,
    named_hosts,
    why_not,
)
from icclint.capture.limits import Limits
from icclint.capture.manifest import verify
from icclint.capture.places import Place, find_places
from icclint.capture.reader import Reader
from icclint.capture.states import SEVERAL_STATES, State, read_states
from icclint.capture.tree import Entry, Folder
from icclint.parse.kind import Kind
from icclint.source import Document, Gap, Span


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file that was looked at and is no document of the host, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Capture:
    """All documents of one host at one time, each with its kind, and what could not be read.

    ``layout`` is what laid the files out; empty where a person did. A file that lies beside several hosts is passed
    over with the first of them.
    """

    host: str
    documents: tuple[tuple[Document, Kind], ...]
    gaps: tuple[Gap, ...]
    layout: str = ""
    passed_over: tuple[PassedOver, ...] = ()


class MissingInputError(Exception):
    """A path that does not exist or cannot be read, or a folder that holds no document."""


def read_captures(
    paths: Iterable[str], root: Path, limits: Limits | None = None
) -> tuple[tuple[Capture, ...], tuple[MissingInputError, ...]]:
    """The captures at some paths, by the names of their hosts, and the paths at which there is none.

    A folder is one host with everything beneath it, if a document that icclint knows lies directly in it, or a tool
    laid it out; otherwise each of its folders is looked at in the same way. An archive is a folder. Loose files and
    ``-`` (standard input) are one host together. Each of the `places` there may cost what ``limits`` allow.
    """
    limits = limits or Limits()
    captures: dict[str, Capture] = {}
    errors: list[MissingInputError] = []
    for place in find_places(paths, root, limits):
        found, missing = read_place(place, limits)
        captures |= {capture.host: capture for capture in found}
        errors += missing
    return tuple(captures[host] for host in sorted(captures)), tuple(errors)


def read_place(place: Place, limits: Limits) -> tuple[tuple[Capture, ...], tuple[MissingInputError, ...]]:
    """The captures at a place, by the names of their hosts, and what of it gave none."""
    errors: list[MissingInputError] = []
    captures: list[Capture] = []
    loose: list[Entry] = []
    for source in place.sources:
        reader = Reader(source.name, limits)
        try:
            (reader.read if source.is_asked else reader.read_inner)(source.path)
            if not reader.top.count and not reader.loose:
                raise OSError(None, "there is no file in it")
        except READ_ERRORS as error:
            errors.append(MissingInputError(f"{source.path}: {why(error)}"))
        loose += reader.loose
        if reader.top.count:
            hosts = list(_hosts(reader.top, place))
            captures += (part for host in hosts for part in _by_state(_capture(host)))
            errors += (_missing(entry) for host in hosts for entry in host.beside if entry.is_unreadable)
    if loose:
        captures += _by_state(_by_hand(place.host, loose))
    return tuple(sorted(captures, key=lambda capture: capture.host)), tuple(errors)


@dataclass(frozen=True, slots=True)
class _Host:
    """A folder that is a host: ``troubles`` concern a folder or an archive that it lies in, ``beside`` lies there too
    and belongs to no host.
    """

    name: str
    folder: Folder
    layout: Layout | None
    troubles: tuple[Entry, ...]
    beside: tuple[Entry, ...]


def _hosts(top: Folder, place: Place) -> Iterator[_Host]:
    """The hosts in a folder."""
    is_bundle = (place.is_among_many or top.count > MOST_BY_HAND) and top.is_telling
    beside = list(place.beside)
    pending: list[tuple[Folder, str, tuple[Entry, ...]]] = [(top, place.host, ())]
    while pending:
        folder, name, above = pending.pop()
        layout = layout_of(folder)
        inner = [child for _, child in sorted(folder.folders.items())]
        below = [child for child in inner if child.is_telling or not is_bundle]
        silent = [child for child in inner if is_bundle and not child.is_telling]
        known = {name: entry for name, entry in folder.files.items() if entry.is_known}
        # Notes beside the folders of hosts may well show a command and its output.
        notes = {name: entry for name, entry in known.items() if entry.kind in SEVERAL_STATES}
        if layout is not None or len(notes) < len(known):
            below = named_hosts(folder)
            yield _Host(name, _without(folder, below), layout, above, tuple(beside))
            beside.clear()
        elif below:
            if notes:
                yield _Host(name, replace(folder, files=notes, folders={}), None, above, ())
            beside += (entry for file, entry in sorted(folder.files.items()) if file not in notes)
            beside += (entry for child in silent for entry in _files(child))
        else:
            # There is nothing that icclint knows. A person means it to be read even so.
            yield _Host(name, folder, None, above, tuple(beside))
            beside.clear()
        # tar packs a folder and not what lies in it, so an archive of one host has one folder.
        is_wrapped = len(below) == 1 and not folder.files and is_named_like_an_archive(name)
        above = (*above, *folder.troubles)
        pending += [(child, name if is_wrapped else child.name, above) for child in reversed(below)]


def _without(folder: Folder, others: list[Folder]) -> Folder:
    """A host's folder without the hosts that have folders of their own in it."""
    if not others:
        return folder
    apart = set(others)
    groups = {
        name: replace(group, folders={n: below for n, below in group.folders.items() if below not in apart})
        for name, group in folder.folders.items()
    }
    return replace(folder, folders=groups)


def _files(folder: Folder) -> Iterator[Entry]:
    return (entry for below in folder.beneath() for _, entry in sorted(below.files.items()))


def _missing(entry: Entry) -> MissingInputError:
    return MissingInputError(f"{entry.name}: {entry.reason}")


def _capture(host: _Host) -> Capture:
    entries = list(_files(host.folder))
    troubles = [trouble for folder in host.folder.beneath() for trouble in folder.troubles]
    layout = host.layout
    if layout is None and len(entries) > MOST_BY_HAND:
        layout = BUNDLE
    if layout is None:
        capture = _by_hand(host.name, [*entries, *troubles, *host.troubles])
    else:
        capture = _bundle(host, layout, [*entries, *troubles])
    beside = (PassedOver(entry.name, "belongs to none of the hosts beside it") for entry in host.beside)
    return replace(capture, passed_over=(*capture.passed_over, *beside))


def _by_hand(host: str, entries: Iterable[Entry]) -> Capture:
    """What a person put together is meant to be read, all of it."""
    entries = list(entries)
    documents = [Document(entry.name, entry.content) for entry in entries if entry.content is not None]
    kinds = [entry.kind or Kind.UNKNOWN for entry in entries if entry.content is not None]
    gaps = [_gap(entry) for entry in entries if entry.content is None]
    return Capture(host, tuple(zip(documents, kinds, strict=True)), tuple(gaps))


def _bundle(host: _Host, layout: Layout, entries: list[Entry]) -> Capture:
    """Of a tool's bundle the few outputs that tell of the host's network are read."""
    chosen, passed_over = [], []
    for entry in entries:
        path = entry.name.removeprefix(host.folder.name).strip("/").split("/")
        reason = layout.set_aside(path) if path != [""] else ""
        if not reason and not belongs(entry):
            reason = entry.reason or why_not(entry)
        if reason:
            passed_over.append(PassedOver(entry.name, reason))
        else:
            chosen.append(entry)
    capture = _by_hand(host.name, [*chosen, *host.troubles])
    gaps = (*capture.gaps, *_mismatches(host.folder, entries))
    return replace(capture, gaps=gaps, layout=layout.name, passed_over=tuple(passed_over))


def _mismatches(folder: Folder, entries: Iterable[Entry]) -> Iterator[Gap]:
    """What is not as the bundle's own manifest says."""
    manifest = folder.files.get(MANIFEST)
    if manifest is None or manifest.kind is not Kind.MANIFEST or manifest.content is None:
        return
    others = {
        entry.name.removeprefix(folder.name).strip("/"): Document(entry.name, entry.content)
        for entry in entries
        if entry is not manifest and entry.content is not None
    }
    yield from verify(Document(manifest.name, manifest.content), others)


def _by_state(capture: Capture) -> Iterator[Capture]:
    """A capture with its transcripts, and the diffs of its dumps, gone through.

    A transcript of one state of one host is read with the other documents. One that shows several is captures of its
    own: of the other documents nobody can tell to which of its states they belong.
    """
    plain = [(document, kind) for document, kind in capture.documents if kind not in SEVERAL_STATES]
    told = [read_states(document, kind) for document, kind in capture.documents if kind in SEVERAL_STATES]
    names = {state.host for states in told for state in states if state.host}
    if len(names) < 2:
        alone = [states[0] for states in told if len(states) == 1]
        told = [states for states in told if len(states) > 1]
    else:
        alone = []
    if plain or alone or capture.gaps or not told:
        pieces = [piece for state in alone for piece in state.pieces]
        gaps = [gap for state in alone for gap in state.gaps]
        yield replace(capture, documents=(*plain, *pieces), gaps=(*capture.gaps, *gaps))
    for states in told:
        yield from (Capture(_title(states, state), state.pieces, state.gaps) for state in states)


def _title(states: Sequence[State], state: State) -> str:
    """What a state of a transcript is called: its host, where there are several, and its place in time."""
    of_host = [other for other in states if other.host == state.host]
    number, last = of_host.index(state) + 1, len(of_host)
    when = f"state {number:0{len(str(last))}} of {last}" if last > 1 else ""
    host = state.host if len(of_host) < len(states) or not when else ""
    words = ", ".join(word for word in (host, when) if word)
    name = state.pieces[0][0].name
    return f"{name} ({words})" if words else name


def _gap(entry: Entry) -> Gap:
    return Gap(Span(entry.name, 1, 1, 1, 1), entry.name, entry.reason, whole=True)
