"""Docker's own rules that keep a network apart, and why they do not stop some packets: shared by two rules.

The mechanisms of the generations, as moby and libnetwork write them: pairs of subnets in FORWARD (1.8, 1.9), ordered
pairs of bridges in DOCKER-ISOLATION (1.10 to 18.03.0), DOCKER-ISOLATION-STAGE-1 and -2 (18.03.1 to 28), a DROP for each
bridge at the end of chain DOCKER and one for each container in table raw (since 28), and for internal networks a pair
of rules on the subnet in one of these chains or in DOCKER-INTERNAL (29).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from icclint.api import (
    BUILT_IN_CHAINS,
    ENGINE_CHAINS,
    AddressMatch,
    Drop,
    Effect,
    Host,
    InterfaceMatch,
    Location,
    Network,
    Packet,
    Rule,
    Share,
    Table,
    closes_containers,
)
from icclint_rules.lines import deletion, removal, ruleset_of
from icclint_rules.proof import tool

RESTART = "systemctl restart docker"
MOST_PLACES = 5
"""How many of the rules that packets never reach are shown."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why nothing of Docker's stops some packets: ``words`` end a sentence, ``places`` are the rules in question."""

    words: str
    places: tuple[Location, ...]
    remedy: tuple[str, ...]


def cause(host: Host, effect: Effect, network: Network, share: Share) -> Cause:
    """Why the rules that keep a network apart do not stop the packets of a share."""
    packet = share.witness
    decided = share.decision.rule
    if decided is not None and decided.table not in BUILT_IN_CHAINS:
        outward = packet.in_interface == network.bridge
        words = ", for what may go into a network is asked before what may go out of another" if outward else ""
        return Cause(words, (), removal(host, decided))
    barriers = list(barriers_of(host, network, packet))
    if host.native_rules(packet.family):
        # The engine's rules are those of nftables itself, whose path the finding shows.
        return Cause("", (), ())
    if not any(chain.name in ENGINE_CHAINS for table in tables(host, packet.family) for chain in table.chains.values()):
        return Cause(f", and there are no rules of Docker's in {tool(packet.family)}", (), ())
    if decided is not None and decided.chain == "DOCKER" and closes_containers(host, packet.family):
        return Cause(", and nothing in table raw keeps the packets out", (), (RESTART,))
    if not barriers:
        return Cause(", and Docker's own rules against it are missing", (), (RESTART,))
    stale = [rule for rule in barriers if is_for_another_subnet(network, rule)]
    if stale:
        places = tuple(Location(rule.span, "Docker's rule against it, for another subnet") for rule in stale)
        return Cause(", and Docker's own rule against it is for another subnet", places, (RESTART,))
    met = {step.span for step in effect.trace(share).steps}
    never = [rule for rule in barriers if rule.span not in met]
    return Cause(
        ", and Docker's own rule against it is never asked" if never else "",
        tuple(Location(rule.span, "Docker's DROP, which these packets never reach") for rule in never[:MOST_PLACES]),
        way_back(host, share.decision.rule),
    )


def way_back(host: Host, decided: Rule | None) -> tuple[str, ...]:
    """What puts Docker's rules before the one that decided; a restart puts them at the top of FORWARD."""
    if decided is not None and decided.chain == "DOCKER-INGRESS":
        return ()
    if decided is None or decided.chain in ENGINE_CHAINS or decided.chain == "FORWARD":
        return (RESTART,)
    return deletion(ruleset_of(host, decided), decided)


def barriers_of(host: Host, network: Network, packet: Packet) -> Iterator[Rule]:
    """Docker's rules that drop such packets on their way into a network, or out of it where it is internal."""
    for table in tables(host, packet.family):
        for chain in table.chains.values():
            if chain.name in ENGINE_CHAINS or chain.name in ("FORWARD", "PREROUTING"):
                yield from (rule for rule in chain.rules if is_barrier(network, packet, rule))


def tables(host: Host, family: int) -> Iterator[Table]:
    for ruleset in host.rulesets_of(family):
        yield from (ruleset.tables[name] for name in ("raw", "filter") if name in ruleset.tables)


def is_barrier(network: Network, packet: Packet, rule: Rule) -> bool:
    """Whether a rule is one of those shapes, for this network and the packet's way."""
    if not isinstance(rule.target, Drop):
        return False
    ways = {(m.side, m.negated): m.pattern for m in rule.matches if isinstance(m, InterfaceMatch)}
    sides = {(m.side, m.negated): m for m in rule.matches if isinstance(m, AddressMatch)}
    bridge, inward = network.bridge, packet.out_interface == network.bridge
    to = sides.get(("destination", False))
    if rule.table == "raw":
        # The guard of one container.
        return inward and ways.get(("in", True)) == bridge and to is not None and holds(to, packet.destination)
    if rule.chain == "FORWARD":
        # A pair of subnets.
        source = sides.get(("source", False))
        return not ways and to is not None and source is not None and holds(to, packet.destination)
    if inward:
        return ways.get(("out", False)) == bridge and ways.get(("in", False)) in (None, packet.in_interface)
    return ways.get(("in", False)) == bridge and ("destination", True) in sides


def holds(match: AddressMatch, address: int) -> bool:
    return any(first <= address <= last for first, last in match.ranges)


def is_for_another_subnet(network: Network, rule: Rule) -> bool:
    """Whether an internal network's rule names a subnet that the network does not have."""
    own = {(int(subnet.network_address), int(subnet.broadcast_address)) for subnet in network.subnets}
    return any(isinstance(m, AddressMatch) and m.negated and not own.issuperset(m.ranges) for m in rule.matches)
