"""What an engine sets up by itself on its bridges."""

from __future__ import annotations

from tests.lab.engine import IMAGE
from tests.lab.lab import Lab
from tests.lab.scenario import Coverage, scenario
from tests.lab.scenarios.parts import ICC_OFF, ICC_ON, forward_policy, label_icc, option_icc, pair

# -- the default bridge, links, user-defined bridges -----------------------


@scenario("01-default-icc-true", "Default bridge with icc on.")
def default_icc_true(lab: Lab) -> None:
    lab.engine.start()
    pair(lab)


@scenario("02-default-icc-false", "Default bridge with icc off.")
def default_icc_false(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    pair(lab)


@scenario("03-link", "icc off; web2 is linked to web1 (exposes 80/tcp); web3 is linked to nothing.")
def link(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    lab.containers.run("web1", "--expose", "80")
    lab.containers.run("web2", "--link", "web1")
    lab.containers.run("web3")


@scenario("05-user-icc-false", "User-defined bridge with icc off, three containers.")
def user_icc_false(lab: Lab) -> None:
    lab.engine.start()
    lab.containers.create_network("apps", *ICC_OFF)
    lab.containers.run("web1", "--expose", "80", "--network", "apps")
    lab.containers.run("web2", "--network", "apps")
    lab.containers.run("web3", "--network", "apps")


@scenario(
    "05b-user-icc-false-link",
    "User-defined bridge with icc off; web2 was started with --link web1 on that network.",
)
def user_icc_false_link(lab: Lab) -> None:
    lab.engine.start()
    lab.containers.create_network("apps", *ICC_OFF)
    lab.containers.run("web1", "--expose", "80", "--network", "apps")
    lab.containers.run("web2", "--network", "apps", "--link", "web1")


@scenario(
    "06-two-networks",
    "front has icc off, back has icc on; 'both' is on both; 'plain' on the default bridge.",
)
def two_networks(lab: Lab) -> None:
    lab.engine.start()
    lab.containers.create_network("front", *ICC_OFF)
    lab.containers.create_network("back", *ICC_ON)
    lab.containers.run("f1", "--expose", "80", "--network", "front")
    lab.containers.run("f2", "--network", "front")
    lab.containers.run("b1", "--expose", "80", "--network", "back")
    lab.containers.run("b2", "--network", "back")
    lab.containers.run("both", "--network", "front")
    lab.host.do("docker", "network", "connect", "back", "both")
    lab.containers.run("plain")


# -- internal networks -----------------------------------------------------


@scenario("07a-internal-icc-true", "Internal network with icc on, and one container on the default bridge.")
def internal_icc_true(lab: Lab) -> None:
    _internal(lab, ICC_ON)


@scenario("07b-internal-icc-false", "Internal network with icc off, and one container on the default bridge.")
def internal_icc_false(lab: Lab) -> None:
    _internal(lab, ICC_OFF)


def _internal(lab: Lab, icc: tuple[str, str]) -> None:
    lab.engine.start()
    lab.containers.create_network("inner", "--internal", *icc)
    lab.containers.run("i1", "--expose", "80", "--network", "inner")
    lab.containers.run("i2", "--network", "inner")
    lab.containers.run("plain")


# -- published ports -------------------------------------------------------

_PUBLISHED = (
    "web1 and app1 publish 80/tcp on every address, 9999/tcp on 127.0.0.1, and 5353/udp; "
    "web1, web2 on the default bridge, app1, app2 on apps."
)


@scenario("08a-published-proxy", _PUBLISHED)
def published_proxy(lab: Lab) -> None:
    lab.engine.start()
    _publish(lab)


@scenario("08b-published-no-proxy", f"{_PUBLISHED} No userland proxy.")
def published_no_proxy(lab: Lab) -> None:
    lab.engine.start("--userland-proxy=false")
    _publish(lab)


@scenario("19a-published-icc-false-proxy", f"{_PUBLISHED} icc off on both.")
def published_icc_false_proxy(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    _publish(lab, *ICC_OFF)


def _publish(lab: Lab, *options: str) -> None:
    lab.containers.create_network("apps", *options)
    lab.containers.run("web1", *_ports(80))
    lab.containers.run("web2")
    lab.containers.run("app1", "--network", "apps", *_ports(90))
    lab.containers.run("app2", "--network", "apps")


def _ports(first: int) -> tuple[str, ...]:
    return "-p", f"0.0.0.0:{first}80:80", "-p", f"127.0.0.1:{first}81:9999", "-p", f"{first}53:5353/udp"


@scenario(
    "25-no-masquerade",
    "icc off, no masquerading, published ports bind to 127.0.0.1 by default.",
)
def no_masquerade(lab: Lab) -> None:
    lab.engine.start()
    masquerade = "com.docker.network.bridge.enable_ip_masquerade=false"
    binding = "com.docker.network.bridge.host_binding_ipv4=127.0.0.1"
    lab.containers.create_network("apps", *ICC_OFF, "-o", masquerade, "-o", binding)
    lab.containers.run("app1", "--network", "apps", "-p", "8080:80")
    lab.containers.run("app2", "--network", "apps")


# -- IPv6 ------------------------------------------------------------------

_IPV6 = "icc off on the default bridge (unless the engine refused: see steps) and on apps6, both with IPv6"


@scenario("12a-ipv6-no-ip6tables", f"{_IPV6}; ip6tables off.")
def ipv6_no_ip6tables(lab: Lab) -> None:
    # Before 27, ip6tables was an experiment and off unless asked for.
    _start_ipv6(lab, *(["--ip6tables=false"] if lab.engine.version >= (27,) else []))
    _ipv6(lab)


@scenario("12b-ipv6-ip6tables", f"{_IPV6}; ip6tables on.")
def ipv6_ip6tables(lab: Lab) -> None:
    _start_ipv6(lab, *(["--experimental", "--ip6tables"] if lab.engine.version < (27,) else []))
    _ipv6(lab)


def _start_ipv6(lab: Lab, *flags: str) -> None:
    ipv6 = ("--ipv6", "--fixed-cidr-v6=fd00:17::/64", *flags)
    if not lab.engine.try_start("--icc=false", *ipv6):
        # Newer engines do not claim what they cannot enforce.
        lab.engine.start(*ipv6)


def _ipv6(lab: Lab) -> None:
    subnets = ("--subnet", "fd00:18::/64", "--subnet", "172.28.0.0/24")
    lab.containers.create_network("apps6", "--ipv6", *subnets, *ICC_OFF)
    lab.containers.run("web1", "--expose", "80")
    lab.containers.run("web2", "-p", "8080:80")
    lab.containers.run("app1", "--network", "apps6", "--expose", "80")
    lab.containers.run("app2", "--network", "apps6")


# -- the outside world -----------------------------------------------------


@scenario(
    "14a-policy-accept-direct-route",
    "ip_forward was 1 before the engine started, so it did not set the FORWARD policy.",
)
def policy_accept_direct_route(lab: Lab) -> None:
    _forwarding_before(lab)


@scenario(
    "14b-policy-drop-by-hand",
    "ip_forward was 1 before the engine started; then iptables -P FORWARD DROP by hand.",
)
def policy_drop_by_hand(lab: Lab) -> None:
    _forwarding_before(lab)
    forward_policy(lab, "DROP")


def _forwarding_before(lab: Lab) -> None:
    lab.host.sysctl("net.ipv4.ip_forward", 1)
    lab.engine.start()
    lab.containers.create_network("apps", *ICC_OFF)
    lab.containers.run("web1", "--expose", "80")
    lab.containers.run("web2", "-p", "127.0.0.1:8080:80")
    lab.containers.run("app1", "--network", "apps", "-p", "9080:80")
    lab.containers.run("app2", "--network", "apps")


# -- gateway modes ---------------------------------------------------------

_GATEWAY_MODES = "Networks by gateway mode, icc off (engines before 27 take the option and do nothing with it)."


@scenario("17a-gateway-modes", _GATEWAY_MODES)
def gateway_modes(lab: Lab) -> None:
    _gateway_modes(lab)


@scenario("17b-gateway-modes-policy-accept", f"{_GATEWAY_MODES} FORWARD policy ACCEPT, set by hand.")
def gateway_modes_policy_accept(lab: Lab) -> None:
    _gateway_modes(lab)
    forward_policy(lab, "ACCEPT")


def _gateway_modes(lab: Lab) -> None:
    lab.engine.start()
    _gateway_mode(lab, "nat", "n", "-p", "8180:80")
    _gateway_mode(lab, "routed", "r", "-p", "8280:80")
    _gateway_mode(lab, "nat-unprotected", "u", "-p", "8380:80")
    _gateway_mode(lab, "isolated", "i")


def _gateway_mode(lab: Lab, mode: str, prefix: str, *ports: str) -> None:
    network = f"net-{mode}"
    internal = ("--internal",) if mode == "isolated" else ()
    option = ("-o", f"com.docker.network.bridge.gateway_mode_ipv4={mode}")
    if lab.containers.try_network(network, *option, *ICC_OFF, *internal):
        lab.containers.run(f"{prefix}1", "--network", network, "--expose", "80", *ports)
        lab.containers.run(f"{prefix}2", "--network", network)


# -- many containers, and claims of other kinds ----------------------------


@scenario(
    "20-large",
    "Six bridges of ten containers; odd ones have icc off, even ones on; the first of each publishes 80/tcp.",
    Coverage.SPARSE,
)
def large(lab: Lab) -> None:
    lab.engine.start()
    for number in range(1, 7):
        subnet = "172.31.0.0/24" if number == 1 else f"10.{number}.0.0/24"
        lab.containers.create_network(f"net{number}", "--subnet", subnet, *(ICC_OFF if number % 2 else ICC_ON))
    for count in range(60):
        number, place = count // 10 + 1, count % 10
        ports = ("-p", f"{8000 + count}:80") if place == 0 else ()
        lab.containers.run(f"c{number}-{place}", "--network", f"net{number}", "--expose", "80", *ports)


@scenario("21-iptables-false", "--iptables=false; the network is accepted with icc off and nothing enforces it.")
def iptables_false(lab: Lab) -> None:
    lab.engine.start("--iptables=false")
    lab.containers.create_network("apps", *ICC_OFF)
    lab.containers.run("app1", "--network", "apps", "--expose", "80")
    lab.containers.run("app2", "--network", "apps", "-p", "8080:80")
    lab.containers.run("plain")


@scenario(
    "22-network-modes",
    "side shares web1's namespace, onhost the host's, alone has none, gone has exited.",
)
def network_modes(lab: Lab) -> None:
    lab.engine.start("--icc=false")
    lab.containers.run("web1", "--expose", "80")
    lab.containers.run_in("container:web1", "side")
    lab.containers.run_in("host", "onhost")
    lab.containers.run("alone", "--network", "none")
    lab.containers.run("web2")
    lab.host.do("docker", "run", "--name", "gone", IMAGE, "/bin/busybox", "true")


@scenario(
    "23-icc-spellings",
    "Networks that say icc off in eight ways; see steps for those refused.",
    Coverage.SPARSE,
)
def icc_spellings(lab: Lab) -> None:
    lab.engine.start()
    spellings = {
        "label": label_icc("false"),
        "noprefix": ("-o", "enable_icc=false"),
        "zero": option_icc("0"),
        "upper": option_icc("FALSE"),
        "word": option_icc("no"),
        "empty": option_icc(""),
        "short": ("-o", "icc=false"),
        "one": option_icc("1"),
    }
    for name, option in spellings.items():
        if lab.containers.try_network(name, *option):
            lab.containers.run(f"{name}1", "--network", name)
            lab.containers.run(f"{name}2", "--network", name)
