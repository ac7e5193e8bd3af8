"""Documents and places in them.

A document is one piece of evidence, held as the bytes that were read. Every fact that icclint states
carries a `Span` into such a document, so that a reader can check it.
"""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a document: lines and columns count from 1, in code points; the end is exclusive.

    A byte order mark and the ``\\r`` of a CRLF line end are not part of any line.
    """

    document: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.document}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was captured and not understood.

    ``whole`` is set where nothing of the document could be used; otherwise the gap is a line, or a run of them, and
    the rest of the document was analysed.
    """

    span: Span
    text: str
    reason: str
    whole: bool = False


@dataclass(frozen=True)
class Document:
    """One piece of text of a capture. ``name`` is relative and uses ``/``; ``content`` is the bytes as read.

    An excerpt is the output of one command in a transcript. Its ``plain`` text is that of its ``file`` with all else
    blanked out, so that whatever stands in it stands in the same place there. ``command`` is what printed it, and
    ``changed`` names the members of an inspected object that may have changed since. The ``plain`` text of the
    transcript itself is without what a terminal does not show.
    """

    name: str
    content: bytes = field(repr=False)
    plain: str | None = field(default=None, repr=False)
    command: str = ""
    changed: frozenset[str] = frozenset()
    file: Document | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, object]:
        # Whoever it is sent to works out anew what it needs: the text and the lines are several times its size.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def sha256(self) -> str:
        """The digest of the bytes as read, as ``sha256sum`` prints it."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def text(self) -> str:
        """The text: UTF-8, or UTF-16 where a byte order mark says so; other bytes become U+FFFD."""
        return self._decoded("replace") if self.plain is None else self.plain

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines, without their ends. Only ``\\n`` ends a line, and what ``\\r`` stands before it."""
        lines = self.text.split("\n")
        if lines[-1] == "":
            lines.pop()
        return tuple(line.rstrip("\r") for line in lines)

    @cached_property
    def is_binary(self) -> bool:
        """Whether more than stray characters of it are NUL, which no dump and no JSON text holds."""
        return self.text.count("\0") * 20 > len(self.text)

    @cached_property
    def is_damaged(self) -> bool:
        """Whether some bytes could not be decoded, and are U+FFFD in the text."""
        try:
            self._decoded("strict")
        except UnicodeDecodeError:
            return True
        return False

    def line_span(self, number: int) -> Span:
        """The span of a whole line, without its end."""
        length = len(self.lines[number - 1]) if number <= len(self.lines) else 0
        return Span(self.name, number, 1, number, length + 1)

    def text_span(self, number: int) -> Span:
        """The span of a line without the blanks around it."""
        line = self.lines[number - 1]
        start = len(line) - len(line.lstrip()) + 1
        return Span(self.name, number, start, number, start + len(line.strip()))

    def whole_span(self) -> Span:
        """The span of the first line, which stands for the document where no better place is known."""
        return self.line_span(1)

    def _decoded(self, errors: str) -> str:
        for mark, encoding in _MARKS:
            if self.content.startswith(mark):
                return self.content[len(mark) :].decode(encoding, errors)
        return self.content.decode("utf-8", errors)


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
