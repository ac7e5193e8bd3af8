"""The command line. Heavy modules are imported by the command that needs them, so that a small check starts fast."""

from __future__ import annotations

import errno
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, TypedDict, Unpack

import click

from icclint import __version__
from icclint.capture.limits import Limits
from icclint.output.delivery import MOST_RUNS, Delivery
from icclint.output.formats import FILES, FORMATS, Run
from icclint.output.visible import escaped

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

SEVERITIES = ("high", "medium", "low", "note", "never")
PROFILES = ("default", "audit")
WIDEST_PAGE = 100
"""Prose in longer lines is hard to read."""

FEW = 8
"""Fewer captures than that are checked sooner than processes for them are started."""

_LIMITS = Limits()

OK, FOUND, USAGE, INCOMPLETE, CRASHED = range(5)
INTERRUPTED = 128 + signal.SIGINT

EXIT_CODES = """\b
Exit codes, the highest that applies:
  0  nothing at or above --fail-on
  1  findings at or above it
  2  the command line, the configuration or the baseline is wrong, a rule package does not load, or an output cannot
     be written
  3  a path is missing or unreadable, or a capture was not checked to its end; with --strict also a gap or a rule not
     assessed
  4  a rule crashed; the report is written, and not complete
130  it was interrupted; a file that was to be written is as it was before
"""


