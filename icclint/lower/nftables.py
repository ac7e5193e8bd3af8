"""Tables of nftables to chains and rules that the packet engine knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from icclint.docker.chains import ENGINE_TABLE
from icclint.ir import match as ir
from icclint.ir.nftables import BaseChain, NativeTable, TableRules
from icclint.ir.ruleset import Chain, Rule
from icclint.lower.rewrite import rewrite_ends
from icclint.lower.values import protocol_number, range_of_ports, range_of_subnet
from icclint.parse.nftables import ShownChain, ShownRule, ShownTable, Statement, TableText, parse_table
from icclint.source import Gap, Span

_FAMILIES = {"ip": 4, "ip6": 6}
_VERDICTS = ("accept", "drop", "return", "jump", "goto", "dnat", "snat", "masquerade")
_LOOKUPS = {"in_interface_map": "in", "out_interface_map": "out"}
_STATES = ("invalid", "new", "established", "related", "untracked")
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
"""The names of priorities (man nft, table of standard priority names)."""


def lower_native(tables: Iterable[ShownTable]) -> tuple[tuple[NativeTable, ...], tuple[Gap, ...]]:
    """The tables of all listings of one host at one time. Of two that differ the first one stands."""
    known: dict[tuple[str, str], ShownTable] = {}
    lowered: list[NativeTable] = []
    gaps: list[Gap] = []
    for table in tables:
        first = known.setdefault((table.family, table.name), table)
        if first is table:
            native, more = lower_table(table)
            lowered.append(native)
            gaps += more
        elif first.meaning != table.meaning:
            reason = (
                f"table {table.family} {table.name} differs from {first.span}, which is analysed instead;"
                " captures of different times belong into folders of their own"
            )
            gaps.append(Gap(table.span, table.name, reason, whole=True))
    return tuple(lowered), tuple(gaps)


def lower_table(table: ShownTable) -> tuple[NativeTable, tuple[Gap, ...]]:
    """A table with its rules, if it is one of Docker's own; what is not understood may do anything."""
    if table.name != ENGINE_TABLE or table.family not in _FAMILIES:
        return NativeTable(family=table.family, name=table.name, span=table.span), ()
    text = parse_table(table)
    rules = _Table(table, text, _FAMILIES[table.family]).lowered()
    return NativeTable(family=table.family, name=table.name, span=table.span, rules=rules), text.gaps


