"""Rules for icclint."""

from icclint_egress_open.egress_open import egress_open

RULES = (egress_open,)
