"""Console transcripts: prompts, the commands typed at them, and what each of them printed.

Prompts are told by their shape (``user@host:~$``, ``[root@host ~]#``, ``PS C:\\>``, a bare ``$``), a bare ``#`` only
where a known command stands behind it, since dumps have comments. Of a page in Markdown the fenced blocks count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from icclint.parse.shell import CommandLine, changes, is_program, opens_a_shell, parse_line, shows_hosts
from icclint.source import Document

_USER = r"[\w.-]+@(?P<host>[\w-]+(?:\.[\w-]+)*)"
_PROMPTS = tuple(
    re.compile(rf"\s*{shape}")
    for shape in (
        # user@host:~$  root@host:/#  core@host ~ $  root@host>  [root@host ~]#  (venv) user@host:~$
        rf"(?P<prompt>(?:\([\w.-]+\) )?\[?{_USER}(?:[: ][^\s$#>%\]]*)?\]?(?: ?[$#%]|>))(?:[ \t]+|$)(?P<command>.*)$",
        # docker1:~ #
        r"(?P<prompt>(?P<host>[A-Za-z][\w-]*):[~/][^\s$#>%]* ?[$#])(?:[ \t]+|$)(?P<command>.*)$",
        # PS C:\>  C:\Users\me>
        r"(?P<prompt>(?:PS [^>\n]*|[A-Z]:\\[^>\n]*)>)[ \t]*(?P<command>.*)$",
        # bash-4.2#  / #  ~ $
        r"(?P<prompt>(?:(?:ba|z|a|da)?sh-[\d.]+|[~/][\w./-]* )[$#])(?:[ \t]+|$)(?P<command>.*)$",
        # ➜  ~ docker ps
        r"(?P<prompt>[➜❯λ»](?:\s+[~/][\w./-]*)?)[ \t]+(?P<command>.*)$",
        r"(?P<prompt>\$)(?:[ \t]+(?P<command>\S.*)|$)$",
        r"(?P<prompt>[#%+>])[ \t]+(?P<command>\S.*)$",
        # ########## iptables -S ##########
        r"(?P<prompt>[#*=>+-]{2,})[ \t]*(?:[Oo]utput of:?[ \t]+)?`?(?P<command>\S.*?)`?[ \t:]*[#*=<-]*$",
    )
)
_SURE = len(_PROMPTS) - 2
"""So many of them are no comment and no heading, whatever stands behind them."""
_FENCE = re.compile(r"\s*(?:```|~~~)")
_CONTAINER = re.compile(r"[0-9a-f]{12}(?:[0-9a-f]{52})?")
"""Docker calls a container by the beginning of its id where nobody gave it a name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, and what it printed.

    ``host`` is the name that the prompt gives, empty where it gives none. ``line`` is the number of the command's line,
    ``output`` the excerpt of what it printed. ``elsewhere`` tells that it was typed in a container, or on another host.
    """

    host: str
    line: int
    text: str
    command: CommandLine
    output: Document
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """The commands of a transcript in order; ``file`` is its document, with the text that its excerpts are cut from."""

    file: Document
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt: where it starts and ends in its line, the host that it names, and the command behind it."""

    line: int
    start: int
    text: str
    host: str
    command: str


@dataclass(frozen=True, slots=True)
class _Block:
    """A run of lines, from the first to the one behind the last, with the command that a page says printed them."""

    first: int
    end: int
    fenced: bool = False
    titled: str = ""


def looks_like_transcript(document: Document) -> bool:
    """Whether a text holds a prompt with a command that shows something of a host."""
    raw = document.text
    text = _plain(raw) if raw.startswith(">") or _CONTROLS.search(raw) else raw
    lines: list[str] = []
    for found in _WORTH_A_LOOK.finditer(text):
        if found["title"]:
            lines = lines or text.split("\n")
            if any(block.titled for block in _blocks(lines)):
                return True
            continue
        start, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
        prompt = _prompt(text[start : end if end >= 0 else None], 1)
        if prompt is not None and _shows(prompt.command):
            return True
    return False


