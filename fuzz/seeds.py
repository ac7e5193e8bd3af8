"""What fuzzing begins with: whatever the tests have, and the words of the grammars."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path

import zstandard
from icclint_rules import RULES

from icclint.baseline import baseline_of, render_baseline
from icclint.capture.read import read_captures
from icclint.engine import check
from icclint.parse.kind import Kind, kind_of
from icclint.source import Document
from icclint.testing import cases
from tests.packed import PACKERS

ROOT = Path(__file__).parent.parent
LONGEST = 1 << 12
"""How many bytes most inputs may have. What one costs is a matter of its length, and so tests/test_hostile.py looks at
that."""
SEPARATOR = b"\n%%\n"
"""What stands between two documents of one input."""
PACKED: tuple[Callable[[bytes], bytes], ...] = (bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress)
"""Ways to pack an archive once more, and the way of not doing so; the first byte of an input is one of them."""


@cache
def documents() -> dict[bytes, Kind]:
    """Every document that the tests have, if it is not too long, with its kind; the shortest first."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    contents = {path.read_bytes() for path in files if path.stat().st_size <= LONGEST}
    contents |= {
        block.encode() for page in (ROOT / "tests").rglob("*.md") for block in _BLOCK.findall(page.read_text())
    }
    return {content: kind_of(Document("x", content)) for content in sorted(contents, key=lambda one: (len(one), one))}


_BLOCK = re.compile(r"^```\S+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOLDERS = ("samples", "tests/captures", "tests/documents", "tests/transcripts")


def of_kind(*kinds: Kind) -> list[bytes]:
    """All documents of some kinds."""
    return [content for content, kind in documents().items() if kind in kinds]


def listings() -> list[bytes]:
    """All outputs of ``iptables -L``."""
    return [content for content in of_kind(Kind.IPTABLES) if b"Chain " in content]


def hosts() -> Iterator[bytes]:
    """The documents of each host in the cases of the rules."""
    for path in sorted((ROOT / "tests" / "rules").glob("*.md")):
        for case in cases(path):
            yield SEPARATOR.join(document.content for document, _ in case.capture.documents)


def configurations() -> Iterator[bytes]:
    """What a configuration may say."""
    accept = b'[[accept]]\nrule = "icc-*"\nsubject = "network bridge"\nhost = "*"\nreason = "x"\nuntil = 2027-01-31\n'
    own = b'rules = ["default", "-link-orphaned"]\nfail-on = "low"\n' + accept
    yield own
    yield b"[tool.icclint]\n" + own.replace(b"[[accept", b"[[tool.icclint.accept")


def baselines() -> Iterator[bytes]:
    """What a run on a broken host found."""
    captures, _ = read_captures([str(ROOT / "samples" / "28.5.2" / "icc-off-but-accept")], ROOT)
    yield "\n".join(render_baseline(baseline_of(check(captures, RULES)))).encode()


def questions() -> Iterator[bytes]:
    """Questions of each kind."""
    yield b'{"id": 1, "from": "container:web1", "to": "container:web2@bridge", "proto": "tcp", "dport": 80}'
    yield b'{"id": "x", "from": "outside", "to": "172.17.0.2", "proto": "icmp", "icmp_type": 8, "state": "ESTABLISHED"}'
    yield b'{"from": "interface:docker0", "to": "host", "family": 6, "proto": 47, "mark": 1, "source": "10.0.0.1"}'


def archives() -> Iterator[bytes]:
    """A host in each kind of archive, and one in another."""
    files = {"host1/fw.txt": b"-P FORWARD DROP\n", "host1/networks.json": b"[]", "notes": b"x\n"}
    for inner in ({}, {"inner.tar": PACKERS["tar"](files), "inner.zip": PACKERS["zip"](files)}):
        for number, form in product(range(len(PACKED)), ("tar", "zip")):
            yield bytes([number]) + PACKERS[form](files | inner)


def words(*grammars: str) -> frozenset[str]:
    """The words that grammars have, but for those in their comments."""
    texts = [(ROOT / "grammars" / "icclint_grammars" / grammar).read_text() for grammar in grammars]
    lines = [line for text in texts for line in text.splitlines() if not line.startswith(("//", "#"))]
    return frozenset(word for line in lines for word in re.findall(r"-{0,2}\w[\w-]{2,23}", line))


def members() -> frozenset[str]:
    """The names of all members that objects have in the documents in JSON."""
    texts = b"\n".join(
        of_kind(Kind.NETWORKS, Kind.CONTAINERS, Kind.INTERFACES_JSON, Kind.ROUTES_JSON, Kind.ENGINE_JSON)
    )
    return frozenset(re.findall(r'"([\w.-]{3,40})": ', texts.decode()))
