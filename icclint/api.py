"""All that a rule package may import, built-in rules included."""

from icclint.docker.chains import DOCKER_CHAINS, ENGINE_CHAINS, LinkRule, as_link_rule, link_rules
from icclint.docker.generation import Generation, Mark, generations
from icclint.docker.options import (
    BOOLEANS,
    BRIDGE_NAME,
    BRIDGE_OPTIONS,
    CHOICES,
    DRIVER_OPTIONS,
    ENABLE_ICC,
    ENCRYPTED,
    GATEWAY_MODE,
    HOST_BINDING,
    PREFIX,
    TRUSTED_INTERFACES,
    parse_bool,
)
from icclint.docker.overlay import is_encrypted, marks_for_encryption, refuses_clear, vni_of, vnis
from icclint.docker.publish import Proxy, proxies
from icclint.finding import Finding, Location, NotAssessed, Severity
from icclint.ir.container import Container
from icclint.ir.host import Host, Sysctl
from icclint.ir.match import (
    Accept,
    Drop,
    Goto,
    InterfaceMatch,
    Jump,
    MarkMatch,
    OpaqueMatch,
    PhysdevMatch,
    Reject,
    Return,
    Rewrite,
    Target,
)
from icclint.ir.network import Endpoint, Network
from icclint.ir.ruleset import BUILT_IN_CHAINS, Chain, Rule, Ruleset, Table
from icclint.packets.connection import Passage
from icclint.packets.dead import DeadRule, Preemption, assess_rules, dead_rules, preemptions
from icclint.packets.describe import describe
from icclint.packets.effect import Effect, families
from icclint.packets.judgement import Extent, Judgement, Share
from icclint.packets.packet import Packet
from icclint.packets.verdict import Assumption, Decision, Trace, Verdict, assume_match
from icclint.rule import Evidence, Profile, rule
from icclint.source import Span

__all__ = [
    "BOOLEANS", "BRIDGE_NAME", "BRIDGE_OPTIONS", "BUILT_IN_CHAINS", "CHOICES", "DOCKER_CHAINS", "DRIVER_OPTIONS",
    "ENABLE_ICC", "ENCRYPTED", "ENGINE_CHAINS", "GATEWAY_MODE", "HOST_BINDING", "PREFIX", "TRUSTED_INTERFACES",
    "Accept", "Assumption", "Chain", "Container", "DeadRule", "Decision", "Drop", "Effect", "Endpoint", "Evidence",
    "Extent", "Finding", "Generation", "Goto", "Host", "InterfaceMatch", "Judgement", "Jump", "LinkRule",
    "Location", "Mark", "MarkMatch", "Network", "NotAssessed", "OpaqueMatch", "Packet", "Passage", "PhysdevMatch",
    "Preemption", "Profile", "Proxy", "Reject", "Return", "Rewrite", "Rule", "Ruleset", "Severity", "Share", "Span",
    "Sysctl", "Table", "Target", "Trace", "Verdict",
    "as_link_rule", "assess_rules", "assume_match", "dead_rules", "describe", "families", "generations",
    "is_encrypted", "link_rules", "marks_for_encryption", "parse_bool", "preemptions", "proxies", "refuses_clear",
    "rule", "vni_of", "vnis",
]  # fmt: skip