# A prompt, or the title of a fenced block, and a command whose output is read.
_WORTH_A_LOOK = re.compile(
    r"(?:[#$>%*=+➜❯λ»-][ \t]+(?:[~/]\S*[ \t]+)?(?:[Oo]utput of:?[ \t]+)?`?|(?P<title>`))"
    r"(?:\*\*)?(?:sudo[ \t]+(?:-\S+[ \t]+)*)?(?:/\S*/)?"
    r"(?:ip6?tables|docker|podman|nft|sysctl|ip|bridge|ipset|ufw|firewall-cmd|lsmod|systemctl)\b"
)


def _shows(command: str) -> bool:
    """Whether a command prints what icclint reads, and changes nothing."""
    return any(shows_hosts(simple) and not changes(simple) for simple in parse_line(command).commands)


MOST = 10_000_000
"""How many commands times lines a transcript may have: the excerpt of each command is as long as what is before it."""


class TooLongError(ValueError):
    """A transcript of more commands and lines than are gone through."""


def read_transcript(document: Document) -> Transcript:
    """The commands of a document in order, each with an excerpt of the document that holds its output alone.

    Raises `TooLongError`.
    """
    plain = _plain(document.text)
    file = Document(document.name, document.content, plain=plain)
    lines = plain.split("\n")
    place = _Place()
    entries: list[Entry] = []
    blocks = list(_blocks(lines))
    prompts = {block: list(_prompts(lines, block)) for block in blocks}
    if sum(map(len, prompts.values())) * len(lines) > MOST:
        raise TooLongError
    known = {prompt.text for found in prompts.values() for prompt in found if prompt.host}
    for block in blocks:
        if block.titled:
            entries.append(_titled(file, lines, block))
            continue
        found = _typed(lines, _with_glued(lines, prompts[block], known, block), block)
        if found and not block.fenced:
            entries.append(_before_all(file, lines, block, found[0]))
        for prompt, following in pairwise([*found, None]):
            assert prompt is not None
            entries.append(_entry(file, lines, prompt, following, block, place))
    return Transcript(file, _named(entries))


def _titled(file: Document, lines: Sequence[str], block: _Block) -> Entry:
    output = _excerpt(file, lines, block.first, (block.end, 0), block.titled)
    return Entry("", block.first, block.titled, parse_line(block.titled), output)


def _before_all(file: Document, lines: Sequence[str], block: _Block, first: _Prompt) -> Entry:
    """What stands above the first prompt."""
    end = _without_remarks(lines, block.first, (first.line, first.start))
    return Entry("", block.first, "", parse_line(""), _excerpt(file, lines, block.first, end, ""))


def _entry(
    file: Document, lines: Sequence[str], prompt: _Prompt, following: _Prompt | None, block: _Block, place: _Place
) -> Entry:
    command, start = _whole_command(lines, prompt, block)
    end = (following.line, following.start) if following else (block.end, 0)
    line = parse_line(command)
    elsewhere = place.enter(prompt, line)
    if not block.fenced:
        end = _without_remarks(lines, start, end)
    return Entry(prompt.host, prompt.line, command, line, _excerpt(file, lines, start, end, command), elsewhere)


