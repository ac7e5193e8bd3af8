"""The rules in force are not those that the engine's release writes: another release, or a restored dump, left them.

## What it detects

Rules by which releases of the engine are told apart (the jumps of FORWARD and DOCKER-FORWARD, the guards in table raw),
where `docker version` or `docker info` names a release that writes others.

## Why it matters

What Docker claims of its networks is what the engine of today would carry out. These rules are what another one did,
or what `iptables-restore` brought back: they lack what was fixed since, they know nothing of networks and containers
that came later, and today's engine neither changes nor removes most of them until it starts anew.

## Example

    Server: Docker Engine - Community
     Engine:
      Version:          28.5.2

    -A FORWARD -j DOCKER-USER
    -A FORWARD -j DOCKER-ISOLATION-STAGE-1

## What to do

Restart the engine, which writes its own rules, and see what else it leaves in place. Where a dump is restored at boot
(netfilter-persistent, `iptables-restore` in a unit), take Docker's chains out of it.

## Limits

The rules tell a range of releases, so that a release of the same range passes. An engine with live restore that was
upgraded while containers run is reported until it has written its rules anew. Where rules of two engines are in force
at once, `rules-of-two-engines` says so instead.

## References

- CWE-459
- moby, daemon/libnetwork/drivers/bridge/internal/iptabler, and before 28.2 libnetwork/drivers/bridge: what each release
  writes
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import (
    Effect,
    Evidence,
    Finding,
    Host,
    Location,
    NotAssessed,
    Profile,
    Severity,
    generations,
    rule,
)


@rule(
    id="rules-of-another-release",
    severity=Severity.MEDIUM,
    profile=Profile.AUDIT,
    needs={Evidence.IPTABLES, Evidence.ENGINE},
    since="0.1",
)
def rules_of_another_release(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    marks = generations(host)
    assert host.engine is not None, "the rule needs it"
    if len(marks) != 1 or not host.engine.release or marks[0].generation.holds(host.engine.release):
        return
    (mark,) = marks
    yield Finding(
        message=(
            f"The rules in force are those of Docker Engine {mark.generation.name}, and the engine is "
            f"{host.engine.version}"
        ),
        subject="host",
        key=(mark.generation.name,),
        primary=Location(mark.span, f"only Docker Engine {mark.generation.name} writes this"),
        related=(Location(host.engine.span, "the engine of the host"),),
        remedy=("systemctl restart docker",),
    )
