"""What was shown of the engine, and what its daemon was told, to the typed representation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Interface, ip_address
from typing import Any

from icclint.docker.options import parse_bool
from icclint.ir.engine import Daemon, Engine
from icclint.parse.daemon import NETWORK_OPTIONS, SWITCHES, DaemonSettings, Directive
from icclint.parse.engine import Shown
from icclint.parse.gaps import shortened
from icclint.parse.sysctl import Setting
from icclint.source import Gap, Span


def lower_engine(shown: Sequence[Shown]) -> tuple[Engine | None, list[Gap]]:
    """The engine, or None where no version was shown; of two that differ the first one stands."""
    versions = [said for said in shown if said.name == "version"]
    if not versions:
        return None, []
    first = versions[0]
    reason = f"another version of the engine than {first.span}, which is analysed instead"
    gaps = [Gap(other.span, other.value, reason) for other in versions[1:] if other.value != first.value]
    options = [said.value for said in shown if said.name == "security option"]
    engine = Engine(
        version=first.value,
        span=first.span,
        firewall_backend=_first(shown, "firewall backend"),
        rootless=any(option in ("rootless", "name=rootless") for option in options) if options else None,
        kernel=_first(shown, "kernel"),
    )
    return engine, gaps


def _first(shown: Sequence[Shown], name: str) -> str | None:
    return next((said.value for said in shown if said.name == name), None)


def told_settings(shown: Sequence[Shown]) -> list[Setting]:
    """The kernel settings that ``docker info`` of engines up to 20.10 looked up when it was asked.

    Later ones tell what was so when they were started (tried on 20.10.24 and 26.1.5), or nothing.
    """
    engine, _ = lower_engine(shown)
    if engine is None or not (1,) <= engine.release < (21,):
        return []
    settings = [said for said in shown if said.name.startswith("net.")]
    return [Setting(said.name, {"true": "1", "false": "0"}[said.value], said.span) for said in settings]


Values = dict[str, tuple[Any, Span]]
"""Settings by the names of `Daemon`, each with its place."""


def lower_daemon(found: Iterable[DaemonSettings]) -> tuple[Daemon | None, list[Gap]]:
    """What dockerd was told, or None where nothing tells.

    dockerd does not start with a setting both on its command line and in daemon.json (moby, daemon/config/config.go,
    findConfigurationConflicts), so where both have one the file was changed since.
    """
    gaps: list[Gap] = []
    every = list(_of_one_engine(found, gaps))
    # A unit may have been changed since dockerd was started, and of several the last is a drop-in.
    units = [told for told in every if told.origin == "unit"]
    line = next((told for told in every if told.origin == "process"), units[-1] if units else None)
    file = next((told for told in every if told.origin == "file"), None)
    stated: Values = {}
    for told in (line, file):
        for field, (value, span) in _values(told, gaps).items() if told is not None else ():
            first, place = stated.setdefault(field, (value, span))
            if first != value:
                gaps.append(Gap(span, shortened(str(value)), f"differs from {place}, which is analysed instead"))
    for told in every:
        if told is not line and told is not file:
            gaps += _not_in_force(told, stated)
    if line is None and file is None:
        return None, gaps
    reason = "only the environment that dockerd is started in tells what this stands for"
    gaps += [Gap(word.span, word.text, reason) for word in (line.unknown if line is not None else ())]
    daemon = Daemon(
        **{field: value for field, (value, _) in stated.items()},
        command_line=line.span if line is not None and not line.unknown else None,
        configuration_file=file.span if file is not None else None,
        spans={field: span for field, (_, span) in stated.items()},
    )
    return daemon, gaps


def _of_one_engine(found: Iterable[DaemonSettings], gaps: list[Gap]) -> Iterator[DaemonSettings]:
    """All but the processes where several run that were told different things, as where an engine runs in another."""
    every = list(found)
    processes = [told for told in every if told.origin == "process"]
    told_alike = len({tuple((one.name, one.value) for one in told.directives) for told in processes}) <= 1
    for told in every:
        if told.origin != "process" or told_alike:
            yield told
        else:
            gaps.append(Gap(told.span, "dockerd", "several dockerd run; which of them the networks are of is not told"))


def _not_in_force(told: DaemonSettings, stated: Values) -> Iterator[Gap]:
    """What another document says that is not what was taken."""
    for field, (value, span) in _values(told, []).items():
        first, place = stated.get(field, (None, None))
        if first != value:
            other = "the settings of another document" if place is None else str(place)
            yield Gap(span, shortened(str(value)), f"differs from {other}, which is analysed instead")


def _values(told: DaemonSettings, gaps: list[Gap]) -> Values:
    """The settings of one source by the names of `Daemon`; of a flag that stands twice the last one counts."""
    values: Values = {}
    for directive in told.directives:
        field = "bridge_address" if directive.name == "bip" else directive.name.replace("-", "_")
        try:
            value = _value(directive, told.origin == "file")
        except ValueError:
            reason = f"dockerd does not start with such a value of {directive.name}"
            gaps.append(Gap(directive.span, shortened(str(directive.value)), reason))
            continue
        if directive.name == NETWORK_OPTIONS and field in values:
            value = _joined(values[field][0], value)
        values[field] = (value, directive.span)
    return values


def _value(directive: Directive, is_json: bool) -> Any:
    """The value as dockerd takes it; raises ValueError for one that it refuses. An empty text is the default."""
    value = directive.value
    if directive.name == NETWORK_OPTIONS:
        return _network_options(value)
    if directive.name in SWITCHES:
        value = value if is_json else parse_bool(value)
        if not isinstance(value, bool):
            raise ValueError(value)
    elif not isinstance(value, str):
        raise ValueError(value)
    elif value and directive.name == "ip":
        value = ip_address(value)
    elif value and directive.name == "bip":
        value = IPv4Interface(value)
    return value or None if isinstance(value, str) else value


def _network_options(value: Any) -> dict[str, dict[str, str]]:
    """Options by driver: nested in the file, ``DRIVER=OPTION=VALUE`` for the flag."""
    if isinstance(value, str):
        driver, option, setting = value.split("=", 2)
        return {driver: {option: setting}}
    if not isinstance(value, dict) or not all(isinstance(options, dict) for options in value.values()):
        raise ValueError(value)
    if not all(isinstance(setting, str) for options in value.values() for setting in options.values()):
        raise ValueError(value)
    return value


def _joined(first: dict[str, dict[str, str]], other: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {driver: {**first.get(driver, {}), **other.get(driver, {})} for driver in {**first, **other}}