def _named(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries whose prompt names no host belong to the host of the one before, or else to the first that is named."""
    found = list(entries)
    host = next((entry.host for entry in found if entry.host and not entry.elsewhere), "")
    for place, entry in enumerate(found):
        if not entry.elsewhere:
            host = entry.host or host
            found[place] = replace(entry, host=host)
    return tuple(found)


@dataclass
class _Place:
    """Where the commands run: on the host, or in what a command has led into."""

    left: _Prompt | None = None
    inside: str = ""
    in_a_shell: bool = False

    def enter(self, prompt: _Prompt, command: CommandLine) -> bool:
        """Whether a command runs elsewhere; it may lead there, or back."""
        if self.left is not None and self._is_back(prompt):
            self.left = None
        elif self.left is not None and not self.inside:
            self.inside = prompt.text
        away = self.left is not None or _CONTAINER.fullmatch(prompt.host) is not None
        if any(simple.program in ("exit", "logout", "lsmod") for simple in command.commands) and self.left is not None:
            self.left = None
            return True
        if not away and command.leads_elsewhere:
            self.left, self.inside = prompt, ""
            self.in_a_shell = any(opens_a_shell(simple) for simple in command.commands)
        return away

    def _is_back(self, prompt: _Prompt) -> bool:
        assert self.left is not None
        if prompt.host:
            return not _CONTAINER.fullmatch(prompt.host)
        # A command that printed something and ended comes back to the same prompt at once; a shell may have the same.
        stays = self.in_a_shell and not self.inside
        return prompt.text == self.left.text and prompt.text != self.inside and not stays


# --- Text without what a terminal does not show ---

_CONTROLS = re.compile(
    "\x1b\\[[0-9;:?<=>!]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"
    "|\x1b[()*+][0-9A-Za-z]|\x1b[ -/]?[0-~]|[\x07\x0e\x0f]"
)
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}


def _plain(text: str) -> str:
    """A text as a terminal, or a browser, shows it; the lines stay the same."""
    lines = [_drawn(line) if "\x1b" in line or "\b" in line or "\r" in line else line for line in text.split("\n")]
    fenced = any(_FENCE.match(line) for line in lines)
    shown = (line.replace("\u00a0", " ") for line in lines)
    if fenced:
        # Bold type in a fenced block is there for the reader.
        shown = (re.sub(r"\*\*(?=\S)|(?<=\S)\*\*", "", line) for line in shown)
    whole = "\n".join(shown)
    if "&lt;" in whole or "&gt;" in whole:
        whole = re.sub("|".join(_ENTITIES), lambda found: _ENTITIES[found[0]], whole)
    return _unquoted(whole)


def _drawn(line: str) -> str:
    """What is left of a line when its control sequences have been carried out.

    readline prints a blank and a carriage return where a command reaches the edge of the terminal.
    """
    text = _CONTROLS.sub("", line.rstrip("\r"))
    text = re.sub(r"(?<=\S) \r(?=\S)", "", text)
    text = text.rpartition("\r")[2]
    drawn: list[str] = []
    for character in text:
        if character != "\b":
            drawn.append(character)
        elif drawn:
            drawn.pop()
    return "".join(drawn)


def _unquoted(text: str) -> str:
    """The text without the marks by which a mail program quotes it, where every line has one."""
    lines = text.split("\n")
    told = [line for line in lines if line.strip()]
    if told and all(line.startswith(">") for line in told) and any(line.startswith("> ") for line in told):
        return "\n".join(re.sub(r"^>", " ", line) for line in lines)
    return text


# --- Blocks and prompts ---


def _blocks(lines: Sequence[str]) -> Iterator[_Block]:
    """The fenced blocks of a page that have prompts, or that a command is named for; else all lines as one block."""
    fences = [number for number, line in enumerate(lines, start=1) if _FENCE.match(line)]
    ends = [*fences[1::2], len(lines) + 1]
    fenced = [_Block(first + 1, end, fenced=True) for first, end in zip(fences[::2], ends, strict=False)]
    told = [block for block in fenced if any(_prompts(lines, block))]
    others = (block for block in fenced if block not in told)
    titled = [replace(block, titled=title) for block in others if (title := _title(lines, block))]
    yield from sorted(told + titled, key=lambda block: block.first) or [_Block(1, len(lines) + 1)]


_CODE = re.compile(r"`([^`]+)`")


def _title(lines: Sequence[str], block: _Block) -> str:
    """The command that the line above a fenced block names, as bug reports do: Output of `docker version`."""
    above = (line for line in reversed(lines[max(0, block.first - 6) : block.first - 2]) if line.strip())
    codes = _CODE.findall(next(above, ""))
    return codes[-1] if codes and _shows(codes[-1]) else ""


def _prompts(lines: Sequence[str], block: _Block) -> Iterator[_Prompt]:
    for number in range(block.first, block.end):
        found = _prompt(lines[number - 1], number)
        if found is not None:
            yield found


LONGEST_COMMAND = 1 << 12
"""How many characters a line with a prompt may have."""


def _prompt(line: str, number: int) -> _Prompt | None:
    if len(line) > LONGEST_COMMAND:
        return None
    for place, shape in enumerate(_PROMPTS):
        found = shape.match(line)
        if found is None:
            continue
        command = (found["command"] or "").strip()
        if place >= _SURE and not _is_command(command):
            continue
        host = found.groupdict().get("host") or ""
        return _Prompt(number, found.start("prompt"), found["prompt"], host, command)
    return None


def _is_command(text: str) -> bool:
    """Whether a text begins with a program that is known."""
    words = text.split()
    program = words[0].rpartition("/")[2] if words else ""
    whole = len(words) > 1 or program.endswith("-save") or program in ("exit", "logout", "lsmod")
    return whole and is_program(program) and not _PROSE.search(text)


_PROSE = re.compile(r"[.:!?]$|\b(?:the|is|are|was|and|this|that)\b")


def _with_glued(lines: Sequence[str], prompts: list[_Prompt], known: Iterable[str], block: _Block) -> list[_Prompt]:
    """Prompts, and those that follow an output without a line end, which are known from elsewhere."""
    glued = [text for text in known if len(text) > 5]
    if not glued:
        return prompts
    shape = re.compile(
        r"(?<=\S)(?P<prompt>" + "|".join(map(re.escape, sorted(glued))) + r")(?:[ \t]+(?P<command>.*))?$"
    )
    at = {prompt.line for prompt in prompts}
    hosts = {prompt.text: prompt.host for prompt in prompts}
    found = list(prompts)
    for number in range(block.first, block.end):
        hit = shape.search(lines[number - 1]) if number not in at else None
        if hit is not None:
            host = hosts.get(hit["prompt"], "")
            found.append(_Prompt(number, hit.start("prompt"), hit["prompt"], host, (hit["command"] or "").strip()))
    return sorted(found, key=lambda prompt: prompt.line)


def _typed(lines: Sequence[str], prompts: Iterable[_Prompt], block: _Block) -> list[_Prompt]:
    """The prompts that do not stand in a document that was typed for the command before (``<<EOF``)."""
    found: list[_Prompt] = []
    free = 0
    for prompt in prompts:
        if prompt.line >= free:
            found.append(prompt)
            free = _whole_command(lines, prompt, block)[1]
    return found


def _whole_command(lines: Sequence[str], prompt: _Prompt, block: _Block) -> tuple[str, int]:
    """A command with the lines that continue it, and the number of the line behind it."""
    command, number = prompt.command, prompt.line + 1
    here = re.search(r"<<-?\s*['\"]?(\w+)", command)
    while command.endswith("\\") and number < block.end:
        command = f"{command[:-1].rstrip()} {re.sub(r'^ *> ?', '', lines[number - 1]).strip()}"
        number += 1
    if here:
        ends = (n for n in range(number, block.end) if lines[n - 1].strip().removeprefix("> ") == here[1])
        number = next(ends, number - 1) + 1
    return command, number


_SENTENCE = re.compile(r"\s*(?:[-*+] |\d+[.)] |#+ |> )?[\"'(`*_]*[A-Za-z][\w'’`*_-]*[,;:]?(?: +\S+){2,}\s*")


def _without_remarks(lines: Sequence[str], start: int, end: tuple[int, int]) -> tuple[int, int]:
    """The end of an output without the paragraphs of prose that follow it."""
    last = end[0]
    while True:
        stop = last
        while stop > start and not lines[stop - 2].strip():
            stop -= 1
        first = stop
        while first > start and lines[first - 2].strip():
            first -= 1
        # A paragraph, with a blank line above it.
        if first in (stop, start) or not _is_prose(lines[first - 1 : stop - 1]):
            return (last, 0) if last != end[0] else end
        last = first


def _is_prose(paragraph: Sequence[str]) -> bool:
    return all(_SENTENCE.fullmatch(line) for line in paragraph[:1]) and paragraph[-1].rstrip(" *_`)\"'")[-1:] in (
        *".:!?",
    )


def _excerpt(file: Document, lines: Sequence[str], start: int, end: tuple[int, int], command: str) -> Document:
    """The lines from one on to a place, with nothing in the place of all lines before them."""
    last, column = end
    kept = list(lines[start - 1 : last - 1])
    if column:
        kept.append(lines[last - 1][:column])
    # Secrets are asked for, and readers are kept waiting.
    kept = ["" if _NOISE.fullmatch(line) else line for line in kept]
    return Document(file.name, b"", plain="\n" * (start - 1) + "\n".join(kept), command=command, file=file)


_NOISE = re.compile(r"\s*(?:\[sudo\] password for .*|Script (?:started|done) on .*|\^C|\(END\)|logout)\s*")
