"""Internal networks, and networks that are kept apart."""

from icclint_rules.isolation.internal_but_forwarded import internal_but_forwarded
from icclint_rules.isolation.internal_translated import internal_translated
from icclint_rules.isolation.internal_with_way_out import internal_with_way_out
from icclint_rules.isolation.nat_unprotected_open import nat_unprotected_open
from icclint_rules.isolation.networks_not_isolated import networks_not_isolated

RULES = (
    internal_but_forwarded,
    internal_translated,
    networks_not_isolated,
    nat_unprotected_open,
    internal_with_way_out,
)
