"""Inter-container communication."""

from icclint_rules.icc.bridge_netfilter_off import bridge_netfilter_off
from icclint_rules.icc.bridge_netfilter_unknown import bridge_netfilter_unknown
from icclint_rules.icc.icc_off_but_forwarded import icc_off_but_forwarded
from icclint_rules.icc.icc_off_ingress_port import icc_off_ingress_port
from icclint_rules.icc.icc_off_ipv6_open import icc_off_ipv6_open
from icclint_rules.icc.icc_off_on_default_bridge_only import icc_off_on_default_bridge_only
from icclint_rules.icc.icc_off_published_port import icc_off_published_port
from icclint_rules.icc.icc_off_raw_frames import icc_off_raw_frames
from icclint_rules.icc.icc_on_but_dropped import icc_on_but_dropped

RULES = (
    icc_off_but_forwarded,
    icc_off_ipv6_open,
    icc_off_ingress_port,
    icc_off_published_port,
    icc_off_raw_frames,
    icc_off_on_default_bridge_only,
    icc_on_but_dropped,
    bridge_netfilter_off,
    bridge_netfilter_unknown,
)
