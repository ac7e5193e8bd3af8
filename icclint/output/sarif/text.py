"""Texts of a log: captured text is only text, and braces are only braces."""

from __future__ import annotations

import sarif_om as om

from icclint.output.visible import visible

MOST_DESCRIPTION = 1_000
"""GitHub cuts descriptions of rules at 1,024 characters."""


def message(text: str) -> om.Message:
    """Text without arguments."""
    return om.Message(text=braced(literal(text)))


def literal(text: str) -> str:
    """Captured text in which nothing steers a terminal, and nothing reads as a link (section 3.11.6)."""
    return visible(text).replace("](", "] (")


def link_text(text: str) -> str:
    """Text between the brackets of a link."""
    return "".join(f"\\{character}" if character in "[]\\" else character for character in visible(text))


def braced(text: str) -> str:
    """Braces enclose the numbers of arguments, so those that are meant stand twice (section 3.11.5)."""
    return text.replace("{", "{{").replace("}", "}}")


def clipped(text: str, most: int) -> str:
    """The start of a text that is longer than readers accept."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
