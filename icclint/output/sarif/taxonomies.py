"""What rules are classified by: lists of weaknesses and of recommendations that others keep."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import sarif_om as om

if TYPE_CHECKING:
    from icclint.rule import Rule


class _Taxonomy(NamedTuple):
    """A list of things that others have named and numbered, and how a rule relates to one of them (section 3.53.3)."""

    name: str
    version: str | None
    organization: str
    address: str
    kind: str

    @property
    def guid(self) -> str:
        """A reference finds its component by this or not at all (section 3.54.2), so it is made of the name alone."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.address}#{self.version or ''}"))


# GitLab knows it by this name. Its numbers keep their meaning, so no version is given.
_WEAKNESSES = _Taxonomy("CWE", None, "MITRE", "https://cwe.mitre.org/", "superset")

Taxa = Mapping[_Taxonomy, Sequence[str]]
"""Each taxonomy that rules of a log refer to, with those of its entries to which they do."""


def _benchmark(version: str) -> _Taxonomy:
    address = "https://www.cisecurity.org/benchmark/docker"
    return _Taxonomy("CIS Docker Benchmark", version, "Center for Internet Security", address, "relevant")


def classified(rule: Rule) -> Iterator[tuple[_Taxonomy, str]]:
    """The entries of taxonomies that the page of a rule refers to."""
    references = rule.references
    yield from ((_WEAKNESSES, str(number)) for number in references.weaknesses)
    yield from ((_benchmark(item.version), item.item) for item in references.benchmark_items)


def taxa_of(rules: Iterable[Rule]) -> Taxa:
    """What some rules refer to, by taxonomy, both in order."""
    found: dict[_Taxonomy, set[str]] = {}
    for rule in rules:
        for taxonomy, name in classified(rule):
            found.setdefault(taxonomy, set()).add(name)
    by_name = sorted(found.items(), key=lambda pair: (pair[0].name, pair[0].version or ""))
    return {taxonomy: sorted(names, key=_by_numbers) for taxonomy, names in by_name}


def _by_numbers(name: str) -> list[int]:
    return [int(number) for number in name.split(".")]


def component(taxonomy: _Taxonomy, names: Sequence[str]) -> om.ToolComponent:
    """A taxonomy with those of its entries that are referred to."""
    return om.ToolComponent(
        name=taxonomy.name,
        version=taxonomy.version,
        organization=taxonomy.organization,
        information_uri=taxonomy.address,
        guid=taxonomy.guid,
        is_comprehensive=False,
        taxa=[om.ReportingDescriptor(id=name, help_uri=_taxon_uri(taxonomy, name)) for name in names],
    )


def _taxon_uri(taxonomy: _Taxonomy, name: str) -> str | None:
    return f"{taxonomy.address}data/definitions/{name}.html" if taxonomy == _WEAKNESSES else None


def component_reference(taxonomy: _Taxonomy) -> om.ToolComponentReference:
    """A taxonomy, where something refers to it."""
    return om.ToolComponentReference(name=taxonomy.name, guid=taxonomy.guid)


def relationship(taxonomy: _Taxonomy, name: str, taxa: Taxa) -> om.ReportingDescriptorRelationship:
    """That a rule is an instance of an entry."""
    target = om.ReportingDescriptorReference(
        id=name, index=taxa[taxonomy].index(name), tool_component=component_reference(taxonomy)
    )
    return om.ReportingDescriptorRelationship(target=target, kinds=[taxonomy.kind])
