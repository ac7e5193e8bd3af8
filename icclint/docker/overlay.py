"""The rules by which an engine carries out the encryption of overlay networks.

A node encrypts what it sends on such a network because a rule marks it, and refuses what arrives in clear because a
rule drops it. Both ask for the network's VNI, its number in the VXLAN header: by ``-m u32`` up to 23.0, by ``-m bpf``
since. Since 20.10.24 and 23.0.3 the DROP is inserted first in INPUT, and leaves out what IPsec has decrypted by ``-m
policy``.

Sources: moby, libnetwork/drivers/overlay/encryption.go and bpf.go; the changes for CVE-2023-28840 to 28842
(`b87f7f18b8`, `98cbcb8003`, `c492a22287`).
"""

from __future__ import annotations

import re

from icclint.ir.match import Drop, OpaqueMatch, SetMark
from icclint.ir.network import Network
from icclint.ir.ruleset import Rule

VNI_LIST = "com.docker.network.driver.overlay.vxlanid_list"
ENCRYPTED = "encrypted"
MARK = 0xD0C4E3
"""The mark of what is to be encrypted, which the engine's IPsec policies ask for."""

# The VNI takes the upper three bytes of the word that either program reads.
_U32 = re.compile(r"0x0>>0x16&0x3c@0xc&0xffffff00=(0x[0-9a-f]+)")
_BPF = re.compile(r"--bytecode \"7,32 0 0 4294963252,7 0 0 0,64 0 0 4,116 0 0 8,21 1 0 ([0-9]{1,10}),")
_VNI = re.compile(r"[0-9]{1,8}")


def is_encrypted(network: Network) -> bool:
    """Whether the driver encrypts a network: it asks whether the key is there, whatever its value (ov_network.go)."""
    return network.driver == "overlay" and ENCRYPTED in network.options


def vnis(network: Network) -> tuple[int, ...]:
    """The VNIs of an overlay network, one for each of its subnets."""
    return tuple(map(int, filter(_VNI.fullmatch, network.options.get(VNI_LIST, "").split(","))))


def vni_of(rule: Rule) -> int | None:
    """The VNI that a rule asks for; None for rules that ask for none."""
    for match in rule.matches:
        if isinstance(match, OpaqueMatch) and not match.negated:
            if (u32 := _U32.search(match.text)) is not None:
                return int(u32[1], 16) >> 8
            if (bpf := _BPF.search(match.text)) is not None:
                return int(bpf[1])
    return None


def refuses_clear(rule: Rule) -> bool:
    """Whether a rule refuses what arrives in clear on an encrypted network."""
    return (
        (rule.table, rule.chain) == ("filter", "INPUT") and isinstance(rule.target, Drop) and vni_of(rule) is not None
    )


def marks_for_encryption(rule: Rule) -> bool:
    """Whether a rule marks what is sent on an encrypted network, so that it is encrypted."""
    marks = isinstance(rule.target, SetMark) and rule.target.value == MARK
    return (rule.table, rule.chain) == ("mangle", "OUTPUT") and marks and vni_of(rule) is not None