def _limited(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that say what a capture may cost; it takes them as ``limits``."""

    @click.option("--max-files", type=click.IntRange(1), default=_LIMITS.files, show_default=True, metavar="N",
                  help="Look at so many files, folders and members of archives of a CAPTURE.")  # fmt: skip
    @click.option("--max-bytes", type=click.IntRange(1), default=_LIMITS.bytes, show_default=True, metavar="N",
                  help="The largest document that is read.")  # fmt: skip
    @click.option("--max-unpacked", type=click.IntRange(1), default=_LIMITS.unpacked, show_default=True, metavar="N",
                  help="Unpack so many bytes of the archives of a CAPTURE.")  # fmt: skip
    @functools.wraps(command)
    def limited(*args: object, max_files: int, max_bytes: int, max_unpacked: int, **kwargs: object) -> None:
        command(*args, limits=Limits(max_files, max_bytes, max_unpacked), **kwargs)

    return limited


class _Commands(click.Group):
    """Commands in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # click would end with 1, which says that there are findings.
            _fail("interrupted", INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="icclint %(version)s")
def main() -> None:
    """Does the captured firewall of a Docker host do what Docker says?

    icclint reads what `docker network inspect` claims (ICC is off, this network is internal) and what a saved
    iptables dump really does with packets, and reports each contradiction with the packet that proves it.

    \b
    On the host, capture at least:
      mkdir host1
      iptables-save  > host1/iptables-save.txt
      ip6tables-save > host1/ip6tables-save.txt
      docker network inspect $(docker network ls -q) > host1/networks.json
      docker inspect $(docker ps -aq)                > host1/containers.json
      sysctl -a                                      > host1/sysctl.txt

    Then, anywhere: icclint check host1
    """


class Asked(TypedDict):
    """What the rules are asked of, and which ones: what commands that report findings have in common."""

    captures: tuple[str, ...]
    profile: str | None
    select: str | None
    ignore: str | None
    config: Path | None
    no_config: bool
    no_accept: bool
    at: datetime | None
    root: Path
    jobs: int | None
    time_limit: float | None
    cluster: str | None
    limits: Limits


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of `Asked` to a command."""
    options = (
        click.argument("captures", nargs=-1, required=True, metavar="CAPTURE..."),
        click.option("--profile", type=click.Choice(PROFILES),
                     help="default: what is worth a person's time; audit: all rules.  [default: default]"),
        click.option("--select", metavar="RULE,...", help="Ask these rules only, whatever the profile."),
        click.option("--ignore", metavar="RULE,...", help="Leave these rules out."),
        click.option("--config", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="The configuration.  [default: icclint.toml or pyproject.toml where you are]"),
        click.option("--no-config", is_flag=True, help="Read no configuration."),
        click.option("--no-accept", is_flag=True, help="Accept no finding, whatever the configuration says."),
        click.option("--at", type=click.DateTime(("%Y-%m-%dT%H:%M:%SZ",)), metavar="TIME",
                     help="When this is done, in UTC, as 2027-01-31T12:00:00Z: acceptances end by it.  [default: now]"),
        click.option("--root", type=click.Path(file_okay=False, path_type=Path), default=Path(),
                     help="The folder that document names are relative to.  [default: where you are]"),
        click.option("--jobs", type=click.IntRange(1), metavar="N",
                     help=f"Check N captures at a time, in processes of their own.  "
                     f"[default: for {FEW} captures and more, one for each core]"),
        click.option("--time-limit", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
                     help="Give up a capture after so long.  [default: 600, if it has a process of its own]"),
        click.option("--cluster", metavar="ADDRESS",
                     help="Check on the Dask cluster with the scheduler at tcp://HOST:PORT, whose workers see the same "
                     "files by the same paths."),
    )  # fmt: skip
    asked = _limited(command)
    for option in reversed(options):
        asked = option(asked)
    return asked


@main.command(epilog=EXIT_CODES)
@_asking
@click.option("-o", "--output", "outputs", multiple=True, metavar="FORMAT[=FILE]",
              help=f"{', '.join(FORMATS)}; to standard output, or to FILE. May be given several times.")  # fmt: skip
@click.option("--category", metavar="NAME",
              help="In SARIF, tells the log from other logs of icclint on the same code.")  # fmt: skip
@click.option("--run-per-host", is_flag=True,
              help="In SARIF, a run for each host: alerts of hosts that are not in the log stay open.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(SEVERITIES),
              help="The least severity that makes the exit code 1.  [default: medium]")  # fmt: skip
@click.option("--strict", is_flag=True, help="A gap, or a rule that could not be assessed, is exit code 3.")
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Tell new findings from those of a baseline; only new ones count for the exit code.")  # fmt: skip
@click.option("--show-all", is_flag=True,
              help="List accepted findings as well; in SARIF as suppressed, and gone ones as absent.")  # fmt: skip
@click.option("--evidence", metavar="FILE", help="Write a manifest of what was read, by what, and what came out.")
@click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", show_default=True,
              help="Colours in text; auto is on a terminal, unless NO_COLOR is set.")  # fmt: skip
def check(
    outputs: tuple[str, ...],
    category: str | None,
    run_per_host: bool,
    fail_on: str | None,
    strict: bool,
    baseline: Path | None,
    show_all: bool,
    evidence: str | None,
    color: str,
    **asked: Unpack[Asked],
) -> None:
    """Report where a captured host breaks what Docker says.

    A CAPTURE is a folder with the outputs of one host, or a folder of such folders; or an archive of either (tar, also
    compressed with gzip, xz, bzip2 or zstd, and zip), which is not unpacked to disk; or files; or - for standard input.
    Documents are told apart by their content, whatever they are called. Of the bundles of sos, UAC, Cat-Scale, the
    collectors of EKS, ECS and Rancher and others the outputs that tell of the host's network are read.
    """
    # What can be read while it is written comes first.
    targets = sorted((_target(output) for output in outputs or ("text",)), key=lambda target: target[1] is not None)
    if sum(file is None for _, file in targets) > 1:
        raise click.UsageError("only one output can go to standard output; give the others a file: -o json=FILE")
    known = _baseline(baseline) if baseline else None
    delivery = Delivery(category, run_per_host, strict, show_all)
    run = _run(asked, with_tables=any(form == "html" for form, _ in targets))
    # Between the lines of a report on the same terminal a bar would be in the way.
    if not (_is_terminal(sys.stdout) and any(file is None for _, file in targets)):
        run = run.with_progress()
    if run_per_host:
        run = _in_runs(run)
    if known is not None:
        run = replace(run, parts=_compared(run.parts, known.values))
    least = fail_on or run.settings.fail_on
    options = _options(asked, run, known, least, delivery) if evidence else None
    verdict = _Verdict(least, strict)
    run = replace(run, parts=verdict.of(run.parts))
    if evidence or len(targets) > 1:
        run = run.again()
    written = Run(run.parts, run.rules, run.chosen_by, delivery)
    for form, file in targets:
        _write(FORMATS[form](written), file, _coloured(color, file))
    if evidence and options:
        from icclint.evidence import manifest  # noqa: PLC0415

        reports = {form: FORMATS[form](written) for form in sorted({"json", *(form for form, _ in targets)})}
        _write(manifest(run.report, options, reports, verdict.code), evidence, coloured=False)
    sys.exit(verdict.code)


@main.group("baseline", cls=_Commands)
def baselines() -> None:
    """Write down the findings that there are, so that later runs tell which ones are new."""


@baselines.command("write", epilog=EXIT_CODES)
@_asking
@click.option("-o", "--output", required=True, metavar="FILE", help="The baseline to write, or to write anew.")
def write_baseline(output: str, **asked: Unpack[Asked]) -> None:
    """Write all findings to a baseline, but for those that the configuration accepts."""
    from icclint.baseline import baseline_of, render_baseline  # noqa: PLC0415

    report = _run(asked).with_progress().report
    found = baseline_of(report)
    _write(render_baseline(found), output, coloured=False)
    _say(f"findings written to {output}: {sum(one.count for one in found.findings)}")
    sys.exit(_exit_code(report, "never", False))


@baselines.command("prune", epilog=EXIT_CODES)
@_asking
@click.option("--baseline", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The baseline to take them out of.")  # fmt: skip
def prune_baseline(file: Path, **asked: Unpack[Asked]) -> None:
    """Take those findings out of a baseline that are gone, and add none.

    What a rule could not tell of, or was not asked, stays; so do other hosts.
    """
    from icclint.baseline import pruned, render_baseline  # noqa: PLC0415

    known = _baseline(file).values
    report = _run(asked).with_progress().report
    kept = pruned(known, report)
    _write(render_baseline(kept), str(file), coloured=False)
    before, after = (sum(one.count for one in baseline.findings) for baseline in (known, kept))
    _say(f"findings taken out of {file}: {before - after}; left in it: {after}")
    sys.exit(_exit_code(report, "never", False))


@main.command()
@click.argument("rule")
def explain(rule: str) -> None:
    """Show the page of a RULE: what it detects, why it matters, what to do, and its limits."""
    from icclint.output.page import terminal  # noqa: PLC0415

    found = _named(_rules(), rule)
    width = min(shutil.get_terminal_size().columns, WIDEST_PAGE)
    _write(terminal(found, width), None, _coloured("auto", None))


@main.command("rules")
def list_rules() -> None:
    """List all rules, the built-in ones and those of other packages: name, family, severity, profile, and meaning."""
    rules = _rules()
    rows = [(rule.id, rule.family, rule.severity.value, rule.profile.value) for rule in rules]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    _say(*("  ".join((*map(str.ljust, row, widths), rule.summary)) for rule, row in zip(rules, rows, strict=True)))


@main.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--host", "wanted", metavar="NAME", help="Of several hosts, or states of one, the one of that name.")
@click.option("--from", "sender", metavar="WHO", help="Who sends: see below.")
@click.option("--to", "target", metavar="WHO[:PORT]", help="To whom, and to which port ([ADDRESS]:PORT for IPv6).")
@click.option("--source", metavar="ADDRESS", help="The sender's address, where it has several.")
@click.option("--proto", default="tcp", show_default=True, metavar="NAME", help="tcp, udp, icmp or a number.")
@click.option("--sport", type=click.IntRange(0, 65535), metavar="PORT", help="The source port.  [default: 40000]")
@click.option("--icmp-type", type=click.IntRange(0, 255), metavar="TYPE", help="[default: an echo request]")
@click.option("--state", type=click.Choice(("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")), default="NEW",
              show_default=True, help="What connection tracking says of it.")  # fmt: skip
@click.option(
    "--mark", type=click.IntRange(0, 0xFFFFFFFF), default=0, show_default=True, help="The mark that it starts with."
)
@click.option("--family", type=click.Choice(("4", "6")), default="4", show_default=True, help="IPv4 or IPv6.")
@click.option("--queries", type=click.File("r", encoding="utf-8", errors="replace"), metavar="FILE",
              help="Questions instead, one JSON object a line; answers come in the same order.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@_limited
def trace(
    captures: tuple[str, ...],
    wanted: str | None,
    sender: str | None,
    target: str | None,
    source: str | None,
    proto: str,
    sport: int | None,
    icmp_type: int | None,
    state: str,
    mark: int,
    family: str,
    queries: IO[str] | None,
    output: str,
    limits: Limits,
) -> None:
    """Follow one packet through a captured host: each rule that it meets, and why it matches or not.

    WHO is a container's name, NAME@NETWORK, host, outside (beyond the default route), interface:NAME, or an address.

    Example: icclint trace host1 --from web2 --to web1:80
    """
    from icclint.lower.host import lower_host  # noqa: PLC0415
    from icclint.question import Question, QuestionError  # noqa: PLC0415
    from icclint.trace import Tracer  # noqa: PLC0415

    read = _one_host(captures, "trace", limits, wanted)
    host, _ = lower_host(read.host, read.documents)
    tracer = Tracer(host)
    try:
        if queries is not None:
            _write(tracer.answer_lines(_lines_of(queries)), None, coloured=True)
            return
        if sender is None or target is None:
            raise click.UsageError("say who sends and to whom: --from WHO --to WHO, or --queries FILE")
        who, port = _split_port(target)
        answer = tracer.answer(Question(sender, who, proto, port, sport, icmp_type, state, mark, int(family), source))
    except QuestionError as error:
        raise click.UsageError(str(error)) from error
    _say(*([escaped(answer.model_dump_json(indent=2))] if output == "json" else answer.story()))


@main.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--host", "wanted", metavar="NAME", help="Of several hosts, or states of one, the one of that name.")
@click.option("--disagreements", is_flag=True, help="Only where claim and effect disagree.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@_limited
def reach(captures: tuple[str, ...], wanted: str | None, disagreements: bool, output: str, limits: Limits) -> None:
    """Show who can open a connection to whom on a captured host, Docker's claim beside the effect.

    Containers that are treated alike share a row; ! marks the rows where claim and effect disagree.
    """
    from icclint.lower.host import lower_host  # noqa: PLC0415
    from icclint.reach import reach as table_of  # noqa: PLC0415

    read = _one_host(captures, "reach", limits, wanted)
    host, _ = lower_host(read.host, read.documents)
    table = table_of(host)
    if disagreements:
        table = table.model_copy(update={"rows": tuple(row for row in table.rows if row.disagrees)})
    shown = [escaped(table.model_dump_json(indent=2, by_alias=True))] if output == "json" else table.text()
    _write(shown, None, coloured=True)


@main.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--json", "as_json", is_flag=True, help="The whole representation of each host, as JSON.")
@_limited
def show(captures: tuple[str, ...], as_json: bool, limits: Limits) -> None:
    """Show what captures hold: each document, its kind and what it was recognised by, what was passed over, what is
    missing, and which rules that leaves unassessed.
    """
    from icclint.show import show as shown  # noqa: PLC0415

    read, complete = _captures(captures, Path(), limits)
    rules = _rules()
    hosts = (shown(capture, rules) for capture in read)
    if as_json:
        value = {"format": "icclint-show/1", "hosts": [host.plain() for host in hosts]}
        _write([escaped(json.dumps(value, ensure_ascii=False, indent=2))], None, coloured=True)
    else:
        _write((line for host in hosts for line in (*host.text(), "")), None, coloured=True)
    sys.exit(OK if complete else INCOMPLETE)


@main.command()
def collect() -> None:
    """Print the shell script that captures a host.

    Read it, then run it on the host as root: icclint collect > collect.sh; sh collect.sh --help
    """
    script = Path(__file__).with_name("collect.sh").read_text(encoding="utf-8")
    _write([script.removesuffix("\n")], None, coloured=True)


@main.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option("-o", "--output", type=click.Choice(("text", "json", "markdown")), default="text", show_default=True)
@_limited
def diff(before: str, after: str, output: str, limits: Limits) -> None:
    """Show what changed between two captures of a host, in effect.

    Connections that became possible or impossible, what Docker says differently, and findings that are new or gone. The
    exit code is 0 where nothing changed and 1 where something did.
    """
    from icclint.difference import difference  # noqa: PLC0415
    from icclint.output.difference import render_markdown, render_text  # noqa: PLC0415

    earlier, later = (_one_host((path,), "diff", limits) for path in (before, after))
    found = difference(earlier, later, _rules())
    lines = {
        "text": lambda: render_text(found),
        "json": lambda: iter([escaped(found.model_dump_json(indent=2, by_alias=True))]),
        "markdown": lambda: render_markdown(found),
    }
    _write(lines[output](), None, coloured=True)
    sys.exit(OK if found.is_empty else FOUND)


@main.command()
@click.argument("name")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="The folder to write it to, new or empty.  [default: icclint-NAME]")  # fmt: skip
def new_rule(name: str, directory: Path | None) -> None:
    """Begin a rule of your own: a package with its page, its question, its cases and the test that runs them.

    NAME is the rule's: words in lower case, with hyphens between them.
    """
    from icclint.scaffold import write_package  # noqa: PLC0415

    if any(rule.id == name for rule in _rules()):
        raise click.UsageError(f"a rule with the name {name} is there already")
    folder = directory or Path(f"icclint-{name}")
    try:
        written = write_package(name, folder)
    except (ValueError, FileExistsError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        _fail(f"{folder} cannot be written: {error.strerror}", USAGE)
    _say(*map(str, written), "", f"Next: pip install -e '{folder}[test]' && pytest {folder}")


def _one_host(paths: Iterable[str], command: str, limits: Limits, wanted: str | None = None) -> Capture:
    """The one capture at some paths, or the one of that name."""
    read, _ = _captures(paths, Path(), limits)
    found = [capture for capture in read if wanted in (None, capture.host)]
    if len(found) != 1:
        names = "; ".join(capture.host for capture in read)
        raise click.UsageError(
            f"{command} needs the capture of one host, and {', '.join(paths)} is {len(read)}: {names}"
        )
    return found[0]


def _lines_of(questions: IO[str]) -> Iterator[str]:
    """The lines of a file of questions. Raises `QuestionError` where it cannot be read to its end."""
    from icclint.question import QuestionError  # noqa: PLC0415

    try:
        yield from questions
    except OSError as error:
        raise QuestionError(f"{questions.name} cannot be read: {error.strerror}") from error


def _split_port(text: str) -> tuple[str, int | None]:
    """``WHO:PORT`` or ``[ADDRESS]:PORT``; an IPv6 address alone has colons of its own."""
    if text.startswith("["):
        who, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1 and not text.startswith(("container:", "interface:")):
        who, _, port = text.partition(":")
    elif text.count(":") == 2 and text.startswith(("container:", "interface:")):
        who, _, port = text.rpartition(":")
    else:
        return text, None
    if not port:
        return who, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise click.UsageError(f"{port!r} is not a port")
    return who, int(port)


def _rules() -> tuple[Rule, ...]:
    from icclint.plugins import RulePackageError, load_rules  # noqa: PLC0415

    try:
        return load_rules()
    except RulePackageError as error:
        _fail(str(error), USAGE)


@dataclass(frozen=True)
class _Run:
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
        return _settings(self.configuration)

    @property
    def report(self) -> Report:
        """All of it, which lets the parts come."""
        from icclint.report import join  # noqa: PLC0415

        return join(part.report for part in self.parts)

    def with_progress(self) -> _Run:
        """The same, which shows how far it is, on a terminal, if it is of many parts."""
        if self.size < FEW or not _is_terminal(sys.stderr):
            return self
        from icclint.progress import shown  # noqa: PLC0415

        return replace(self, parts=shown(self.parts, self.size))

    def again(self) -> _Run:
        """The same for several readers, one after the other."""
        from icclint.spool import Again, Spool  # noqa: PLC0415

        return replace(self, parts=Again(self.parts, [] if self.size < FEW else Spool()))


def _settings(configuration: ConfigurationFile | None) -> Configuration:
    from icclint.config import Configuration  # noqa: PLC0415

    return configuration.values if configuration else Configuration()


def _options(asked: Asked, run: _Run, baseline: BaselineFile | None, fail_on: str, delivery: Delivery) -> Options:
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


def _run(asked: Asked, with_tables: bool = False) -> _Run:
    """Asks the rules, and sets apart what is accepted, as parts come."""
    from icclint.capture.places import find_places  # noqa: PLC0415
    from icclint.inquiry import Inquiry  # noqa: PLC0415

    installed = _rules()
    configuration = _configuration(asked, installed)
    words = _choice(asked, configuration)
    rules = _chosen(installed, words)
    places = find_places(asked["captures"], asked["root"], asked["limits"])
    checked = _checked(places, Inquiry(rules, asked["limits"], with_tables), asked)
    # Processes that check end with the command, however that ends.
    click.get_current_context().call_on_close(checked.close)
    parts = _with_a_host(_told(checked))
    run = _Run(parts, len(places), rules, words, configuration)
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
        _fail(str(error), USAGE)


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


def _compared(parts: Iterable[Checked], baseline: Baseline) -> Iterator[Checked]:
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


def _in_runs(run: _Run) -> _Run:
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
        _fail(str(error), USAGE)
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
    words: Iterable[str] = [asked["profile"]] if asked["profile"] else _settings(configuration).rules
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


def _named(rules: tuple[Rule, ...], name: str) -> Rule:
    from icclint.nearest import did_you_mean  # noqa: PLC0415

    found = next((rule for rule in rules if rule.id == name.strip()), None)
    if found is None:
        raise click.UsageError(f"no rule has the name {name!r}{did_you_mean(name, (rule.id for rule in rules))}")
    return found


def _baseline(path: Path) -> BaselineFile:
    from icclint.baseline import BaselineError, read_baseline  # noqa: PLC0415

    try:
        return read_baseline(path)
    except BaselineError as error:
        _fail(str(error), USAGE)


def _captures(paths: Iterable[str], root: Path, limits: Limits) -> tuple[tuple[Capture, ...], bool]:
    """The captures, and whether every path gave one."""
    from icclint.capture.read import read_captures  # noqa: PLC0415

    captures, errors = read_captures(paths, root, limits)
    for error in errors:
        click.echo(f"icclint: {error}", err=True)
    if not captures:
        sys.exit(INCOMPLETE)
    return captures, not errors


def _target(output: str) -> tuple[str, str | None]:
    form, _, file = output.partition("=")
    if form not in FORMATS:
        raise click.UsageError(f"no output format has the name {form!r}; there are {', '.join(FORMATS)}")
    if form in FILES:
        if not file:
            raise click.UsageError(f"{form} is no text for standard output; name a file: -o {form}=FILE")
        if importlib.util.find_spec("pyarrow") is None:
            raise click.UsageError(f"-o {form} needs `pip install icclint[cluster]`")
    return form, file or None


def _coloured(color: str, file: str | None) -> bool:
    if color != "auto":
        return color == "always"
    return file is None and _is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def _is_terminal(stream: IO[str] | None) -> bool:
    # Python has none where it was started without one.
    return stream is not None and stream.isatty()


def _say(*lines: str) -> None:
    _write(lines, None, coloured=True)


def _write(lines: Iterable[str | bytes], file: str | None, coloured: bool) -> None:
    shown: Callable[[str], str] = str if coloured else click.unstyle
    # Nothing that was captured may keep a report from being written.
    text = (
        line if isinstance(line, bytes) else f"{shown(line)}\n".encode("utf-8", "backslashreplace") for line in lines
    )
    try:
        if file is None:
            _print(text)
        else:
            _save(text, Path(os.path.realpath(file)))
    except OSError as error:
        _fail(f"{file or 'standard output'} cannot be written: {error.strerror}", USAGE)


def _print(text: Iterable[bytes]) -> None:
    # Python has none where it was started without one.
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        for line in text:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would be tried once more at the end, and Python would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # The reader has seen enough (`| head`).
        if not isinstance(error, BrokenPipeError):
            raise
        # What is not written counts for the exit code, and for other outputs.
        deque(text, maxlen=0)


def _save(text: Iterable[bytes], target: Path) -> None:
    """Writes a file as a whole or not at all: beside it first, so that nobody ever sees the half of one."""
    if target.exists() and not target.is_file():
        # A device or a pipe is written to; to replace it would take it away from everybody else.
        with target.open("wb") as stream:
            stream.writelines(text)
        return
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".icclint-", delete=False) as draft:
        try:
            draft.writelines(text)
            draft.close()
            # Created as 0600 for privacy; a report is an ordinary file.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(draft.name, 0o666 & ~mask)
            os.replace(draft.name, target)
        except BaseException:
            os.unlink(draft.name)
            raise


class _Verdict:
    """The exit code for a report of which the parts are going by: the highest that applies to one of them."""

    def __init__(self, fail_on: str, strict: bool) -> None:
        self.code = OK
        self._fail_on = fail_on
        self._strict = strict

    def of(self, parts: Iterable[Checked]) -> Iterator[Checked]:
        """The same parts."""
        for part in parts:
            self.code = max(self.code, _exit_code(part.report, self._fail_on, self._strict))
            yield part


def _exit_code(report: Report, fail_on: str, strict: bool) -> int:
    if report.crashes:
        return CRASHED
    unread = any(gap.whole for gap in report.gaps)
    if not report.complete or unread or (strict and (report.gaps or report.not_assessed)):
        return INCOMPLETE
    loud = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on != "never" else ()
    return FOUND if any(finding.severity in loud for finding in report.counting) else OK


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"icclint: {message}", err=True)
    sys.exit(code)
