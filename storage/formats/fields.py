"""Fields of the formats that machines read: blank-separated names and words, seconds, scores.

Names, and words, may hold what separates fields. They are escaped as in URLs, so that two names never become
one and every reader sees the same name: white space and control characters become ``%20`` and the like, so
does a leading ``;`` (a comment), and ``%`` itself where two hexadecimal digits follow it. ``100%`` stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from urllib.parse import quote, unquote

from storage.formats.document import MalformedText
from storage.records import ms_from_seconds

NOT_AVAILABLE = "<NA>"
"""NIST's word for a field without information; here also the name of an unknown speaker."""

_ESCAPED_PERCENT = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_K = TypeVar("_K")
_T = TypeVar("_T")


def escape(text: str) -> str:
    """Return the text as one field.

    >>> escape("Ann Lee")
    'Ann%20Lee'
    """
    escaped = "".join(_escape_character(c) for c in _ESCAPED_PERCENT.sub("%25", text))
    return "%3B" + escaped[1:] if escaped.startswith(";") else escaped


def unescape(field: str) -> str:
    """Return what was escaped."""
    return unquote(field)


def escape_name(name: str | None) -> str:
    """Return a name as one field; ``<NA>`` where there is none."""
    return escape(name) if name else NOT_AVAILABLE


def unescape_name(field: str) -> str | None:
    """Return the name; None for ``<NA>``."""
    return None if field == NOT_AVAILABLE else unescape(field)


def seconds(ms: int) -> str:
    """Return seconds with three decimals, exact to the millisecond."""
    return f"{ms // 1000}.{ms % 1000:03d}"


def ms(field: str) -> int:
    """Return milliseconds from decimal seconds, halves rounded up.

    Raises:
        ValueError: no number, or infinite.
    """
    try:
        return ms_from_seconds(float(field))
    except OverflowError as cause:
        raise ValueError(str(cause)) from cause


def channel(field: str) -> int:
    """Return the channel from 0; files say ``1``, ``A``, or, from tools that count from 0, ``0``.

    Raises:
        ValueError: none of these.
    """
    number = ord(field) - ord("A") if field in {"A", "B"} else int(field) - 1
    return max(number, 0)


def score(confidence: float | None) -> str | None:
    """Return a probability with four decimals."""
    return None if confidence is None else f"{confidence:.4f}"


def read_lines(format_name: str, text: str, comment: str | None, read: Callable[[str], _T]) -> Iterator[_T]:
    """Read each line that is neither blank nor a comment.

    Raises:
        MalformedText: ``read`` raised ValueError; says which line.
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if line.strip() and not (comment and line.lstrip().startswith(comment)):
            try:
                yield read(line)
            except ValueError as cause:
                raise MalformedText(f"{format_name} line {number}", f"{line.strip()!r} ({cause})") from cause


def grouped(keyed: Iterable[tuple[_K, _T]]) -> dict[_K, list[_T]]:
    """Return items by key (the recording, the channel), in order of first appearance."""
    groups: dict[_K, list[_T]] = {}
    for key, item in keyed:
        groups.setdefault(key, []).append(item)
    return groups


def _escape_character(character: str) -> str:
    separates = character.isspace() or unicodedata.category(character) == "Cc" or character == "\ufeff"
    return quote(character) if separates else character
