"""Command lines of a shell: what a command shows of a host, and what of it may be another after it has run.

Nothing is ever run. A command that is not known may change anything (grammars/icclint_grammars/commands.toml).
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from importlib.resources import files


class Subject(Enum):
    """What of a host can change by itself.

    ``FILES`` is the configuration of the engine as it is written, which counts from its next start on; ``REST`` is what
    only a new start changes, as its version.
    """

    RULES = "rules"
    NETWORKS = "networks"
    ENDPOINTS = "endpoints"
    CONTAINERS = "containers"
    SETTINGS = "settings"
    INTERFACES = "interfaces"
    FILES = "files"
    REST = "rest"


Subjects = frozenset[Subject]
NOTHING: Subjects = frozenset()
EVERYTHING: Subjects = frozenset(Subject)
_BY_CONTAINERS: Subjects = frozenset((Subject.RULES, Subject.ENDPOINTS, Subject.CONTAINERS, Subject.INTERFACES))
# An engine that makes a network may load br_netfilter and turn on forwarding.
_BY_NETWORKS: Subjects = _BY_CONTAINERS | {Subject.NETWORKS, Subject.SETTINGS}


@dataclass(frozen=True)
class Simple:
    """One command of a line: the program without its folder, its arguments, and the file that it writes to."""

    words: tuple[str, ...]
    writes_to: str | None = None

    @property
    def program(self) -> str:
        """The program's name; empty where there is none."""
        return self.words[0] if self.words else ""

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The words that are no options."""
        return tuple(word for word in self.words[1:] if not word.startswith("-"))

    def has(self, letters: str, *long: str) -> bool:
        """Whether an option is given: one of some letters, alone or in a bundle, or one of the long ones."""
        return any(
            word.partition("=")[0] in long
            or (re.fullmatch(r"-[A-Za-z0-9]+", word) is not None and not set(letters).isdisjoint(word))
            for word in self.words[1:]
        )

    def value(self, short: str, long: str) -> str | None:
        """The value of an option, as in ``-t nat``, ``-tnat`` and ``--table=nat``."""
        for word, following in zip(self.words, (*self.words[1:], ""), strict=True):
            name, equals, value = word.partition("=")
            if word in (short, long):
                return following
            if equals and name == long:
                return value
            if word.startswith(short) and len(word) > len(short) and not word.startswith("--"):
                return word[len(short) :]
        return None


@dataclass(frozen=True)
class CommandLine:
    """A line of commands; ``filtered`` tells that its output went through a program that leaves lines out."""

    commands: tuple[Simple, ...]
    filtered: bool = False

    @property
    def only(self) -> Simple | None:
        """The command that printed the output, where there is but one."""
        return self.commands[0] if len(self.commands) == 1 else None

    @property
    def changes(self) -> Subjects:
        """What may be another after it."""
        return NOTHING.union(*(changes(command) for command in self.commands))

    @property
    def leads_elsewhere(self) -> bool:
        """Whether what it prints is not of the host, and prompts that follow may not be the host's."""
        return any(_leads_elsewhere(command) for command in self.commands)


SUBSTITUTED = "$(...)"
"""What a shell would have put in from the output of other commands."""
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
_XARGS = ("-r", "-t", "-n1", "-0", "--no-run-if-empty")


def parse_line(text: str) -> CommandLine:
    """The commands of a line, in order. A pipe counts as its first command, unless what follows changes something."""
    commands: list[Simple] = []
    filtered = False
    inner = [parse_line(found[1] or found[2] or "") for found in _SUBSTITUTION.finditer(text)]
    for piped in _split(_words(_SUBSTITUTION.sub(SUBSTITUTED, text)), (";", "&&", "||", "&")):
        first, *others = (_simple(stage) for stage in _split(piped, ("|", "|&")))
        for stage in others:
            if stage.program == "xargs":
                first = _simple([word for word in stage.words[1:] if word not in _XARGS] + [SUBSTITUTED])
            else:
                filtered = filtered or stage.program not in _known().passes_all
                commands += [stage] if changes(stage) else []
        commands += _of_a_shell(first) if first.words else ()
    commands += [command for line in inner for command in line.commands if changes(command)]
    return CommandLine(tuple(commands), filtered)


