"""Classic links of the default bridge."""

from icclint_rules.links.link_half_pair import link_half_pair
from icclint_rules.links.link_orphaned import link_orphaned

RULES = (link_orphaned, link_half_pair)
