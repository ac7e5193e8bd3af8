"""Published ports, and what is exposed beside them."""

from icclint_rules.ports.direct_access_unguarded import direct_access_unguarded
from icclint_rules.ports.direct_routing_unguarded import direct_routing_unguarded
from icclint_rules.ports.host_port_doubled import host_port_doubled
from icclint_rules.ports.loopback_port_reachable import loopback_port_reachable
from icclint_rules.ports.loopback_port_unguarded import loopback_port_unguarded
from icclint_rules.ports.published_port_closed import published_port_closed
from icclint_rules.ports.published_port_past_firewall import published_port_past_firewall
from icclint_rules.ports.published_port_stale import published_port_stale
from icclint_rules.ports.unpublished_port_reachable import unpublished_port_reachable

RULES = (
    loopback_port_reachable,
    loopback_port_unguarded,
    unpublished_port_reachable,
    direct_access_unguarded,
    direct_routing_unguarded,
    published_port_stale,
    host_port_doubled,
    published_port_closed,
    published_port_past_firewall,
)
