"""Rules: one question each about a host."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from icclint.finding import Finding, NotAssessed, Severity
from icclint.ir.host import Host
from icclint.packets.effect import Effect
from icclint.references import References, read_references


class Evidence(Enum):
    """What a rule cannot do without, with the command that captures it."""

    IPTABLES = "iptables-save"
    NETWORKS = "docker network inspect $(docker network ls -q)"
    CONTAINERS = "docker inspect $(docker ps -aq)"
    SYSCTLS = "sysctl -a"
    ENGINE = "docker version"
    DAEMON = "cat /etc/docker/daemon.json; ps -ef | grep [d]ockerd"

    def is_in(self, host: Host) -> bool:
        """Whether a capture of the host holds it."""
        match self:
            case Evidence.IPTABLES:
                return bool(host.rulesets_of(4))
            case Evidence.NETWORKS:
                return host.networks is not None
            case Evidence.CONTAINERS:
                return host.containers is not None
            case Evidence.SYSCTLS:
                return host.sysctls is not None
            case Evidence.ENGINE:
                return host.engine is not None
        return host.daemon is not None


class Profile(Enum):
    """Which rules are asked where none are named: those whose findings are worth a person's time, or all."""

    DEFAULT = "default"
    AUDIT = "audit"


Check = Callable[[Host, Effect], Iterator[Finding | NotAssessed]]

_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def is_id(text: str) -> bool:
    """Whether a rule may have that name: words in lower case, with hyphens between them."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, how much its findings matter, what it needs, its question, and its page in Markdown.

    ``since`` is the first version of its package that has it, ``profile`` the narrowest profile that asks it.
    ``yields`` tells that its findings are about a line as it stands; they are told as a part of another rule's finding,
    which says what the line does, where one names that line.

    Raises TypeError or ValueError for what would fail only when the rule is asked: no type checker guards other
    packages.
    """

    id: str
    severity: Severity
    profile: Profile
    needs: frozenset[Evidence]
    since: str
    check: Check
    page: str
    yields: bool = False

    def __post_init__(self) -> None:
        if not is_id(self.id):
            raise ValueError(f"{self.id!r} is no name for a rule: words in lower case, with hyphens between them")
        for value, kind in (
            (self.severity, Severity),
            (self.profile, Profile),
            *((need, Evidence) for need in self.needs),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"rule {self.id}: {value!r} is no {kind.__name__}")

    @property
    def family(self) -> str:
        """The package that its module stands in: what its questions are about."""
        return self.check.__module__.rpartition(".")[0].rpartition(".")[2] or self.check.__module__

    @property
    def references(self) -> References:
        """What its page refers to."""
        return read_references(self.section("References"))

    @property
    def summary(self) -> str:
        """The first line of the page: what a finding of this rule means."""
        return self.page.strip().partition("\n")[0]

    def section(self, heading: str) -> str:
        """The text under a heading of the page; empty where it has none of that name."""
        _, _, rest = self.page.partition(f"\n## {heading}\n")
        return rest.partition("\n## ")[0].strip()


def rule(
    *,
    id: str,
    severity: Severity,
    needs: Iterable[Evidence],
    since: str,
    profile: Profile = Profile.DEFAULT,
    yields: bool = False,
) -> Callable[[Check], Rule]:
    """Makes a `Rule` of a check; its page is the docstring of the module that the check stands in."""

    def make(check: Check) -> Rule:
        page = sys.modules[check.__module__].__doc__ or ""
        return Rule(id, severity, profile, frozenset(needs), since, check, page, yields)

    return make
