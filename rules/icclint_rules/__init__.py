"""The rules that come with icclint, in the order of their table: ICC, links, isolation, bridge netfilter, rulesets."""

from icclint_rules.bridge_netfilter_off import bridge_netfilter_off
from icclint_rules.bridge_netfilter_unknown import bridge_netfilter_unknown
from icclint_rules.chain_never_reached import chain_never_reached
from icclint_rules.icc_off_but_forwarded import icc_off_but_forwarded
from icclint_rules.icc_off_ipv6_open import icc_off_ipv6_open
from icclint_rules.icc_on_but_dropped import icc_on_but_dropped
from icclint_rules.icc_option_misspelt import icc_option_misspelt
from icclint_rules.icc_option_void import icc_option_void
from icclint_rules.internal_but_forwarded import internal_but_forwarded
from icclint_rules.link_half_pair import link_half_pair
from icclint_rules.link_orphaned import link_orphaned
from icclint_rules.networks_not_isolated import networks_not_isolated
from icclint_rules.rule_never_matches import rule_never_matches

RULES = (
    icc_off_but_forwarded,
    icc_off_ipv6_open,
    icc_on_but_dropped,
    icc_option_void,
    icc_option_misspelt,
    link_orphaned,
    link_half_pair,
    internal_but_forwarded,
    networks_not_isolated,
    bridge_netfilter_off,
    bridge_netfilter_unknown,
    chain_never_reached,
    rule_never_matches,
)
