"""What the lab plays through. All scenarios, by name."""

from __future__ import annotations

from tests.lab.scenario import Scenario
from tests.lab.scenarios import beside, other_drivers, outlived, tampered, untouched

_MODULES = (untouched, other_drivers, outlived, tampered, beside)

ALL = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Scenario)),
        key=lambda scenario: scenario.name,
    )
)
