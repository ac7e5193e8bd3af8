"""The Docker engine as a process: started, stopped, killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.lab.host import ENVIRONMENT, Host
from tests.lab.roots import version

IMAGE = "lab"
"""The image of all containers: a static busybox, which sleeps. Packets do not depend on what runs in a container."""

_SOCKET = "run/docker.sock"
_LEFT_BEHIND = ("run/docker.pid", _SOCKET, "run/docker/containerd/containerd.pid")
_OWN_PROGRAMS = ("containerd", "docker-proxy", "busybox")
"""What an engine starts, containerd's shims included, by how the names of the processes begin."""
_SECONDS_TO_START, _SECONDS_TO_STOP = 40, 30


class EngineError(Exception):
    """The engine ended or did not come up, with the end of its log."""


class Engine:
    """An engine of some version on a host.

    ``always`` are flags that it is started with whatever the scenario; ``flags`` are all that it was last started with.
    """

    def __init__(self, host: Host, name: str, cgroup: str, always: tuple[str, ...] = ()) -> None:
        self.name, self.version = name, version(name)
        self.flags: tuple[str, ...] = ()
        self._always = always
        self._host = host
        self._cgroup = cgroup
        self._log = host.root / "tmp/dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> None:
        """Starts it and waits until it answers; raises EngineError if it does not."""
        self.flags = (*self._always, *flags)
        self._host.steps.append(" ".join(["dockerd", *self.flags]))
        own = ("-H", "unix:///var/run/docker.sock", "--storage-driver", "vfs", "--cgroup-parent", f"/{self._cgroup}")
        command = ["chroot", str(self._host.root), "dockerd", *own, *self.flags]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait(self._process)
        if not self._host.ask("docker", "images", "-q", IMAGE):
            self._import_image()

    def try_start(self, *flags: str) -> bool:
        """Starts it, or notes why it would not, and returns False."""
        try:
            self.start(*flags)
        except EngineError as error:
            self._host.steps[-1] += f"   # refused: {error}"
            return False
        return True

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < end and process.poll() is None:
            if (self._host.root / _SOCKET).exists() and self._host.execute("docker", "version").returncode == 0:
                return
            time.sleep(0.1)
        said = self._log.read_text(errors="replace").splitlines()
        raise EngineError(said[-1] if said else "it does not come up, and says nothing")

    def _import_image(self) -> None:
        tree = self._host.root / "tmp/image"
        for name in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            (tree / name).mkdir(parents=True)
        shutil.copy(self._host.root / "bin/busybox", tree / "bin/busybox")
        self._host.ask("sh", "-c", f"tar -C /tmp/image -c . | docker import - {IMAGE}")

    def stop(self) -> None:
        """Stops it as a service manager would, and with it all containers."""
        self._host.steps.append("stop dockerd")
        self._end(signal.SIGTERM)

    def crash(self) -> None:
        """Kills it and everything that it started, as the crash of a machine would; rules and bridges stay."""
        self._host.steps.append("kill -9 dockerd, containerd and every containerd-shim, docker-proxy and container")
        self._end(signal.SIGKILL)
        for process in _processes(_OWN_PROGRAMS):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended with its parent
        # The kernel takes a container's interfaces away a little later.
        time.sleep(0.5)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None, "no engine was started"
        self._process.send_signal(how)
        self._process.wait(_SECONDS_TO_STOP)
        for name in _LEFT_BEHIND:
            (self._host.root / name).unlink(missing_ok=True)


def _processes(names: tuple[str, ...]) -> Iterator[int]:
    """The processes of these names in this namespace of process ids, all of which are the lab's."""
    for file in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = file.read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.startswith(names):
            yield int(file.parent.name)
