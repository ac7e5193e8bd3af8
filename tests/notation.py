"""Rulesets in a short notation, in which the cases of tests/dumps say what a dump becomes.

A rule is ``CONDITIONS -> TARGET``. Conditions are joined by commas, ``not`` is their negation; ``any`` is none at all.
What is not modelled is ``per-packet "TEXT"`` or ``free "TEXT"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from icclint.ir import match as ir
from icclint.ir.ruleset import Chain, Rule, Ruleset, Table
from icclint.source import Gap

_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def rules(rulesets: Iterable[Ruleset]) -> Iterator[str]:
    """Every rule on a line of its own, after its table and chain."""
    for ruleset in rulesets:
        for table in ruleset.tables.values():
            for chain in table.chains.values():
                for rule in chain.rules:
                    yield f"{table.name} {chain.name}: {rule_line(rule, ruleset.family)}"


def outline(rulesets: Iterable[Ruleset]) -> Iterator[str]:
    """Rulesets with their tables, chains and rules, one beneath the other."""
    for ruleset in rulesets:
        yield f"IPv{ruleset.family} {ruleset.variant or 'of either variant'}{', every table' * ruleset.all_tables}"
        for table in ruleset.tables.values():
            yield f"  {table.name} from {table.document}{'' if table.complete else ', in part'}"
            for chain in table.chains.values():
                yield f"    {_chain(table, chain)}"
                yield from (f"      {rule_line(rule, ruleset.family)}" for rule in chain.rules)


def gaps(found: Iterable[Gap]) -> Iterator[str]:
    """Gaps as ``DOCUMENT:LINE[-LINE] [whole] REASON: TEXT``."""
    for gap in found:
        lines = f"{gap.span.line}" + (f"-{gap.span.end_line}" if gap.span.end_line != gap.span.line else "")
        yield f"{gap.span.document}:{lines}{' whole' if gap.whole else ''} {gap.reason}: {gap.text}"


def _chain(table: Table, chain: Chain) -> str:
    return f"{chain.name} {chain.policy}" if chain.policy else chain.name


def rule_line(rule: Rule, family: int) -> str:
    """One rule."""
    conditions = ", ".join(condition(match, family) for match in rule.matches) or "any"
    return f"{conditions} -> {target(rule.target, family)}"


def condition(match: ir.Match, family: int) -> str:
    """One condition, with its negation."""
    return f"{'not ' if match.negated else ''}{_condition(match, family)}"


def _condition(match: ir.Match, family: int) -> str:
    match match:
        case ir.AddressMatch(side=side, ranges=ranges):
            return f"{'from' if side == 'source' else 'to'} {' or '.join(_addresses(r, family) for r in ranges)}"
        case ir.InterfaceMatch(side=side, pattern=pattern):
            return f"{side} {pattern}"
        case ir.ProtocolMatch(number=number):
            return f"protocol {number}"
        case ir.PortMatch(side=side, ranges=ranges):
            return f"{side} port {' or '.join(_range(r) for r in ranges)}"
        case ir.IcmpMatch(type=kind, code=code):
            return f"icmp {kind}" if code is None else f"icmp {kind}/{code}"
        case ir.TcpFlagsMatch(mask=mask, flags=flags):
            return f"flags {_flags(flags)} of {_flags(mask)}"
        case ir.StateMatch(states=states):
            return f"state {' or '.join(sorted(states))}"
        case ir.AddressTypeMatch(side=side, types=types):
            return f"{side} {' or '.join(sorted(types))}"
        case ir.MarkMatch(value=value, mask=mask):
            return f"mark {value:#x} of {mask:#x}"
        case ir.PhysdevMatch(what=what, pattern=pattern):
            return f"physdev {what} {pattern}".rstrip()
        case ir.FragmentMatch():
            return "fragment"
        case ir.OpaqueMatch(text=text, per_packet=per_packet):
            return f'{"per-packet" if per_packet else "free"} "{text}"'
    raise AssertionError(match)


def target(found: ir.Target, family: int) -> str:
    """What becomes of a packet."""
    match found:
        case ir.Jump(chain=chain):
            return f"chain {chain}"
        case ir.Goto(chain=chain):
            return f"chain {chain} for good"
        case ir.SetMark(value=value, mask=mask):
            return f"mark (m & ~{mask:#x}) ^ {value:#x}"
        case ir.Rewrite(of=of, how=how, addresses=addresses, ports=ports):
            ends = [_addresses(addresses, family)] if addresses else []
            return " ".join([f"rewrite {of}", how, *ends, *([f"port {_range(ports)}"] if ports else [])])
        case ir.UnknownTarget(text=text):
            return f'unknown "{text}"' if text else "unknown"
    return {
        ir.Accept: "accept",
        ir.Drop: "drop",
        ir.Reject: "reject",
        ir.Return: "return",
        ir.Continue: "next rule",
        ir.ForgetMark: "forget mark",
        ir.NoTrack: "no track",
    }[type(found)]


def _addresses(ends: ir.Range, family: int) -> str:
    kind = IPv4Address if family == 4 else IPv6Address
    first, last = kind(ends[0]), kind(ends[1])
    networks = list(summarize_address_range(first, last))  # type: ignore[type-var]
    if len(networks) > 1:
        return f"{first}-{last}"
    return str(first) if first == last else str(networks[0])


def _range(ends: ir.Range) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}-{ends[1]}"


def _flags(bits: int) -> str:
    return ",".join(name for bit, name in enumerate(_FLAGS) if bits & (1 << bit)) or "none"
