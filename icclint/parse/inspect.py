"""What ``docker network inspect`` and ``docker inspect`` print, as typed models of every engine from 1.9 to 29.

Fields come and go with the engine and may be null, so all but a few have defaults; fields that are not named here
are kept as they are. Sources: moby, api/types/network and api/types/container, v1.9 to v29;
https://docs.docker.com/reference/api/engine/version-history/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from icclint.parse.json import JsonText, Path
from icclint.source import Gap, Span


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _or_no_items(value: Any) -> Any:
    return [] if value is None else value


def _or_blank(value: Any) -> Any:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_or_blank)]
Texts = Annotated[dict[str, str], BeforeValidator(_or_empty)]


class _Inspected(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class InspectedPool(_Inspected):
    """One entry of ``IPAM.Config``. Old engines write the gateway with a prefix length."""

    Subnet: Text = ""
    Gateway: Text = ""


class InspectedIpam(_Inspected):
    """``IPAM``; ``Config`` is null for host, none and config-only networks since 25.0."""

    # pydantic takes the name Config for its own.
    pools: Annotated[list[InspectedPool], BeforeValidator(_or_no_items)] = Field(default=[], alias="Config")


class InspectedEndpoint(_Inspected):
    """One value of ``Containers``. Addresses carry a prefix length and are empty where there is none."""

    Name: Text = ""
    EndpointID: Text = ""
    MacAddress: Text = ""
    IPv4Address: Text = ""
    IPv6Address: Text = ""


class InspectedNetwork(_Inspected):
    """One network. ``EnableIPv4`` is absent before 28.0, ``Internal`` and ``EnableIPv6`` before 1.11."""

    Name: str
    Id: Text = ""
    Driver: Text = ""
    Scope: Text = ""
    EnableIPv6: bool = False
    Internal: bool = False
    IPAM: Annotated[InspectedIpam, BeforeValidator(_or_empty)] = InspectedIpam()
    Containers: Annotated[dict[str, InspectedEndpoint], BeforeValidator(_or_empty)] = {}
    Options: Texts = {}
    Labels: Texts = {}


class InspectedHostConfig(_Inspected):
    """``HostConfig`` of a container: ``Links`` are ``/server:/client/alias``."""

    Links: Annotated[list[str], BeforeValidator(_or_no_items)] = []


class InspectedContainer(_Inspected):
    """One container of ``docker inspect``; its name starts with a slash."""

    Id: str
    Name: str
    HostConfig: Annotated[InspectedHostConfig, BeforeValidator(_or_empty)] = InspectedHostConfig()


Model = TypeVar("Model", InspectedNetwork, InspectedContainer)


@dataclass(frozen=True)
class Inspected(Generic[Model]):
    """One inspected object and where its JSON stands: ``path`` is the place of the object in ``text``."""

    value: Model
    text: JsonText
    path: Path

    def span(self, *keys: str | int) -> Span | None:
        """The place of one of its members, or None where it has no such member."""
        return self.text.spans.get((*self.path, *keys))

    def spans(self) -> Iterator[tuple[Path, Span]]:
        """The places of all its members, by the path inside it."""
        depth = len(self.path)
        for path, span in self.text.spans.items():
            if path[:depth] == self.path:
                yield path[depth:], span


def read_networks(text: JsonText) -> tuple[list[Inspected[InspectedNetwork]], list[Gap]]:
    """The networks of a JSON text: an array, or one object as the engine's API returns it."""
    return _read(text, InspectedNetwork, "network")


def read_containers(text: JsonText) -> tuple[list[Inspected[InspectedContainer]], list[Gap]]:
    """The containers of a JSON text, likewise."""
    return _read(text, InspectedContainer, "container")


def _read(text: JsonText, model: type[Model], what: str) -> tuple[list[Inspected[Model]], list[Gap]]:
    found: list[Inspected[Model]] = []
    gaps: list[Gap] = []
    for path, value in _objects(text):
        try:
            found.append(Inspected(model.model_validate(value), text, path))
        except ValidationError as error:
            gaps.extend(_gaps(text, path, error, what))
    return found, gaps


def _objects(text: JsonText) -> Iterator[tuple[Path, Any]]:
    if isinstance(text.value, list):
        for index, value in enumerate(text.value):
            yield (index,), value
    else:
        yield (), text.value


def _gaps(text: JsonText, path: Path, error: ValidationError, what: str) -> Iterator[Gap]:
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(key) for key in problem["loc"]) or "value"
        place: Path = (*path, *problem["loc"])
        while place not in text.spans:
            place = place[:-1]
        yield Gap(text.spans[place], where, f"{what} left out: {where}: {problem['msg'].lower()}")
