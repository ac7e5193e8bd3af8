"""Matches and targets of a rule, as the packet engine understands them.

Addresses are integers in ranges of first and last, both inclusive; so are ports and protocol numbers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from icclint.ir.base import Frozen

Range = tuple[int, int]


class Match(Frozen):
    """One condition of a rule. ``text`` is the condition as it was written, ``negated`` is its ``!``.

    Rules that ask the same may share one.
    """

    negated: bool = False
    text: str


class AddressMatch(Match):
    """``-s``, ``-d`` and the ranges of ``-m iprange``: the address lies in one of ``ranges``."""

    kind: Literal["address"] = "address"
    side: Literal["source", "destination"]
    ranges: tuple[Range, ...]


class InterfaceMatch(Match):
    """``-i`` and ``-o``: the name equals ``pattern``, or starts with what stands before its final ``+``."""

    kind: Literal["interface"] = "interface"
    side: Literal["in", "out"]
    pattern: str

    def matches(self, name: str) -> bool:
        """Whether an interface of that name is meant, negation left aside (man iptables, ``-i``)."""
        if self.pattern.endswith("+"):
            return name.startswith(self.pattern[:-1])
        return name == self.pattern


class ProtocolMatch(Match):
    """``-p``: the protocol number."""

    kind: Literal["protocol"] = "protocol"
    number: int


class PortMatch(Match):
    """Ports of tcp, udp, udplite, sctp and dccp; ``either`` is ``-m multiport --ports``."""

    kind: Literal["port"] = "port"
    side: Literal["source", "destination", "either"]
    ranges: tuple[Range, ...]


class IcmpMatch(Match):
    """ICMP and ICMPv6 types. ``code`` is None for every code."""

    kind: Literal["icmp"] = "icmp"
    type: int
    code: int | None


class TcpFlagsMatch(Match):
    """``--tcp-flags``: of the flags in ``mask`` exactly those in ``flags`` are set (bits as in RFC 9293)."""

    kind: Literal["tcp-flags"] = "tcp-flags"
    mask: int
    flags: int


class StateMatch(Match):
    """``-m conntrack --ctstate`` and ``-m state --state``."""

    kind: Literal["state"] = "state"
    states: frozenset[str]


class AddressTypeMatch(Match):
    """``-m addrtype``: what the host's routing says of an address (``LOCAL``, ``UNICAST`` and others)."""

    kind: Literal["address-type"] = "address-type"
    side: Literal["source", "destination"]
    types: frozenset[str]


class MarkMatch(Match):
    """``-m mark``: the packet's mark, of which only the bits of ``mask`` count."""

    kind: Literal["mark"] = "mark"
    value: int
    mask: int


class PhysdevMatch(Match):
    """``-m physdev``: the bridge ports that a frame came in and goes out by.

    ``what`` is ``in``, ``out``, ``is-in``, ``is-out`` or ``is-bridged``; ``pattern`` is the name for the
    first two.
    """

    kind: Literal["physdev"] = "physdev"
    what: Literal["in", "out", "is-in", "is-out", "is-bridged"]
    pattern: str = ""


class FragmentMatch(Match):
    """``-f``: second and further fragments."""

    kind: Literal["fragment"] = "fragment"


class SetQuestion(Frozen):
    """Whether a packet is in a set of ipset: ``sides`` says for each dimension of the set which end it is about."""

    name: str
    sides: tuple[Literal["source", "destination"], ...]


class OpaqueMatch(Match):
    """A condition that the engine does not model. It may be true or false.

    ``per_packet`` tells that the answer hangs on the packet alone, so that the same text gives the same answer
    wherever it stands; otherwise (``limit``, ``statistic``, ``recent``) each rule has an answer of its own.
    ``question`` is what it asks a set, which has the answer where the set was captured.
    ``shown_with`` is set where the dump does not show the condition, as ``iptables -L`` shows no interfaces: it is the
    command that would.
    """

    kind: Literal["opaque"] = "opaque"
    per_packet: bool
    question: SetQuestion | None = None
    shown_with: str | None = None


AnyMatch = Annotated[
    AddressMatch
    | InterfaceMatch
    | ProtocolMatch
    | PortMatch
    | IcmpMatch
    | TcpFlagsMatch
    | StateMatch
    | AddressTypeMatch
    | MarkMatch
    | PhysdevMatch
    | FragmentMatch
    | OpaqueMatch,
    Field(discriminator="kind"),
]


class Target(Frozen):
    """What a rule does with a packet that it matches. ``text`` is the target as it was written."""

    text: str


class Accept(Target):
    """The packet passes this table's hook."""

    kind: Literal["accept"] = "accept"


class Drop(Target):
    """The packet is dropped without a word."""

    kind: Literal["drop"] = "drop"


class Reject(Target):
    """The packet is dropped and its sender told."""

    kind: Literal["reject"] = "reject"


class Return(Target):
    """Back to the calling chain; in a built-in chain, the policy decides."""

    kind: Literal["return"] = "return"


class Jump(Target):
    """On to another chain, and back behind this rule when that chain ends without a verdict."""

    kind: Literal["jump"] = "jump"
    chain: str


class Goto(Target):
    """On to another chain; when that ends, back behind the rule that last *jumped*."""

    kind: Literal["goto"] = "goto"
    chain: str


class Continue(Target):
    """No verdict: LOG, counters, changes of fields that no rule asks for, or no target at all."""

    kind: Literal["continue"] = "continue"


class SetMark(Target):
    """``MARK``: the mark becomes ``(mark & ~mask) ^ value`` (net/netfilter/xt_mark.c, mark_tg)."""

    kind: Literal["set-mark"] = "set-mark"
    value: int
    mask: int


class ForgetMark(Target):
    """``CONNMARK --restore-mark``: the mark becomes the connection's, which no dump holds."""

    kind: Literal["forget-mark"] = "forget-mark"


class NoTrack(Target):
    """``NOTRACK`` and ``CT --notrack``: connection tracking leaves the packet alone, its state is UNTRACKED."""

    kind: Literal["no-track"] = "no-track"


class Rewrite(Target):
    """DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP: the packet passes with another source or destination.

    ``how`` is ``to`` one of ``addresses`` (None: the address stays) and one of ``ports`` (None: the port stays);
    ``interface`` for the address of the interface that the packet goes out by (MASQUERADE) or came in by (REDIRECT);
    ``prefix`` for NETMAP, which keeps the host part of the address; or ``unknown``, where the text could not be read.
    """

    kind: Literal["rewrite"] = "rewrite"
    of: Literal["source", "destination"]
    how: Literal["to", "interface", "prefix", "unknown"] = "unknown"
    addresses: Range | None = None
    ports: Range | None = None


class UnknownTarget(Target):
    """A target that the engine does not model, or a line that could not be read: any verdict is possible."""

    kind: Literal["unknown"] = "unknown"


AnyTarget = Annotated[
    Accept | Drop | Reject | Return | Jump | Goto | Continue | SetMark | ForgetMark | NoTrack | Rewrite | UnknownTarget,
    Field(discriminator="kind"),
]
