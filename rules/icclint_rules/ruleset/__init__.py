"""Rulesets as they were found: their chains, their order, and the engine that wrote them."""

from icclint_rules.ruleset.captured_inside_container import captured_inside_container
from icclint_rules.ruleset.chain_never_reached import chain_never_reached
from icclint_rules.ruleset.docker_user_accepts_everything import docker_user_accepts_everything
from icclint_rules.ruleset.docker_user_after_return import docker_user_after_return
from icclint_rules.ruleset.docker_user_bypassed import docker_user_bypassed
from icclint_rules.ruleset.duplicate_rules import duplicate_rules
from icclint_rules.ruleset.engine_with_known_vulnerability import engine_with_known_vulnerability
from icclint_rules.ruleset.forward_policy_accept import forward_policy_accept
from icclint_rules.ruleset.no_docker_rules import no_docker_rules
from icclint_rules.ruleset.rule_never_matches import rule_never_matches
from icclint_rules.ruleset.rules_of_another_release import rules_of_another_release
from icclint_rules.ruleset.rules_of_missing_bridge import rules_of_missing_bridge
from icclint_rules.ruleset.rules_of_two_engines import rules_of_two_engines
from icclint_rules.ruleset.two_iptables_variants import two_iptables_variants

RULES = (
    no_docker_rules,
    captured_inside_container,
    two_iptables_variants,
    rules_of_two_engines,
    rules_of_missing_bridge,
    chain_never_reached,
    docker_user_after_return,
    docker_user_accepts_everything,
    docker_user_bypassed,
    rule_never_matches,
    duplicate_rules,
    forward_policy_accept,
    engine_with_known_vulnerability,
    rules_of_another_release,
)
