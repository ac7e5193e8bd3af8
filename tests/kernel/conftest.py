"""The lab, once for all tests that need it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kernel.lab import Lab, unusable


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A host with rules, and packets to send through it."""
    why = unusable()
    if why is not None and os.environ.get("CI") == "true":
        pytest.fail(f"the kernel tests must run here, but {why}")
    if why is not None:
        pytest.skip(f"the packet engine was not held against the kernel: {why}")
    made = Lab()
    yield made
    made.close()
