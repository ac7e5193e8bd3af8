"""Makes the root file system of an engine: a Debian suite with the engine, iptables and what the lab needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

from tests.lab.host import Host
from tests.lab.roots import ROOTS, version_in

SCRIPTS = Path("/usr/share/debootstrap/scripts")
TOOLS = ("iptables", "nftables", "iproute2", "conntrack", "busybox-static")
"""What the lab runs inside, whichever engine it is."""
CLIENT_INCLUDED = ("bullseye", "bookworm")
"""Suites whose docker.io holds the command line, which is a package of its own since."""


@click.command(help=__doc__)
@click.argument("suite")
@click.option(
    "--programs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Docker's own archive of static programs, for a release that no suite carries; they are used before the "
    "suite's.",
)
def main(suite: str, programs: Path | None) -> None:
    root = ROOTS / f"{suite}.part"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    install(suite, root)
    if programs:
        unpack(programs, root)
    engine = _installed_engine(root)
    shutil.rmtree(ROOTS / engine, ignore_errors=True)
    root.rename(ROOTS / engine)
    click.echo(f"{engine}: {ROOTS / engine}")


def install(suite: str, root: Path) -> None:
    """A minimal Debian with its engine in an empty folder; what debootstrap says goes to a file beside it."""
    # An old debootstrap knows no new suite, but all of them are made like sid.
    script = SCRIPTS / suite if (SCRIPTS / suite).exists() else SCRIPTS / "sid"
    engine = ("docker.io",) if suite in CLIENT_INCLUDED else ("docker.io", "docker-cli")
    include = f"--include={','.join((*TOOLS, *engine))}"
    command = ["debootstrap", "--variant=minbase", include, suite, str(root), mirror(), str(script)]
    log = root.with_suffix(".log")
    with log.open("wb") as out:
        # What it mounts in the folder goes with its namespace, however it ends.
        done = subprocess.run(["unshare", "--mount", *command], stdout=out, stderr=out, check=False)
    if done.returncode != 0:
        raise click.ClickException(f"debootstrap failed, see {log}")
    for packed in root.glob("var/cache/apt/archives/*.deb"):
        packed.unlink()
    shutil.rmtree(root / "var/lib/apt/lists")


def mirror() -> str:
    """The address of the mirror that this machine's own apt takes Debian from."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    found = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    # The mirror of security updates holds no whole suite.
    whole = [address for address in found if "security" not in address]
    if not whole:
        raise click.ClickException("this machine's apt has no index of Debian; apt-get update fetches it")
    return whole[0]


def unpack(programs: Path, root: Path) -> None:
    """Puts Docker's programs where they are found before those of packages."""
    subprocess.run(["tar", "-C", root / "usr/local/bin", "--strip-components=1", "-xf", programs], check=True)


def _installed_engine(root: Path) -> str:
    said = Host(root).ask("dockerd", "--version")
    engine = version_in(said)
    if engine is None:
        raise click.ClickException(f"this engine does not tell its version: {said.strip()}")
    return engine


if __name__ == "__main__":
    main()
