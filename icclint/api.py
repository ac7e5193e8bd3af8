"""All that a rule package may import, built-in rules included."""

from icclint.docker.chains import (
    DOCKER_CHAINS,
    ENGINE_CHAINS,
    LinkRule,
    as_link_rule,
    closes_containers,
    guarded_addresses,
    hidden_link,
    lets_in,
    link_rules,
    native_way_in,
)
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
    gateway_mode,
    parse_bool,
)
from icclint.docker.overlay import is_encrypted, marks_for_encryption, refuses_clear, vni_of, vnis
from icclint.docker.publish import (
    PortForward,
    PortOpening,
    Publication,
    as_port_opening,
    port_forwards,
    port_openings,
    proxies,
    publications,
)
from icclint.finding import Finding, Location, NotAssessed, Severity
from icclint.ir.base import once
from icclint.ir.container import Container
from icclint.ir.engine import Daemon, Engine
from icclint.ir.host import Host, Sysctl
from icclint.ir.match import (
    Accept,
    AddressMatch,
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
from icclint.packets.box import Box
from icclint.packets.connection import Passage
from icclint.packets.dead import DeadRule, Preemption, assess_rules, dead_rules, preemptions
from icclint.packets.describe import describe
from icclint.packets.effect import Effect, families
from icclint.packets.judgement import End, Extent, Judgement, Share
from icclint.packets.packet import PORT_PROTOCOLS, PROTOCOL_NAMES, Packet, address_text
from icclint.packets.ranges import RangeSet
from icclint.packets.verdict import Assumption, Decision, Trace, Verdict, assume_match
from icclint.rule import Evidence, Profile, rule
from icclint.source import Span

__all__ = [
    "BOOLEANS", "BRIDGE_NAME", "BRIDGE_OPTIONS", "BUILT_IN_CHAINS", "CHOICES", "DOCKER_CHAINS", "DRIVER_OPTIONS",
    "ENABLE_ICC", "ENCRYPTED", "ENGINE_CHAINS", "GATEWAY_MODE", "HOST_BINDING", "PORT_PROTOCOLS", "PREFIX",
    "PROTOCOL_NAMES", "TRUSTED_INTERFACES",
    "Accept", "AddressMatch", "Assumption", "Box", "Chain", "Container", "Daemon", "DeadRule", "Decision", "Drop",
    "Effect", "End", "Endpoint", "Engine", "Evidence", "Extent", "Finding", "Generation", "Goto", "Host",
    "InterfaceMatch", "Judgement", "Jump", "LinkRule", "Location", "Mark", "MarkMatch", "Network", "NotAssessed",
    "OpaqueMatch", "Packet", "Passage", "PhysdevMatch", "PortForward", "PortOpening", "Preemption", "Profile",
    "Publication", "RangeSet", "Reject", "Return", "Rewrite", "Rule", "Ruleset", "Severity", "Share", "Span",
    "Sysctl", "Table", "Target", "Trace", "Verdict",
    "address_text", "as_link_rule", "as_port_opening", "assess_rules", "assume_match", "closes_containers",
    "dead_rules", "describe", "families", "gateway_mode", "generations", "guarded_addresses", "hidden_link",
    "is_encrypted", "lets_in", "link_rules", "marks_for_encryption", "native_way_in", "once", "parse_bool",
    "port_forwards", "port_openings", "preemptions", "proxies", "publications", "refuses_clear", "rule", "vni_of",
    "vnis",
]  # fmt: skip
