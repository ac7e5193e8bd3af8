"""What the capture tells of addresses."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from icclint.ir.match import Range
from icclint.ir.network import Network
from icclint.packets.box import any_address
from icclint.packets.ranges import RangeSet


def routed_addresses(network: Network, family: int) -> RangeSet:
    """The addresses that containers of a network can have: its subnets, less gateways and the ends of IPv4 subnets.

    Where the gateway is not stated, the first address is left out too, since it is the one that the engine takes by
    default (moby, libnetwork/ipam/allocator.go).
    """
    endpoints = [int(a) for e in network.endpoints if (a := e.address(family)) is not None]
    subnets = network.subnets_of(family)
    if not subnets:
        # Nothing is stated, so nothing may be left out.
        return RangeSet.single(*endpoints) or any_address(family)
    taken = [int(gateway) for gateway in network.gateways if gateway.version == family]
    for subnet in subnets:
        first, last = subnet_range(subnet)
        if subnet.num_addresses > 2:
            taken += [first, last] if subnet.version == 4 else [first]
            if not any(gateway in subnet for gateway in network.gateways):
                taken.append(first + 1)
    return (RangeSet.of(*map(subnet_range, subnets)) - RangeSet.single(*taken)) | RangeSet.single(*endpoints)


def subnet_range(subnet: IPv4Network | IPv6Network) -> Range:
    """The first and the last address of a subnet."""
    return int(subnet.network_address), int(subnet.broadcast_address)
