"""The Docker host: commands that run on it, and the record of those that changed it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


class CommandError(Exception):
    """A command on the host failed, with what it said."""


class NotOnThisEngineError(Exception):
    """The engine cannot do what a scenario asks for."""


class Host:
    """The Docker host: a root file system, in the namespaces that this process is in.

    ``steps`` are the commands that brought it into its state, in order, as a person would type them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps: list[str] = []

    def execute(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command with some standard input, however it ends."""
        inside = ["chroot", str(self.root), *command]
        return subprocess.run(inside, env=ENVIRONMENT, text=True, input=given, capture_output=True, check=False)

    def ask(self, *command: str, given: str = "") -> str:
        """What a command prints. Being no step, it is not to change what a capture shows."""
        done = self.execute(*command, given=given)
        if done.returncode != 0:
            raise CommandError(f"{shlex.join(command)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def do(self, *command: str, given: str = "") -> None:
        """One step."""
        self.steps.append(shlex.join(command) + (f" <<'END'\n{given}END" if given else ""))
        self.ask(*command, given=given)

    def attempt(self, *command: str) -> bool:
        """One step that an engine may refuse; then the step says why, and False is returned."""
        self.steps.append(shlex.join(command))
        done = self.execute(*command)
        if done.returncode != 0:
            self.steps[-1] += f"   # refused: {done.stderr.strip()}"
        return done.returncode == 0

    def sysctl(self, name: str, value: int) -> None:
        """Sets a kernel setting by its dotted name."""
        self.steps.append(f"sysctl -w {name}={value}")
        setting(name).write_text(str(value))

    def iptables(self, *arguments: str) -> None:
        """Changes the rules of IPv4 by hand."""
        self.do("iptables", "-w", *arguments)

    def use_iptables(self, variant: str) -> None:
        """Chooses the iptables, ``nft`` or ``legacy``, that the engine and all commands find from now on."""
        for tool in ("iptables", "ip6tables"):
            self.do("update-alternatives", "--set", tool, f"/usr/sbin/{tool}-{variant}")


def setting(name: str) -> Path:
    """Where a kernel setting of this thread's namespaces is, by its dotted name."""
    return Path("/proc/sys", *name.split("."))
