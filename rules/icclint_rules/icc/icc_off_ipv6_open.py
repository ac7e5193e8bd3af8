"""A bridge network has ICC off and IPv6 on, and its containers reach each other over IPv6.

## What it detects

A network of the bridge driver with `EnableIPv6` whose `com.docker.network.bridge.enable_icc` is false, on a
host where ip6tables accepts a new IPv6 connection between its containers, by their own or by their link-local
addresses.

## Why it matters

Engines before 27.0 write no IPv6 rules unless `ip6tables` and `experimental` are both set in `daemon.json`, and
`--ip6tables=false` still turns them off today. The IPv4 DROP is in place, the claim is made once for both
families, and every port is open over IPv6.

## Example

    "EnableIPv6": true,
    "com.docker.network.bridge.enable_icc": "false"

    # ip6tables -S FORWARD
    -P FORWARD ACCEPT

## What to do

Let the engine manage ip6tables (`"ip6tables": true`; with `"experimental": true` before 27.0), or drop `-i
BRIDGE -o BRIDGE` in ip6tables' FORWARD yourself.

## Limits

Neighbour discovery is not counted as a connection. Whether bridged frames reach ip6tables at all is what
`bridge-netfilter-off` looks at.

## References

- CWE-923, CWE-284
- CIS Docker Benchmark 1.8.0, 2.2
- https://github.com/moby/moby/issues/25407: IPv6 without rules of Docker's
"""

from __future__ import annotations

from collections.abc import Iterator

from icclint.api import Effect, Evidence, Finding, Host, NotAssessed, Severity, rule
from icclint_rules.icc.icc_leak import icc_leaks


@rule(
    id="icc-off-ipv6-open",
    severity=Severity.HIGH,
    needs={Evidence.NETWORKS},
    since="0.1",
)
def icc_off_ipv6_open(host: Host, effect: Effect) -> Iterator[Finding | NotAssessed]:
    for network in host.bridges:
        if network.icc is False and network.ipv6:
            yield from icc_leaks(host, effect, network, 6)
