"""The options that commands have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import click

from icclint.capture.limits import Limits

PROFILES = ("default", "audit")
FEW = 8
"""Fewer captures than that are checked sooner than processes for them are started."""

_LIMITS = Limits()


def limited(command: Callable[..., None]) -> Callable[..., None]:
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


def asking(command: Callable[..., None]) -> Callable[..., None]:
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
    asked = limited(command)
    for option in reversed(options):
        asked = option(asked)
    return asked
