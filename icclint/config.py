"""The configuration: which rules are asked, what fails a run, and which findings are accepted.

It is read from the working directory or from where the command line says, never from a capture, which may come from
anybody. Its JSON Schema is docs/config.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from icclint.nearest import did_you_mean
from icclint.rule import Profile, Rule
from icclint.toml import Key, TomlError, Values, line_of, parse_toml, value_at

OWN_FILE = "icclint.toml"
SHARED_FILE = "pyproject.toml"
SHARED_TABLE = ("tool", "icclint")


class _Table(BaseModel):
    # Strict, since a date that is a text, or a reason that is a number, is a slip.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Acceptance(_Table):
    """A finding that somebody has decided to live with."""

    rule: Annotated[str, Field(description="The rule's name; a glob, as the other two are.")]
    subject: Annotated[str, Field(description="What the finding is about, as -o json has it.")]
    host: Annotated[str, Field(description="The host's name.")] = "*"
    reason: Annotated[str, Field(pattern=r"\S", description="Why it is accepted.")]
    until: Annotated[date | None, Field(description="The last day on which it is.")] = None

    def is_for(self, rule: str, host: str) -> bool:
        """Whether findings of a rule on a host are meant."""
        return fnmatchcase(rule, self.rule) and fnmatchcase(host, self.host)

    def covers(self, rule: str, subject: str, host: str) -> bool:
        """Whether a finding is meant."""
        return self.is_for(rule, host) and fnmatchcase(subject, self.subject)


class Configuration(_Table):
    """All that can be configured."""

    rules: Annotated[
        tuple[str, ...],
        Strict(False),
        Field(min_length=1, description='"default", "audit" or names of rules, and "-NAME" for one to leave out.'),
    ] = ("default",)
    fail_on: Annotated[
        Literal["high", "medium", "low", "note", "never"],
        Field(alias="fail-on", description="The least severity that makes the exit code 1."),
    ] = "medium"
    accept: Annotated[
        tuple[Acceptance, ...], Strict(False), Field(description="Findings that do not count for the exit code.")
    ] = ()


class ConfigurationError(Exception):
    """A configuration that cannot be used. Each line of the text names the file, and the line in it where it can."""


@dataclass(frozen=True)
class ConfigurationFile:
    """A configuration and the file that it was read from. ``table`` is where in the file it stands."""

    path: Path
    content: bytes
    table: tuple[str, ...]
    values: Configuration

    def line(self, *path: Key) -> int:
        """The line at which a value begins."""
        return line_of(self.content, (*self.table, *path))


def find_configuration(folder: Path) -> ConfigurationFile | None:
    """The configuration in a folder: icclint.toml, else the table tool.icclint of pyproject.toml, else none.

    Raises `ConfigurationError`.
    """
    own, shared = folder / OWN_FILE, folder / SHARED_FILE
    if own.is_file():
        return read_configuration(own)
    if shared.is_file() and value_at(_values(shared, _content(shared)), SHARED_TABLE) is not None:
        return read_configuration(shared)
    return None


def configurations_in(folder: Path) -> list[str]:
    """The files in a folder that look like a configuration, without reading what is in them as one."""
    own, shared = folder / OWN_FILE, folder / SHARED_FILE
    if own.is_file():
        return [OWN_FILE]
    return [SHARED_FILE] if shared.is_file() and ".".join(SHARED_TABLE).encode() in _content(shared) else []


def read_configuration(path: Path) -> ConfigurationFile:
    """The configuration in a file. Raises `ConfigurationError`."""
    content = _content(path)
    table = SHARED_TABLE if path.name == SHARED_FILE else ()
    values = value_at(_values(path, content), table)
    if values is None:
        raise ConfigurationError(f"{path}: there is no table {'.'.join(table)} in it")
    try:
        return ConfigurationFile(path, content, table, Configuration.model_validate(values))
    except ValidationError as error:
        lines = [f"{path}:{line_of(content, (*table, *one['loc']))}: {_in_words(one)}" for one in error.errors()]
        raise ConfigurationError("\n".join(lines)) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None


def _values(path: Path, content: bytes) -> Values:
    try:
        return parse_toml(content)
    except TomlError as error:
        raise ConfigurationError(f"{path}:{error.line}: {error}") from None


_WORDS: Mapping[str, str] = {
    "date_type": "is no date; one is written 2027-01-31, without quotes",
    "missing": "is missing",
    "string_pattern_mismatch": "is empty",
    "string_type": "is no text",
    "too_short": "is empty",
    "tuple_type": "is no list",
}
"""What is wrong with a value, by pydantic's word for it."""


def _in_words(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, and what was perhaps meant."""
    path = ".".join(str(part) for part in error["loc"] if isinstance(part, str))
    if error["type"] == "extra_forbidden":
        table = Configuration if len(error["loc"]) == 1 else Acceptance
        known = (field.alias or name for name, field in table.model_fields.items())
        return f"there is no key {path}{did_you_mean(error['loc'][-1], known)}"
    if error["type"] == "literal_error":
        return f"{path} must be {error['ctx']['expected']}"
    return f"{path} {_WORDS.get(error['type']) or 'is wrong: ' + error['msg']}"


class UnknownRuleError(LookupError):
    """A name that no rule has. ``position`` is that of the word among those given."""

    def __init__(self, name: str, known: Iterable[str], position: int) -> None:
        super().__init__(f"no rule has the name {name!r}{did_you_mean(name, known)}")
        self.position = position


def chosen_rules(words: Sequence[str], rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that some words ask for, in the order of the registry.

    A word is a profile, a rule's name, or ``-NAME`` for one to leave out; where nothing else is said, that is one of
    the default profile. Raises `UnknownRuleError`.
    """
    names = {rule.id for rule in rules}
    profiles = {profile.value for profile in Profile}
    for position, word in enumerate(words):
        if word not in profiles and word.removeprefix("-") not in names:
            raise UnknownRuleError(word.removeprefix("-"), names | profiles, position)
    asked = [word for word in words if not word.startswith("-")] or [Profile.DEFAULT.value]
    left_out = {word.removeprefix("-") for word in words if word.startswith("-")}
    return tuple(rule for rule in rules if rule.id not in left_out and any(_asks(word, rule) for word in asked))


def _asks(word: str, rule: Rule) -> bool:
    return word in (rule.id, rule.profile.value, Profile.AUDIT.value)


def refuse_unknown_rules(file: ConfigurationFile, rules: Sequence[Rule]) -> None:
    """Raises `ConfigurationError` where a configuration names a rule that there is not."""
    wrong = "\n".join(f"{file.path}:{line}: {reason}" for line, reason in _unknown_rules(file, rules))
    if wrong:
        raise ConfigurationError(wrong)


def _unknown_rules(file: ConfigurationFile, rules: Sequence[Rule]) -> Iterator[tuple[int, str]]:
    try:
        chosen_rules(file.values.rules, rules)
    except UnknownRuleError as error:
        yield file.line("rules", error.position), str(error)
    names = [rule.id for rule in rules]
    for number, acceptance in enumerate(file.values.accept):
        if not any(fnmatchcase(name, acceptance.rule) for name in names):
            yield file.line("accept", number, "rule"), str(UnknownRuleError(acceptance.rule, names, number))
