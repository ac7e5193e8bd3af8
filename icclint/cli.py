"""The command line. Heavy modules are imported by the command that needs them, so that a small check starts fast."""

from __future__ import annotations

import gc
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Unpack

import click

from icclint import __version__
from icclint.capture.limits import Limits
from icclint.command.exits import (
    EXIT_CODES,
    FOUND,
    INCOMPLETE,
    INTERRUPTED,
    OK,
    SEVERITIES,
    USAGE,
    ExitCode,
    exit_code,
    fail,
)
from icclint.command.options import Asked, asking, limited
from icclint.command.run import (
    baseline_at,
    captures_at,
    compared,
    in_runs,
    installed_rules,
    named,
    one_host,
    options_of,
    start,
)
from icclint.command.writing import coloured, is_terminal, say, target_of, write
from icclint.output.delivery import Delivery
from icclint.output.formats import FORMATS, Run
from icclint.output.visible import escaped

WIDEST_PAGE = 100
"""Prose in longer lines is hard to read."""


class _Commands(click.Group):
    """Commands in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command that was asked for."""
        # What is read of a capture stays until the end. To go through all of it for garbage, each time that it has
        # grown by a few hundred values, takes a tenth of the time and finds none.
        gc.set_threshold(100_000)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # click would end with 1, which says that there are findings.
            fail("interrupted", INTERRUPTED)


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


@main.command(epilog=EXIT_CODES)
@asking
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
    targets = sorted((target_of(output) for output in outputs or ("text",)), key=lambda target: target[1] is not None)
    if sum(file is None for _, file in targets) > 1:
        raise click.UsageError("only one output can go to standard output; give the others a file: -o json=FILE")
    known = baseline_at(baseline) if baseline else None
    delivery = Delivery(category, run_per_host, strict, show_all)
    run = start(asked, with_tables=any(form == "html" for form, _ in targets))
    # Between the lines of a report on the same terminal a bar would be in the way.
    if not (is_terminal(sys.stdout) and any(file is None for _, file in targets)):
        run = run.with_progress()
    if run_per_host:
        run = in_runs(run)
    if known is not None:
        run = replace(run, parts=compared(run.parts, known.values))
    least = fail_on or run.settings.fail_on
    options = options_of(asked, run, known, least, delivery) if evidence else None
    ending = ExitCode(least, strict)
    run = replace(run, parts=ending.of(run.parts))
    if evidence or len(targets) > 1:
        run = run.again()
    written = Run(run.parts, run.rules, run.chosen_by, delivery)
    for form, file in targets:
        write(FORMATS[form](written), file, coloured(color, file))
    if evidence and options:
        from icclint.evidence import manifest  # noqa: PLC0415

        reports = {form: FORMATS[form](written) for form in sorted({"json", *(form for form, _ in targets)})}
        write(manifest(run.report, options, reports, ending.code), evidence, coloured=False)
    sys.exit(ending.code)


@main.group("baseline", cls=_Commands)
def baselines() -> None:
    """Write down the findings that there are, so that later runs tell which ones are new."""


@baselines.command("write", epilog=EXIT_CODES)
@asking
@click.option("-o", "--output", required=True, metavar="FILE", help="The baseline to write, or to write anew.")
def write_baseline(output: str, **asked: Unpack[Asked]) -> None:
    """Write all findings to a baseline, but for those that the configuration accepts."""
    from icclint.baseline import baseline_of, render_baseline  # noqa: PLC0415

    report = start(asked).with_progress().report
    found = baseline_of(report)
    write(render_baseline(found), output, coloured=False)
    say(f"findings written to {output}: {sum(one.count for one in found.findings)}")
    sys.exit(exit_code(report, "never", False))


