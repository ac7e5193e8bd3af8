"""A fleet of small captures, made of those in samples/: seconds for one core, two cores and a Dask cluster on loopback.

Run as ``python benchmarks/fleet.py [--hosts N] [--json FILE]``, with ``icclint[test]`` installed. A way is timed only
if its report has the same bytes as that of the first way. Memory is that of the process that writes the report, and of
the largest process of all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("icclint", "pydantic", "pebble", "distributed", "pyarrow")


@dataclass(frozen=True)
class Result:
    """What one way took, in seconds and MB."""

    way: str
    hosts: int
    findings: int
    seconds: float
    captures_per_second: float
    megabytes: float


def write_fleet(folder: Path, hosts: int) -> None:
    """So many hosts, each one of the samples with its own name as a comment in the rules."""
    samples = [
        {path.name: path.read_bytes() for path in sorted(sample.iterdir())}
        for sample in sorted((ROOT / "samples").glob("*/*/"))
    ]
    for number in range(hosts):
        host = folder / f"host{number:06}"
        host.mkdir(parents=True)
        for name, content in samples[number % len(samples)].items():
            tail = f"# {host.name}\n".encode() if name.startswith("iptables") else b""
            (host / name).write_bytes(content + tail)


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """A scheduler and workers of one thread each, all processes of their own; gives the scheduler's address.

    What they write goes into the folder. Raises RuntimeError where the scheduler does not start.
    """
    file = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    options = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    commands = [
        [*dask, "scheduler", "--port", "0", *options],
        *[[*dask, "worker", "--nthreads", "1", "--local-directory", str(folder), *options]] * workers,
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True))
            while not file.exists() or not file.stat().st_size:
                if started[0].poll() is not None:
                    raise RuntimeError(f"the scheduler ended with {started[0].returncode}")
                time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in started:
            # A nanny is not to begin another worker.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure(way: str, fleet: Path, hosts: int, options: Sequence[str]) -> tuple[Result, str]:
    """The result, and the digest of the report."""
    report = fleet.parent / "report.json"
    command = [
        sys.executable,
        "-m",
        "icclint",
        "check",
        fleet.name,
        "-o",
        f"json={report}",
        "-o",
        "parquet=report.parquet",
    ]
    begun = time.perf_counter()
    process = subprocess.Popen([*command, *options], cwd=fleet.parent)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if os.waitstatus_to_exitcode(status) != 1:
        raise SystemExit(f"{way}: ended with {os.waitstatus_to_exitcode(status)}")
    content = report.read_bytes()
    findings = len(json.loads(content)["findings"])
    result = Result(way, hosts, findings, round(seconds, 1), round(hosts / seconds, 1), round(usage.ru_maxrss / 1024))
    return result, hashlib.sha256(content).hexdigest()


def main() -> None:
    """Measures all ways, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the results as JSON, too")
    arguments = parser.parse_args()
    hosts: int = arguments.hosts
    with tempfile.TemporaryDirectory() as folder:
        fleet = Path(folder, "fleet")
        write_fleet(fleet, hosts)
        found = [
            measure("one core", fleet, hosts, ("--jobs", "1")),
            measure("two cores", fleet, hosts, ("--jobs", "2")),
        ]
        with cluster(Path(folder), workers=2) as address:
            found.append(measure("Dask, two workers", fleet, hosts, ("--cluster", address)))
    if len({digest for _, digest in found}) > 1:
        raise SystemExit("the reports differ")
    results = [result for result, _ in found]
    print("| way | captures | findings | seconds | captures/s | MB |\n| --- | --- | --- | --- | --- | --- |")
    for result in results:
        print(f"| {' | '.join(map(str, asdict(result).values()))} |")
    if arguments.json:
        machine = {"processor": platform.processor(), "cores": os.cpu_count(), "python": platform.python_version()}
        value = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine,
            "versions": {name: version(name) for name in PACKAGES},
            "results": [asdict(result) for result in results],
        }
        arguments.json.write_text(json.dumps(value, indent=2))


if __name__ == "__main__":
    main()
