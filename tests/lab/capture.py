"""What is saved of a host: everything that Docker claims, every dump of rules, and then what packets do."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

from tests.lab import truth
from tests.lab.host import Host
from tests.lab.lab import VARIANTS, Lab
from tests.lab.measure import measure
from tests.lab.parties import Inspected
from tests.lab.scenario import Scenario

TRUTH = "truth.json"

COMMANDS = {
    "iptables-save.txt": ("iptables-save",),
    "ip6tables-save.txt": ("ip6tables-save",),
    "iptables-S.txt": ("iptables", "-w", "-S"),
    "iptables-S-nat.txt": ("iptables", "-w", "-t", "nat", "-S"),
    "ip6tables-S.txt": ("ip6tables", "-w", "-S"),
    "docker-version.txt": ("docker", "version"),
    "ip-addr.txt": ("ip", "addr"),
    "ip-route.txt": ("sh", "-c", "ip route; ip -6 route"),
}
"""Files and the commands that print them."""
NFT = ("nft", "list", "ruleset")

SETTINGS = (
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-arptables",
    "net/ipv4/conf/*/route_localnet",
    "net/ipv4/conf/*/rp_filter",
    "net/ipv4/conf/*/forwarding",
    "net/ipv6/conf/*/forwarding",
    "net/ipv6/conf/*/disable_ipv6",
)
"""The kernel settings that forwarding hangs on, as paths beneath /proc/sys."""

_SECONDS_TO_SETTLE = 6


def place(engine: str, backend: str, scenario: str) -> Path:
    """Where a capture lies beneath the folder of all captures. The usual backend goes without saying."""
    return Path(engine if backend == "nft" else f"{engine}-{backend}", scenario)


def capture(lab: Lab, scenario: Scenario, folder: Path) -> truth.Truth:
    """Saves the state of a host into a folder, in place of what was there once all is told."""
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _settle(lab.host)
    networks, containers = lab.containers.inspect_networks(), lab.containers.inspect_all()
    save(lab, networks, containers, unfinished)
    measured = truth.Truth.model_validate(
        {**_story(lab, scenario), **measure(lab, networks, containers, scenario.coverage)}
    )
    (unfinished / TRUTH).write_text(truth.text(measured))
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return measured


def _story(lab: Lab, scenario: Scenario) -> dict[str, Any]:
    """The members of `Truth` that say what was done."""
    return {
        "engine": lab.engine.name,
        "backend": lab.backend,
        "scenario": scenario.name,
        "note": scenario.note,
        "daemon_flags": list(lab.engine.flags),
        "steps": list(lab.host.steps),
    }


def _settle(host: Host) -> None:
    """Waits until the kernel has made sure that nobody else has its IPv6 addresses."""
    end = time.monotonic() + _SECONDS_TO_SETTLE
    while time.monotonic() < end:
        tentative = host.ask("ip", "-6", "-o", "addr", "show", "tentative").splitlines()
        if all("dadfailed" in line for line in tentative):
            return
        time.sleep(0.2)


def save(lab: Lab, networks: list[Inspected], containers: list[Inspected], folder: Path) -> None:
    """Saves all but the truth."""
    for name, command in COMMANDS.items():
        (folder / name).write_text(_printed(lab.host, *command))
    _save_other_variants(lab, folder)
    if lab.backend != "legacy":
        (folder / "nft-ruleset.txt").write_text(_printed(lab.host, *NFT))
    # As Docker prints it.
    (folder / "networks.json").write_text(json.dumps(networks, indent=4) + "\n")
    (folder / "containers.json").write_text(_lines(containers))
    (folder / "sysctl.txt").write_text(_settings())


def _printed(host: Host, *command: str) -> str:
    """What a command prints, or why it fails: some variants of iptables cannot show the rules of others."""
    done = host.execute(*command)
    return done.stdout if done.returncode == 0 else f"# exit {done.returncode}: {done.stderr.strip()}\n"


def _save_other_variants(lab: Lab, folder: Path) -> None:
    """What the other variant of iptables shows, where it has rules."""
    found = "legacy" if lab.backend == "legacy" else "nft"
    for variant in VARIANTS:
        shown = lab.host.execute(f"iptables-{variant}-save").stdout
        if variant != found and re.search("^-A", shown, re.MULTILINE):
            (folder / f"iptables-{variant}-save.txt").write_text(shown)


def _lines(values: list[dict[str, Any]]) -> str:
    """A line each, which keeps stored captures small and comparable."""
    return "[" + ",\n".join(json.dumps(value, separators=(",", ":")) for value in values) + "]\n"


def _settings() -> str:
    """What ``sysctl -a`` would print of some settings."""
    base = Path("/proc/sys")
    found = [path for pattern in SETTINGS for path in sorted(base.glob(pattern))]
    # The ends of containers' cables, which have names of their own in every capture.
    kept = [path for path in found if not path.parent.name.startswith("veth")]
    return "".join(f"{path.relative_to(base)}".replace("/", ".") + f" = {path.read_text()}" for path in kept)