@dataclass(frozen=True, slots=True)
class _Table:
    table: ShownTable
    text: TableText
    family: int

    def lowered(self) -> TableRules:
        chains = {shown.name: self._chain(shown) for shown in self.text.chains}
        base = [_base(shown, chains[shown.name]) for shown in self.text.chains if shown.hook is not None]
        return TableRules(base_chains=(*base, *(() if self.text.whole else self._lost())), chains=chains)

    def _lost(self) -> Iterator[BaseChain]:
        """What may stand where a table was not understood, or cut off: it comes first, and may do anything."""
        span = self.table.span
        text = f"table {self.table.family} {self.table.name}, of which a part could not be read"
        for hook in ("PREROUTING", "OUTPUT"):
            rule = Rule(matches=(), target=ir.UnknownTarget(text=text), **self._common(hook, 1, text, span))
            chain = Chain(name=hook, policy="ACCEPT", span=span, rules=(rule,))
            yield BaseChain(chain=chain, kind="filter", hook=hook, priority=_PRIORITIES["raw"])

    def _chain(self, shown: ShownChain) -> Chain:
        rules = [rule for number, one in enumerate(shown.rules, start=1) for rule in self._rules(shown, one, number)]
        policy = None if shown.hook is None else shown.policy.upper()
        return Chain(name=shown.name, policy=policy, span=shown.span, rules=tuple(rules))

    def _rules(self, chain: ShownChain, shown: ShownRule, number: int) -> Iterator[Rule]:
        common = self._common(chain.name, number, shown.text, shown.span)
        try:
            yield from self._understood(shown, common)
        except ValueError:
            doubt = ir.OpaqueMatch(text=shown.text, per_packet=False)
            yield Rule(matches=(doubt,), target=ir.UnknownTarget(text=shown.text), **common)

    def _understood(self, shown: ShownRule, common: dict[str, Any]) -> Iterator[Rule]:
        """One rule, or, for a map of verdicts, one for each of its elements: no packet meets two of them."""
        verdicts = [statement for statement in shown.statements if statement.name in _VERDICTS]
        lookups = [statement for statement in shown.statements if statement.name in _LOOKUPS]
        if not shown.statements or len(verdicts) + len(lookups) > 1:
            raise ValueError(shown.text)
        matches: Any = tuple(match for statement in shown.statements for match in self._matches(statement))
        target: Any
        for lookup in lookups:
            for interface, verdict in self._elements(lookup).items():
                looked_up = _interface(_LOOKUPS[lookup.name], interface, lookup)
                target = self._target(verdict)
                yield Rule(matches=(*matches, looked_up), target=target, **common)
        if not lookups:
            target = self._target(verdicts[0]) if verdicts else ir.Continue(text="")
            comment = next((one.values[0] for one in shown.statements if one.name == "comment"), None)
            yield Rule(matches=matches, target=target, comment=comment, counters=_counters(shown), **common)

    def _common(self, chain: str, number: int, text: str, span: Span) -> dict[str, Any]:
        table = f"{self.table.family} {self.table.name}"
        return {"table": table, "chain": chain, "number": number, "text": text, "span": span}

    def _elements(self, lookup: Statement) -> Mapping[str, Statement]:
        """The elements of a map. `nft -t` leaves them all out, and then there are chains that nothing leads to."""
        elements = self.text.maps.get(lookup.values[0].removeprefix("@"))
        if elements is None or (not elements and self._unreached()):
            raise ValueError(lookup.text)
        return elements

    def _unreached(self) -> bool:
        verdicts = [s for chain in self.text.chains for rule in chain.rules for s in rule.statements]
        verdicts += [verdict for elements in self.text.maps.values() for verdict in (elements or {}).values()]
        reached = {verdict.values[0] for verdict in verdicts if verdict.name in ("jump", "goto")}
        return any(chain.hook is None and chain.name not in reached for chain in self.text.chains)

    def _matches(self, statement: Statement) -> Iterator[ir.Match]:
        if statement.name not in _MATCHES:
            return
        common = {"negated": statement.negated, "text": statement.text}
        try:
            matches = list(_MATCHES[statement.name](self, statement, common))
        except ValueError:
            # Negation is part of the text here, so the unknown answer already includes it.
            matches = [ir.OpaqueMatch(text=statement.text, per_packet=False)]
        yield from matches

    def _target(self, verdict: Statement) -> ir.Target:
        common: dict[str, Any] = {"text": verdict.text}
        match verdict.name:
            case "accept":
                return ir.Accept(**common)
            case "drop":
                return ir.Drop(**common)
            case "return":
                return ir.Return(**common)
            case "jump" | "goto" if all(chain.name != verdict.values[0] for chain in self.text.chains):
                return ir.UnknownTarget(**common)
            case "jump":
                return ir.Jump(chain=verdict.values[0], **common)
            case "goto":
                return ir.Goto(chain=verdict.values[0], **common)
            case "masquerade":
                return ir.Rewrite(of="source", how="interface", **common)
            case "snat":
                return ir.Rewrite(of="source", **self._ends("SNAT", verdict), **common)
            case _:
                return ir.Rewrite(of="destination", **self._ends("DNAT", verdict), **common)

    def _ends(self, target: str, verdict: Statement) -> dict[str, Any]:
        return rewrite_ends(target, {"--to": verdict.values[0]}, self.family)

    def _interfaces(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        """Of several names one is asked after the other: all of them are excluded, or it cannot be said so."""
        if len(statement.values) > 1 and not statement.negated:
            raise ValueError(statement.text)
        side = statement.name.removesuffix("_interface")
        for name in statement.values:
            yield _interface(side, name, statement)

    def _addresses(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        side: Any = statement.name
        ranges = tuple(range_of_subnet(text, self.family) for text in statement.values)
        yield ir.AddressMatch(side=side, ranges=ranges, **common)

    def _protocol(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        yield ir.ProtocolMatch(number=protocol_number(statement.values[0]), **common)

    def _ports(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        # nft asks for the protocol of its own accord, and means it even where it negates the port.
        side: Any = statement.name.removesuffix("_port")
        ranges = tuple(range_of_ports(text.replace("-", ":")) for text in statement.values)
        number = protocol_number(statement.keyword.split()[0])
        yield ir.ProtocolMatch(number=number, text=statement.text)
        yield ir.PortMatch(side=side, ranges=ranges, **common)

    def _state(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        # States are bits, and `!=` is not the opposite of having one of several.
        if not set(statement.values) <= set(_STATES) or (statement.negated and len(statement.values) > 1):
            raise ValueError(statement.text)
        yield ir.StateMatch(states=frozenset(state.upper() for state in statement.values), **common)

    def _type(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        side: Any = statement.name.removesuffix("_type")
        if statement.values[0] != "local":
            raise ValueError(statement.text)
        yield ir.AddressTypeMatch(side=side, types=frozenset(("LOCAL",)), **common)

    def _mark(self, statement: Statement, common: dict[str, Any]) -> Iterator[ir.Match]:
        *mask, value = (int(text, 0) for text in statement.values)
        yield ir.MarkMatch(value=value, mask=mask[0] if mask else 0xFFFFFFFF, **common)


_MATCHES: Mapping[str, Callable[[_Table, Statement, dict[str, Any]], Iterator[ir.Match]]] = {
    "in_interface": _Table._interfaces,
    "out_interface": _Table._interfaces,
    "source": _Table._addresses,
    "destination": _Table._addresses,
    "protocol": _Table._protocol,
    "source_port": _Table._ports,
    "destination_port": _Table._ports,
    "state": _Table._state,
    "source_type": _Table._type,
    "destination_type": _Table._type,
    "mark": _Table._mark,
    "masked_mark": _Table._mark,
}


def _interface(side: Any, name: str, statement: Statement) -> ir.InterfaceMatch:
    """That a packet's interface has a name; ValueError for a pattern, which `*` ends, as `+` does for iptables."""
    if name.endswith(("*", "+")):
        raise ValueError(name)
    return ir.InterfaceMatch(side=side, pattern=name, negated=statement.negated, text=statement.text)


def _base(shown: ShownChain, chain: Chain) -> BaseChain:
    kind: Any = shown.kind
    return BaseChain(chain=chain, kind=kind, hook=(shown.hook or "").upper(), priority=_priority(shown.priority))


def _priority(text: str) -> int:
    """A priority as a number: `-100`, `dstnat`, `filter + 10`."""
    name, _, more = text.partition(" ")
    return _PRIORITIES[name] + int(more.replace(" ", "") or 0) if name in _PRIORITIES else int(text)


def _counters(rule: ShownRule) -> tuple[int, int] | None:
    counts = [s.values[0].split() for s in rule.statements if s.name == "counter" and s.values]
    return (int(counts[0][1]), int(counts[0][3])) if counts else None
