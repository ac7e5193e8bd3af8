"""Inter-container communication."""

from icclint_rules.icc.bridge_netfilter_off import bridge_netfilter_off
from icclint_rules.icc.bridge_netfilter_unknown import bridge_netfilter_unknown
from icclint_rules.icc.icc_off_but_forwarded import icc_off_but_forwarded
from icclint_rules.icc.icc_off_ipv6_open import icc_off_ipv6_open
from icclint_rules.icc.icc_on_but_dropped import icc_on_but_dropped
from icclint_rules.icc.icc_option_misspelt import icc_option_misspelt
from icclint_rules.icc.icc_option_void import icc_option_void

RULES = (
    icc_off_but_forwarded,
    icc_off_ipv6_open,
    icc_on_but_dropped,
    icc_option_void,
    icc_option_misspelt,
    bridge_netfilter_off,
    bridge_netfilter_unknown,
)
