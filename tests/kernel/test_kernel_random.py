"""Random rulesets and random packets: the kernel decides, and each of the engine's halves must agree.

``ICCLINT_KERNEL_EXAMPLES=5000 pytest tests/kernel/test_kernel_random.py`` looks for differences as long as you like.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from tests.kernel.compare import contradictions, differences, witnesses
from tests.kernel.generate import rulesets, volleys
from tests.kernel.lab import FAMILIES, VARIANTS, Lab

pytestmark = pytest.mark.kernel

ATTEMPTS = 3
WANTED = int(os.environ.get("ICCLINT_KERNEL_EXAMPLES", "0"))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
@settings(
    max_examples=WANTED or 15,
    derandomize=not WANTED,
    deadline=None,
    database=None,
    verbosity=Verbosity.quiet,
    # To shrink a failure asks the kernel hundreds of times more; the ruleset that is printed is small enough to read.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_random_rulesets(lab: Lab, family: int, variant: str, data: st.DataObject) -> None:
    rules = data.draw(rulesets(family))
    probes = data.draw(volleys(family, rules))
    host = lab.load(family, variant, rules)
    wrong: list[str] = []
    # A packet that a busy machine lost says nothing against a verdict; what the kernel does, it does again.
    for _ in range(ATTEMPTS):
        outcome = lab.send(family, probes)
        wrong = [*differences(host, probes, outcome), *contradictions(host, probes)]
        for shown in witnesses(host, family):
            wrong += differences(host, shown, lab.send(family, shown))
        if not wrong:
            return
    sent = [f"{number}: {one.packet.describe()}" for number, one in enumerate(probes)]
    pytest.fail("\n".join([*wrong, *sent, rules]))
