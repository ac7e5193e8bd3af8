"""Classic links of the default bridge."""

from icclint_rules.links.link_half_pair import link_half_pair
from icclint_rules.links.link_left_with_icc_on import link_left_with_icc_on
from icclint_rules.links.link_orphaned import link_orphaned
from icclint_rules.links.link_return_way_open import link_return_way_open
from icclint_rules.links.link_without_effect import link_without_effect

RULES = (link_orphaned, link_half_pair, link_without_effect, link_return_way_open, link_left_with_icc_on)