@baselines.command("prune", epilog=EXIT_CODES)
@asking
@click.option("--baseline", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The baseline to take them out of.")  # fmt: skip
def prune_baseline(file: Path, **asked: Unpack[Asked]) -> None:
    """Take those findings out of a baseline that are gone, and add none.

    What a rule could not tell of, or was not asked, stays; so do other hosts.
    """
    from icclint.baseline import pruned, render_baseline  # noqa: PLC0415

    known = baseline_at(file).values
    report = start(asked).with_progress().report
    kept = pruned(known, report)
    write(render_baseline(kept), str(file), coloured=False)
    before, after = (sum(one.count for one in baseline.findings) for baseline in (known, kept))
    say(f"findings taken out of {file}: {before - after}; left in it: {after}")
    sys.exit(exit_code(report, "never", False))


@main.command()
@click.argument("rule")
def explain(rule: str) -> None:
    """Show the page of a RULE: what it detects, why it matters, what to do, and its limits."""
    from icclint.output.page import terminal  # noqa: PLC0415

    found = named(installed_rules(), rule)
    width = min(shutil.get_terminal_size().columns, WIDEST_PAGE)
    write(terminal(found, width), None, coloured("auto", None))


@main.command("rules")
def list_rules() -> None:
    """List all rules, the built-in ones and those of other packages: name, family, severity, profile, and meaning."""
    rules = installed_rules()
    rows = [(rule.id, rule.family, rule.severity.value, rule.profile.value) for rule in rules]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    say(*("  ".join((*map(str.ljust, row, widths), rule.summary)) for rule, row in zip(rules, rows, strict=True)))


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
@limited
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

    read = one_host(captures, "trace", limits, wanted)
    host, _ = lower_host(read.host, read.documents)
    tracer = Tracer(host)
    try:
        if queries is not None:
            write(tracer.answer_lines(_lines_of(queries)), None, coloured=True)
            return
        if sender is None or target is None:
            raise click.UsageError("say who sends and to whom: --from WHO --to WHO, or --queries FILE")
        who, port = _split_port(target)
        answer = tracer.answer(Question(sender, who, proto, port, sport, icmp_type, state, mark, int(family), source))
    except QuestionError as error:
        raise click.UsageError(str(error)) from error
    say(*([escaped(answer.model_dump_json(indent=2))] if output == "json" else answer.story()))


@main.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--host", "wanted", metavar="NAME", help="Of several hosts, or states of one, the one of that name.")
@click.option("--disagreements", is_flag=True, help="Only where claim and effect disagree.")
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text", show_default=True)
@limited
def reach(captures: tuple[str, ...], wanted: str | None, disagreements: bool, output: str, limits: Limits) -> None:
    """Show who can open a connection to whom on a captured host, Docker's claim beside the effect.

    Containers that are treated alike share a row; ! marks the rows where claim and effect disagree.
    """
    from icclint.lower.host import lower_host  # noqa: PLC0415
    from icclint.reach import reach as table_of  # noqa: PLC0415

    read = one_host(captures, "reach", limits, wanted)
    host, _ = lower_host(read.host, read.documents)
    table = table_of(host)
    if disagreements:
        table = table.model_copy(update={"rows": tuple(row for row in table.rows if row.disagrees)})
    shown = [escaped(table.model_dump_json(indent=2, by_alias=True))] if output == "json" else table.text()
    write(shown, None, coloured=True)


@main.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--json", "as_json", is_flag=True, help="The whole representation of each host, as JSON.")
@limited
def show(captures: tuple[str, ...], as_json: bool, limits: Limits) -> None:
    """Show what captures hold: each document, its kind and what it was recognised by, what was passed over, what is
    missing, and which rules that leaves unassessed.
    """
    from icclint.show import show as shown  # noqa: PLC0415

    read, complete = captures_at(captures, limits)
    rules = installed_rules()
    hosts = (shown(capture, rules) for capture in read)
    if as_json:
        value = {"format": "icclint-show/1", "hosts": [host.plain() for host in hosts]}
        write([escaped(json.dumps(value, ensure_ascii=False, indent=2))], None, coloured=True)
    else:
        write((line for host in hosts for line in (*host.text(), "")), None, coloured=True)
    sys.exit(OK if complete else INCOMPLETE)


@main.command()
def collect() -> None:
    """Print the shell script that captures a host.

    Read it, then run it on the host as root: icclint collect > collect.sh; sh collect.sh --help
    """
    script = Path(__file__).with_name("collect.sh").read_text(encoding="utf-8")
    write([script.removesuffix("\n")], None, coloured=True)


@main.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option("-o", "--output", type=click.Choice(("text", "json", "markdown")), default="text", show_default=True)
@limited
def diff(before: str, after: str, output: str, limits: Limits) -> None:
    """Show what changed between two captures of a host, in effect.

    Connections that became possible or impossible, what Docker says differently, and findings that are new or gone. The
    exit code is 0 where nothing changed and 1 where something did.
    """
    from icclint.difference import difference  # noqa: PLC0415
    from icclint.output.difference import render_markdown, render_text  # noqa: PLC0415

    earlier, later = (one_host((path,), "diff", limits) for path in (before, after))
    found = difference(earlier, later, installed_rules())
    lines = {
        "text": lambda: render_text(found),
        "json": lambda: iter([escaped(found.model_dump_json(indent=2, by_alias=True))]),
        "markdown": lambda: render_markdown(found),
    }
    write(lines[output](), None, coloured=True)
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

    if any(rule.id == name for rule in installed_rules()):
        raise click.UsageError(f"a rule with the name {name} is there already")
    folder = directory or Path(f"icclint-{name}")
    try:
        written = write_package(name, folder)
    except (ValueError, FileExistsError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}", USAGE)
    say(*map(str, written), "", f"Next: pip install -e '{folder}[test]' && pytest {folder}")


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
