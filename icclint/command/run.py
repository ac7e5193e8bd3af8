"""What a run is asked, by the command line and by the configuration, and what comes of it, part by part."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icclint.capture.limits import Limits
from icclint.command.exits import INCOMPLETE, USAGE, fail
from icclint.command.options import FEW, Asked
from icclint.command.writing import is_terminal
from icclint.output.delivery import MOST_RUNS, Delivery

if TYPE_CHECKING:
    from icclint.accept import Acceptances
    from icclint.baseline import Baseline, BaselineFile
    from icclint.capture.places import Place
    from icclint.capture.read import Capture
    from icclint.checked import Checked
    from icclint.config import Acceptance, Configuration, ConfigurationFile
    from icclint.evidence import Options
    from icclint.inquiry import Inquiry
    from icclint.report import Report
    from icclint.rule import Rule


def installed_rules() -> tuple[Rule, ...]:
    """All rules. Ends the command where a rule package does not load."""
    from icclint.plugins import RulePackageError, load_rules  # noqa: PLC0415

    try:
        return load_rules()
    except RulePackageError as error:
        fail(str(error), USAGE)


@dataclass(frozen=True)
class StartedRun:
    """What a run was asked, and what comes of it, part by part. ``chosen_by`` are the words that chose the rules.

    ``size`` is how many parts there are.
    """

    parts: Iterable[Checked]
    size: int
    rules: tuple[Rule, ...]
    chosen_by: tuple[str, ...]
    configuration: ConfigurationFile | None
    acceptances: tuple[Acceptance, ...] = ()

    @property
    def settings(self) -> Configuration:
        """What is configured, or what holds where nothing is."""
        return settings_of(self.configuration)

    @property
    def report(self) -> Report:
        """All of it, which lets the parts come."""
        from icclint.report import join  # noqa: PLC0415

        return join(part.report for part in self.parts)

    def with_progress(self) -> StartedRun:
        """The same, which shows how far it is, on a terminal, if it is of many parts."""
        if self.size < FEW or not is_terminal(sys.stderr):
            return self
        from icclint.progress import shown  # noqa: PLC0415

        return replace(self, parts=shown(self.parts, self.size))

    def again(self) -> StartedRun:
        """The same for several readers, one after the other."""
        from icclint.spool import Again, Spool  # noqa: PLC0415

        return replace(self, parts=Again(self.parts, [] if self.size < FEW else Spool()))


def settings_of(configuration: ConfigurationFile | None) -> Configuration:
    """What is configured, or what holds where nothing is."""
    from icclint.config import Configuration  # noqa: PLC0415

    return configuration.values if configuration else Configuration()


def options_of(
    asked: Asked, run: StartedRun, baseline: BaselineFile | None, fail_on: str, delivery: Delivery
) -> Options:
    """What a run was asked for, as the manifest has it."""
    from icclint.evidence import Options, file_of  # noqa: PLC0415

    if asked["at"] is None and any(one.until for one in run.acceptances):
        raise click.UsageError("what is accepted has an end, so the report depends on the day: name it by --at")
    configuration = run.configuration
    limits = asked["limits"]
    return Options(
        max_files=limits.files,
        max_bytes=limits.bytes,
        max_unpacked=limits.unpacked,
        rules=tuple(rule.id for rule in run.rules),
        fail_on=fail_on,
        strict=delivery.strict,
        category=delivery.category,
        run_per_host=delivery.per_host,
        show_all=delivery.show_all,
        at=asked["at"] and asked["at"].replace(tzinfo=UTC),
        accept=run.acceptances,
        configuration=file_of(configuration.path.name, configuration.content) if configuration else None,
        baseline=file_of(baseline.path.name, baseline.content) if baseline else None,
    )


def start(asked: Asked, with_tables: bool = False) -> StartedRun:
    """Asks the rules, and sets apart what is accepted, as parts come."""
    from icclint.capture.places import find_places  # noqa: PLC0415
    from icclint.inquiry import Inquiry  # noqa: PLC0415

    installed = installed_rules()
    configuration = _configuration(asked, installed)
    words = _choice(asked, configuration)
    rules = _chosen(installed, words)
    places = find_places(asked["captures"], asked["root"], asked["limits"])
    checked = _checked(places, Inquiry(rules, asked["limits"], with_tables), asked)
    # Processes that check end with the command, however that ends.
    click.get_current_context().call_on_close(checked.close)
    parts = _with_a_host(_told(checked))
    run = StartedRun(parts, len(places), rules, words, configuration)
    if configuration is None or asked["no_accept"]:
        return run
    from icclint.accept import Acceptances  # noqa: PLC0415

    today = (asked["at"] or datetime.now(UTC)).date()
    acceptances = Acceptances(configuration, [rule.id for rule in installed], today)
    return replace(run, parts=_accepted(parts, acceptances), acceptances=configuration.values.accept)


def _checked(places: tuple[Place, ...], inquiry: Inquiry, asked: Asked) -> Generator[Checked, None, None]:
    """What comes of some places: of few of them one after the other, for that takes the least time."""
    jobs, cluster, seconds = asked["jobs"], asked["cluster"], asked["time_limit"]
    if jobs and cluster:
        raise click.UsageError("--jobs and --cluster exclude each other: a cluster has its own processes")
    if not (jobs or cluster or seconds or len(places) >= FEW):
        yield from map(inquiry.ask, places)
        return
    from icclint import fleet  # noqa: PLC0415

    seconds = seconds or fleet.TIME_LIMIT
    if cluster:
        parts = fleet.check_on_cluster(places, inquiry, cluster, seconds)
    else:
        parts = fleet.check_apart(places, inquiry, min(jobs or fleet.cores(), len(places)), seconds)
    try:
        yield from parts
    except fleet.ClusterError as error:
        fail(str(error), USAGE)


def _told(parts: Iterable[Checked]) -> Iterator[Checked]:
    """The parts, with a word on each path that gave no capture."""
    for part in parts:
        for word in part.missing:
            click.echo(f"icclint: {word}", err=True)
        yield part


def _with_a_host(parts: Iterator[Checked]) -> Iterator[Checked]:
    """The parts, of which one has a host; where none has, there is no report."""
    before = []
    for part in parts:
        before.append(part)
        if part.report.hosts:
            return chain(before, parts)
    sys.exit(INCOMPLETE)


def _accepted(parts: Iterable[Checked], acceptances: Acceptances) -> Iterator[Checked]:
    """The parts with what is accepted set apart; the last one tells of entries that accept nothing."""
    last: Checked | None = None
    for part in parts:
        if last is not None:
            yield last
        last = replace(part, report=acceptances.accept(part.report))
    if last is not None:
        yield replace(last, report=last.report.model_copy(update={"idle_acceptances": acceptances.idle}))


def compared(parts: Iterable[Checked], baseline: Baseline) -> Iterator[Checked]:
    """The parts beside a baseline."""
    from icclint.baseline import compare  # noqa: PLC0415

    if len(baseline.hosts) == 1:
        # Whether its host may be called otherwise hangs on how many there are.
        parts = list(parts)
        if sum(len(part.report.hosts) for part in parts) == 1:
            yield from (replace(part, report=compare(part.report, baseline)) for part in parts)
            return
    for part in parts:
        known = baseline.of(host.name for host in part.report.hosts)
        yield replace(part, report=compare(part.report, known))


def in_runs(run: StartedRun) -> StartedRun:
    """A run of which each host gets a run of a SARIF log."""
    parts = list(islice(run.parts, MOST_RUNS + 1))
    if sum(len(part.report.hosts) for part in parts) > MOST_RUNS:
        raise click.UsageError(
            f"GitHub takes {MOST_RUNS} runs in a log, and these are more hosts; "
            "check some at a time, or leave out --run-per-host"
        )
    return replace(run, parts=parts)


def _configuration(asked: Asked, rules: tuple[Rule, ...]) -> ConfigurationFile | None:
    from icclint import config  # noqa: PLC0415

    if asked["config"] and asked["no_config"]:
        raise click.UsageError("--config and --no-config exclude each other")
    try:
        if asked["config"]:
            found: config.ConfigurationFile | None = config.read_configuration(asked["config"])
        else:
            found = None if asked["no_config"] else _own_configuration(asked["captures"])
        if found is not None:
            config.refuse_unknown_rules(found, rules)
    except config.ConfigurationError as error:
        fail(str(error), USAGE)
    return found


def _own_configuration(captures: Iterable[str]) -> ConfigurationFile | None:
    """The configuration in the working directory, unless it is a part of what is to be checked."""
    from icclint.config import configurations_in, find_configuration  # noqa: PLC0415

    here = Path.cwd().resolve()
    if not any(path != "-" and here.is_relative_to(Path(path).resolve()) for path in captures):
        return find_configuration(Path())
    for name in configurations_in(Path()):
        click.echo(
            f"icclint: {name} is not read, as it lies in what is to be checked, where anybody may have put it; "
            f"if it is yours, say --config {name}",
            err=True,
        )
    return None


def _choice(asked: Asked, configuration: ConfigurationFile | None) -> tuple[str, ...]:
    """The words that choose the rules: profiles and names, as the configuration has them."""
    words: Iterable[str] = [asked["profile"]] if asked["profile"] else settings_of(configuration).rules
    if asked["select"]:
        words = [name.strip() for name in asked["select"].split(",")]
    left_out = [f"-{name.strip()}" for name in asked["ignore"].split(",")] if asked["ignore"] else []
    return (*words, *left_out)


def _chosen(rules: tuple[Rule, ...], words: tuple[str, ...]) -> tuple[Rule, ...]:
    from icclint.config import UnknownRuleError, chosen_rules  # noqa: PLC0415

    try:
        found = chosen_rules(words, rules)
    except UnknownRuleError as error:
        raise click.UsageError(str(error)) from error
    if not found:
        raise click.UsageError("no rule is left to ask")
    return found


def named(rules: tuple[Rule, ...], name: str) -> Rule:
    """The rule of a name. Raises click.UsageError."""
    from icclint.nearest import did_you_mean  # noqa: PLC0415

    found = next((rule for rule in rules if rule.id == name.strip()), None)
    if found is None:
        raise click.UsageError(f"no rule has the name {name!r}{did_you_mean(name, (rule.id for rule in rules))}")
    return found


def baseline_at(path: Path) -> BaselineFile:
    """The baseline in a file. Ends the command where it cannot be read."""
    from icclint.baseline import BaselineError, read_baseline  # noqa: PLC0415

    try:
        return read_baseline(path)
    except BaselineError as error:
        fail(str(error), USAGE)


def captures_at(paths: Iterable[str], limits: Limits) -> tuple[tuple[Capture, ...], bool]:
    """The captures, and whether every path gave one."""
    from icclint.capture.read import read_captures  # noqa: PLC0415

    captures, errors = read_captures(paths, Path(), limits)
    for error in errors:
        click.echo(f"icclint: {error}", err=True)
    if not captures:
        sys.exit(INCOMPLETE)
    return captures, not errors


def one_host(paths: Iterable[str], command: str, limits: Limits, wanted: str | None = None) -> Capture:
    """The one capture at some paths, or the one of that name."""
    read, _ = captures_at(paths, limits)
    found = [capture for capture in read if wanted in (None, capture.host)]
    if len(found) != 1:
        names = "; ".join(capture.host for capture in read)
        raise click.UsageError(
            f"{command} needs the capture of one host, and {', '.join(paths)} is {len(read)}: {names}"
        )
    return found[0]
