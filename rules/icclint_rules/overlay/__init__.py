"""Overlay networks and Swarm: encryption, the gateway bridge, the routing mesh."""

from icclint_rules.overlay.gwbridge_icc_on import gwbridge_icc_on
from icclint_rules.overlay.ingress_before_docker_user import ingress_before_docker_user
from icclint_rules.overlay.overlay_cleartext_accepted import overlay_cleartext_accepted
from icclint_rules.overlay.overlay_not_encrypted import overlay_not_encrypted

RULES = (overlay_not_encrypted, overlay_cleartext_accepted, gwbridge_icc_on, ingress_before_docker_user)
