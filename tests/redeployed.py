"""A captured host after an ordinary redeploy: networks and containers are the same by name, and new in all else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from icclint.capture.read import Capture
from icclint.source import Document

Subnet = IPv4Network | IPv6Network

_IDENTIFIER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_ADDRESS = re.compile(r"(?<![\w.])\d+(?:\.\d+){3}(?![\w.])|(?<![\w.:])[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*(?![\w.:])")


@dataclass(frozen=True)
class Redeploy:
    """What becomes of the identifiers, subnets, addresses and MAC addresses of one capture.

    Identifiers and MAC addresses are new. The second byte of IPv4 subnets, and the last group of IPv6 ones, is another,
    and the containers of a subnet change places among its addresses.
    """

    capture: Capture

    @property
    def redeployed(self) -> Capture:
        """The capture as it is afterwards."""
        documents = tuple(
            (Document(document.name, self._rewritten(document.text).encode()), kind)
            for document, kind in self.capture.documents
        )
        return Capture(self.capture.host, documents, self.capture.gaps)

    def _rewritten(self, text: str) -> str:
        for old, new in self._words.items():
            text = text.replace(old, new)
        return _ADDRESS.sub(lambda found: self._address(found[0]), text)

    @cached_property
    def _networks(self) -> list[Mapping[str, Any]]:
        named = [document.text for document, _ in self.capture.documents if document.name == "networks.json"]
        return list(json.loads(named[0])) if named else []

    @cached_property
    def _words(self) -> dict[str, str]:
        texts = [document.text for document, _ in self.capture.documents if document.name.endswith(".json")]
        found = sorted({word for text in texts for word in _IDENTIFIER.findall(text)})
        whole = {word: hashlib.sha256(word.encode()).hexdigest() for word in found}
        # A bridge, and whoever is short of room, has the first twelve digits.
        short = {old[:12]: new[:12] for old, new in whole.items()}
        macs = {
            endpoint["MacAddress"]: f"{endpoint['MacAddress'][:15]}{number:02x}"
            for network in self._networks
            for number, endpoint in enumerate(network["Containers"].values(), start=0xA0)
            if endpoint["MacAddress"]
        }
        return whole | short | macs

    @cached_property
    def _subnets(self) -> dict[Subnet, Subnet]:
        found = (ip_network(config["Subnet"]) for network in self._networks for config in self._configs(network))
        return {subnet: _another(subnet) for subnet in found}

    def _configs(self, network: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
        yield from network["IPAM"]["Config"] or ()

    def _address(self, word: str) -> str:
        try:
            address = ip_address(word)
        except ValueError:
            return word
        for old, new in self._subnets.items():
            if address in old:
                offset = int(address) - int(old.network_address)
                return str(new.network_address + _elsewhere(offset, old))
        return word


def _another(subnet: Subnet) -> Subnet:
    if isinstance(subnet, IPv4Network):
        # 172.17 becomes 172.81 and 10.2 becomes 10.66: private as before, and apart as before.
        return IPv4Network((int(subnet.network_address) ^ (64 << 16), subnet.prefixlen))
    return IPv6Network((int(subnet.network_address) ^ (0x4000 << 64), subnet.prefixlen))


def _elsewhere(offset: int, subnet: Subnet) -> int:
    """Where in its subnet an address is: 2 and 3 change places, 4 and 5 do, and so on, but for the ends."""
    moved = offset ^ 1
    return (
        moved
        if 2 <= offset < 256 and moved < subnet.num_addresses - 1 and offset < subnet.num_addresses - 1
        else offset
    )
