"""Objects of sarif-om as lines of JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import attr
import sarif_om as om

from icclint.output.visible import escaped

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
def members_of(kind: type) -> tuple[_Member, ...]:
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


def plain(value: Any) -> Any:
    """What JSON has for a value: objects of sarif-om become dictionaries, in the order of their members."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    kind: type = type(value)
    members = members_of(kind)
    state = vars(value)
    if len(state) != len(members):
        # Its classes take any attribute; a misspelt one would be left out in silence.
        known = {member.name for member in members}
        raise AttributeError(f"{kind.__name__} has no {', '.join(sorted(state.keys() - known))}")
    return {
        member.key: plain(state[member.name])
        for member in members
        if state[member.name] is not None and state[member.name] != member.absent
    }


def line_of(value: Any) -> str:
    """A value as JSON in one line. Halves of surrogate pairs, which no UTF-8 can hold, become question marks."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return escaped(text.encode("utf-8", "replace").decode("utf-8"))


def with_items(value: Any, arrays: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """An object, a line for each member, whose last members are ``arrays``, which come from streams.

    A million objects at once cost more than their results: Python's garbage collector goes through them again and
    again.
    """
    yield "{"
    for name, member in plain(value).items():
        if name not in arrays:
            yield f"{line_of(name)}:{line_of(member)},"
    for number, (name, lines) in enumerate(arrays.items(), start=1):
        yield f"{line_of(name)}:["
        yield from lines
        yield "]," if number < len(arrays) else "]}"