def _words(text: str) -> list[str]:
    # An en dash and the quotes of a word processor are what a web page makes of a hyphen and of quotes.
    plain = text.translate({0x2013: "-", 0x2014: "--", 0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"})
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        # Quotes that are not closed.
        return plain.split()


def _split(words: Sequence[str], at: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word in at:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _of_a_shell(command: Simple) -> tuple[Simple, ...]:
    """What ``sh -c TEXT`` runs; any other command itself."""
    text = command.value("-c", "--command") if command.program in (*_SHELLS, "su") else None
    return (command,) if text is None else parse_line(text).commands


_BEFORE = (
    "do", "then", "else", "if", "elif", "while", "until", "!", "{", "(",
    "sudo", "doas", "time", "nice", "command", "env", "exec", "builtin", "nohup", "stdbuf",
)  # fmt: skip
_WITH_VALUE = {"sudo": ("-u", "-g", "-h", "-p"), "nice": ("-n",)}


def _simple(words: Sequence[str]) -> Simple:
    kept, target = _without_redirections(words)
    while kept and (kept[0] in _BEFORE or re.fullmatch(r"\w+=.*", kept[0])):
        before = kept.pop(0)
        while kept and kept[0].startswith("-") and before in ("sudo", "nice", "env", "stdbuf"):
            kept[: 2 if kept[0] in _WITH_VALUE.get(before, ()) else 1] = []
    if kept:
        kept[0] = kept[0].rpartition("/")[2].removesuffix(".exe")
    return Simple(tuple(kept), target)


def _without_redirections(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words that are the command's own, and the file that its output goes to."""
    rest, kept, target = list(words), list[str](), None
    while rest:
        word = rest.pop(0)
        if word in (">", ">>", ">&", ">|"):
            stream = kept.pop() if kept and kept[-1] in ("1", "2") else "1"
            where = rest.pop(0) if rest else ""
            target = where if stream == "1" and where not in ("1", "2", "/dev/null") else target
        elif word in ("<", "<<", "<<<", "<<-"):
            rest[:1] = []
        else:
            kept.append(word)
    return kept, target


IPTABLES = re.compile(r"(?P<tool>ip6?tables)(?:-(?P<variant>nft|legacy))?(?P<save>-save)?")
"""The programs that show rules, by their names."""
_CHANGES_RULES = re.compile(r"ip6?tables(?:-nft|-legacy)?-(?:restore|apply)|ipset|ebtables|arptables")


@dataclass(frozen=True, slots=True)
class _Known:
    """The words of commands.toml."""

    reads: frozenset[str]
    prints_files: frozenset[str]
    passes_all: frozenset[str]
    docker: Mapping[str, frozenset[str]]


@cache
def _known() -> _Known:
    data = tomllib.loads(files("icclint_grammars").joinpath("commands.toml").read_text("utf-8"))
    docker = {name: frozenset(words) for name, words in data["docker"].items()}
    reads, prints_files, passes_all = (frozenset(data[name]) for name in ("reads", "prints-files", "passes-all"))
    return _Known(reads, prints_files, passes_all, docker)


def is_program(name: str) -> bool:
    """Whether a word is a program by which a line is known to be a command."""
    return bool(IPTABLES.fullmatch(name)) or name in _PROGRAMS or name in _MORE or name in _known().reads


_MORE = ("sudo", "reboot", "dockerd", "apt", "apt-get", "yum", "dnf")
_SHOW = (
    "docker", "podman", "nft", "sysctl", "ip", "bridge", "ipset", "lsmod", "ps", "ufw", "firewall-cmd", "systemctl",
)  # fmt: skip


def shows_hosts(command: Simple) -> bool:
    """Whether a command is one of those whose output is read."""
    return bool(IPTABLES.fullmatch(command.program)) or command.program in _SHOW


def prints_a_file(command: Simple) -> bool:
    """Whether a command shows what stands in a file, of whatever time that is."""
    return command.program in _known().prints_files


def shows_rules(command: Simple) -> bool:
    """Whether a command prints rules of iptables, and changes none."""
    name = IPTABLES.fullmatch(command.program)
    if name is None:
        return False
    asks = command.has("SLCVh", "--list", "--list-rules", "--check", "--version", "--help")
    does = command.has("ADIRFXPENZ") or any(word in _DOES for word in command.words)
    return name["save"] is not None or (asks and not does) or len(command.words) == 1


_DOES = (
    "--append", "--delete", "--insert", "--replace", "--flush", "--zero", "--new-chain", "--delete-chain", "--policy",
    "--rename-chain",
)  # fmt: skip


def inspected(command: Simple) -> tuple[str, ...] | None:
    """The names that ``docker network inspect`` or ``docker inspect`` asks for; None for any other command.

    There are none where a shell put them in, as in ``$(docker network ls -q)``.
    """
    names = list(command.arguments)
    if command.program not in ("docker", "podman") or "inspect" not in names:
        return None
    names = names[names.index("inspect") + 1 :]
    template = command.value("-f", "--format")
    known = not any("$" in name or "*" in name for name in names)
    return tuple(name for name in names if name not in (template, "network", "container")) if known else ()


def changes(command: Simple) -> Subjects:
    """What a command may change of the host that it is typed on."""
    program = command.program
    if not command.words:
        return NOTHING
    if IPTABLES.fullmatch(program):
        return NOTHING if shows_rules(command) else frozenset((Subject.RULES,))
    if _CHANGES_RULES.fullmatch(program):
        looks = command.has("LS") or {"list", "save"} & set(command.words)
        return NOTHING if looks else frozenset((Subject.RULES,))
    if program in _PROGRAMS:
        return _PROGRAMS[program](command)
    return _written(command.writes_to) if program in _known().reads else EVERYTHING


def _written(path: str | None) -> Subjects:
    """What changes where something is written to a file."""
    if path is None or not path.startswith(("/proc/sys", "/sys", "/etc")):
        return NOTHING
    return frozenset((Subject.FILES if path.startswith("/etc") else Subject.SETTINGS,))


def _leads_elsewhere(command: Simple) -> bool:
    """Whether a command runs another one in another place: a container, a namespace, another host."""
    if command.program in ("docker", "podman", "nerdctl"):
        return bool(command.arguments) and command.arguments[0] in ("run", "exec", "attach", "compose")
    in_a_namespace = command.program == "ip" and {"netns", "exec"} <= set(command.words)
    return command.program in ("docker-compose", *_ON_ANOTHER_HOST, *_IN_A_NAMESPACE) or in_a_namespace


_ON_ANOTHER_HOST = ("ssh", "kubectl", "lxc", "vagrant", "docker-machine")
_IN_A_NAMESPACE = ("nsenter", "chroot", "unshare")


def opens_a_shell(command: Simple) -> bool:
    """Whether the prompts that follow are those of a shell that a command starts in another place."""
    last = command.words[-1].rpartition("/")[2] if command.words else ""
    alone = command.program in ("ssh", "docker-machine", "vagrant") and len(command.arguments) < 3
    return _leads_elsewhere(command) and (last in _SHELLS or alone)


_SHELLS = ("sh", "bash", "ash", "dash", "zsh")


def _by_docker(command: Simple) -> Subjects:
    names = command.arguments
    if names and names[0] == "exec":
        # Most containers have rules of their own, but those on the host's network change the host's.
        starts = [place for place, word in enumerate(command.words) if IPTABLES.fullmatch(word)]
        return changes(Simple(command.words[starts[0] :])) if starts else NOTHING
    known = _known().docker
    if not names or names[0] in known["reads"] or (len(names) > 1 and names[1] in known["lists"]):
        return NOTHING
    if names[0] == "network" and len(names) > 1:
        # A new network leaves the others as they are.
        kept = {"connect": _BY_CONTAINERS, "disconnect": _BY_CONTAINERS, "create": _BY_NETWORKS - {Subject.NETWORKS}}
        return kept.get(names[1], _BY_NETWORKS)
    # `compose up` makes networks too.
    return _BY_CONTAINERS if names[0] in known["containers"] else _BY_NETWORKS


def _by_compose(command: Simple) -> Subjects:
    return NOTHING if _known().docker["lists"] & set(command.arguments) else _BY_NETWORKS


def _by_service(command: Simple) -> Subjects:
    # `daemon-reload` reads the files of units, and starts nothing.
    looks = {"status", "show", "cat", "is-active", "is-enabled", "list-units", "list-unit-files", "daemon-reload"}
    return NOTHING if looks & set(command.arguments) else EVERYTHING


def _by_sysctl(command: Simple) -> Subjects:
    sets = command.has("wp", "--write", "--load", "--system") or any("=" in word for word in command.words[1:])
    return frozenset((Subject.SETTINGS,)) if sets else NOTHING


def _by_ip(command: Simple) -> Subjects:
    verbs = {"add", "del", "delete", "set", "change", "replace", "flush", "append", "addbr", "delbr", "addif", "delif"}
    return frozenset((Subject.INTERFACES,)) if verbs & set(command.arguments) else NOTHING


def _by_nft(command: Simple) -> Subjects:
    looks = bool(command.arguments) and command.arguments[0] in ("list", "monitor", "describe")
    return NOTHING if looks else frozenset((Subject.RULES,))


def _by_firewall(command: Simple) -> Subjects:
    looks = ("--list", "--get", "--state", "--query")
    if "status" in command.words or any(word.startswith(looks) for word in command.words):
        return NOTHING
    return frozenset((Subject.RULES, Subject.SETTINGS))


def _by_sed(command: Simple) -> Subjects:
    return frozenset((Subject.FILES,)) if command.has("i", "--in-place") else _written(command.writes_to)


_PROGRAMS: Mapping[str, Callable[[Simple], Subjects]] = {
    **dict.fromkeys(("docker", "podman", "nerdctl"), _by_docker),
    "docker-compose": _by_compose,
    **dict.fromkeys(("systemctl", "service"), _by_service),
    "sysctl": _by_sysctl,
    **dict.fromkeys(("ip", "bridge", "brctl", "route"), _by_ip),
    "nft": _by_nft,
    **dict.fromkeys(("modprobe", "rmmod", "insmod"), lambda _: frozenset((Subject.SETTINGS, Subject.RULES))),
    **dict.fromkeys(("ufw", "firewall-cmd"), _by_firewall),
    **dict.fromkeys(("vi", "vim", "nano", "emacs"), lambda _: frozenset((Subject.FILES,))),
    "sed": _by_sed,
    "tee": lambda command: NOTHING.union(*map(_written, command.arguments)),
    **dict.fromkeys(_ON_ANOTHER_HOST, lambda _: NOTHING),
    # Its network may be the host's own.
    **dict.fromkeys(_IN_A_NAMESPACE, lambda _: EVERYTHING),
}
"""What programs may change that can do both, look and change."""
