"""All that a rule package may import, built-in rules included."""

from icclint.docker.chains import (
    DOCKER_CHAINS,
    ENGINE_CHAINS,
    LinkRule,
    as_link_rule,
    link_rules,
)
from icclint.docker.options import BRIDGE_OPTIONS, ENABLE_ICC, PREFIX, parse_bool
from icclint.finding import Finding, Location, NotAssessed, Severity
from icclint.ir.container import Container
from icclint.ir.host import Host, Sysctl
from icclint.ir.match import Accept, Drop, Goto, Jump, Reject, Return, Target
from icclint.ir.network import Endpoint, Network
from icclint.ir.ruleset import BUILT_IN_CHAINS, Chain, Rule, Ruleset, Table
from icclint.packets.dead import DeadRule, assess_rules, dead_rules
from icclint.packets.describe import describe
from icclint.packets.effect import Effect, families
from icclint.packets.judgement import Extent, Judgement, Share
from icclint.packets.packet import Packet
from icclint.packets.verdict import Assumption, Decision, Trace, Verdict
from icclint.rule import Evidence, Profile, rule
from icclint.source import Span

__all__ = [
    "BRIDGE_OPTIONS", "BUILT_IN_CHAINS", "DOCKER_CHAINS", "ENABLE_ICC", "ENGINE_CHAINS", "PREFIX",
    "Accept", "Assumption", "Chain", "Container", "DeadRule", "Decision", "Drop", "Effect", "Endpoint",
    "Evidence", "Extent", "Finding", "Goto", "Host", "Judgement", "Jump", "LinkRule", "Location", "Network",
    "NotAssessed", "Packet", "Profile", "Reject", "Return", "Rule", "Ruleset", "Severity", "Share", "Span", "Sysctl",
    "Table", "Target", "Trace", "Verdict",
    "as_link_rule", "assess_rules", "dead_rules", "describe", "families", "link_rules", "parse_bool", "rule",
]  # fmt: skip
