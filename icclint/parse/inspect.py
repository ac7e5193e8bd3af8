"""What ``docker network inspect`` and ``docker inspect`` print, as typed models of every engine from 1.9 to 29.

Fields come and go with the engine and may be null, so all but a few have defaults; fields that are not named here
are kept as they are. Sources: moby, api/types/network and api/types/container, v1.9 to v29;
https://docs.docker.com/reference/api/engine/version-history/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from icclint.parse.gaps import shortened
from icclint.parse.json import Below, JsonText, Path
from icclint.source import Gap, Span


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _or_no_items(value: Any) -> Any:
    return [] if value is None else value


def _or_blank(value: Any) -> Any:
    return "" if value is None else value


def _or_no(value: Any) -> Any:
    return False if value is None else value


Flag = Annotated[bool, BeforeValidator(_or_no)]
Text = Annotated[str, BeforeValidator(_or_blank)]
Texts = Annotated[dict[str, str], BeforeValidator(_or_empty)]
Names = Annotated[list[str], BeforeValidator(_or_no_items)]


class _Inspected(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


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
    EnableIPv6: Flag = False
    Internal: Flag = False
    IPAM: Annotated[InspectedIpam, BeforeValidator(_or_empty)] = InspectedIpam()
    Containers: Annotated[dict[str, InspectedEndpoint], BeforeValidator(_or_empty)] = {}
    Options: Texts = {}
    Labels: Texts = {}


class InspectedHostConfig(_Inspected):
    """``HostConfig`` of a container: ``Links`` are ``/server:/client/alias``, null where there are none.

    ``CapAdd`` and ``CapDrop`` hold names such as ``NET_RAW``, since 20.10 with ``CAP_`` in front, or ``ALL``.
    """

    Links: Names = []
    NetworkMode: Text = ""
    Privileged: Flag = False
    CapAdd: Names = []
    CapDrop: Names = []


class InspectedAttachment(_Inspected):
    """One value of ``NetworkSettings.Networks``: gateways are empty where the network leads nowhere.

    ``Links`` are ``server`` or ``server:alias``, on networks that users made.
    """

    Links: Names = []
    IPAddress: Text = ""
    Gateway: Text = ""
    GlobalIPv6Address: Text = ""
    IPv6Gateway: Text = ""


class InspectedBinding(_Inspected):
    """One binding of a published port: an empty ``HostPort`` says that the host opens none (routed mode)."""

    HostIp: Text = ""
    HostPort: Text = ""


class InspectedNetworkSettings(_Inspected):
    """``NetworkSettings`` of a container: ``Ports`` has ``80/tcp`` and the like as keys, null where not published."""

    Networks: Annotated[dict[str, InspectedAttachment], BeforeValidator(_or_empty)] = {}
    Ports: Annotated[dict[str, list[InspectedBinding] | None], BeforeValidator(_or_empty)] = {}


class InspectedContainer(_Inspected):
    """One container of ``docker inspect``; its name starts with a slash."""

    Id: str
    Name: str
    HostConfig: Annotated[InspectedHostConfig, BeforeValidator(_or_empty)] = InspectedHostConfig()
    NetworkSettings: Annotated[InspectedNetworkSettings, BeforeValidator(_or_empty)] = InspectedNetworkSettings()


Model = TypeVar("Model", InspectedNetwork, InspectedContainer)


@dataclass(frozen=True)
class Inspected(Generic[Model]):
    """One inspected object, and where its parts stand, by their path inside it."""

    value: Model
    spans: Mapping[Path, Span]

    def span(self, *keys: str | int) -> Span | None:
        """The place of one of its members, or None where it has no such member."""
        return self.spans.get(keys)


@dataclass(frozen=True)
class InspectedObjects:
    """The networks and containers of a JSON text, and what in it is neither."""

    networks: tuple[Inspected[InspectedNetwork], ...]
    containers: tuple[Inspected[InspectedContainer], ...]
    gaps: tuple[Gap, ...]


def is_network(value: Any) -> bool:
    """Whether a JSON value has what every network has since engine 1.9."""
    return isinstance(value, dict) and {"Name", "Driver", "IPAM"} <= value.keys()


def is_container(value: Any) -> bool:
    """Whether a JSON value has what every container has."""
    return isinstance(value, dict) and {"Id", "Name", "HostConfig"} <= value.keys()


def read_inspected(text: JsonText) -> InspectedObjects:
    """What ``docker inspect`` prints: an array of objects, or one object as the engine's API returns it."""
    networks: list[Inspected[InspectedNetwork]] = []
    containers: list[Inspected[InspectedContainer]] = []
    gaps: list[Gap] = []
    for value, spans in _objects(text):
        try:
            if is_network(value):
                networks.append(Inspected(InspectedNetwork.model_validate(value), spans))
            elif is_container(value):
                containers.append(Inspected(InspectedContainer.model_validate(value), spans))
            else:
                gaps.append(Gap(spans[()], shortened(str(value)), "neither a network nor a container"))
        except ValidationError as error:
            gaps.extend(_gaps(spans, error, "network" if is_network(value) else "container"))
    return InspectedObjects(tuple(networks), tuple(containers), tuple(gaps))


def _objects(text: JsonText) -> Iterator[tuple[Any, Mapping[Path, Span]]]:
    """Each object with the places of its parts."""
    if not isinstance(text.value, list):
        yield text.value, text.spans
        return
    yield from ((value, Below(text.spans, index)) for index, value in enumerate(text.value))


def _gaps(spans: Mapping[Path, Span], error: ValidationError, what: str) -> Iterator[Gap]:
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(key) for key in problem["loc"]) or "value"
        place: Path = problem["loc"]
        while place not in spans:
            place = place[:-1]
        yield Gap(spans[place], shortened(where), f"{what} left out: {shortened(where)}: {problem['msg'].lower()}")
