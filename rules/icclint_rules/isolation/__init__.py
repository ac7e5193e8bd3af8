"""Internal networks, and networks that are kept apart."""

from icclint_rules.isolation.internal_but_forwarded import internal_but_forwarded
from icclint_rules.isolation.networks_not_isolated import networks_not_isolated

RULES = (internal_but_forwarded, networks_not_isolated)
