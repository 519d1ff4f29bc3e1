"""Text, names and times as people read them, in one line of plain characters."""

from __future__ import annotations

import re
import unicodedata

UNKNOWN = "unknown"
"""Shown where nobody knows who spoke."""

_COLON, _COLON_IN_NAME = ":", "\N{RATIO}"
_CLOCK = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)(?:[.,](\d{3}))?")


def words_of(text: str) -> list[str]:
    r"""Return the blank-separated words of a text, without control characters.

    >>> words_of("  one\n two\x00 ")
    ['one', 'two']
    """
    words = ("".join(c for c in word if unicodedata.category(c) != "Cc") for word in text.split())
    return [word for word in words if word]


def one_line(text: str) -> str:
    """Return the text with white space of any kind as single blanks."""
    return " ".join(words_of(text))


def label(speaker: str | None, *, is_uncertain: bool) -> str:
    """Return what people see of a speaker: ``S1``, ``S1?`` for a guess, ``unknown``."""
    name = one_line(speaker or "")
    return f"{name}{'?' * is_uncertain}" if name else UNKNOWN


def parse_label(shown: str) -> tuple[str | None, bool]:
    """Return the speaker and whether it is a guess; a name that itself ends in ``?`` is taken for one."""
    if shown == UNKNOWN:
        return None, False
    is_uncertain = len(shown) > 1 and shown.endswith("?")
    return shown.removesuffix("?") if is_uncertain else shown, is_uncertain


def without_colon(shown: str) -> str:
    """Return a label that a colon can follow; colons in the name become the look-alike ratio sign."""
    return shown.replace(_COLON, _COLON_IN_NAME)


def with_colon(shown: str) -> str:
    """Return the label that was made safe for a colon."""
    return shown.replace(_COLON_IN_NAME, _COLON)


def clock(ms: int, mark: str) -> str:
    """Return hours, minutes, seconds, the decimal mark, milliseconds; hours may have more than two digits."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{rest:03d}"


def parse_clock(shown: str) -> int:
    """Return milliseconds from a clock time with or without hours and milliseconds.

    Raises:
        ValueError: no clock time.
    """
    match = _CLOCK.fullmatch(shown)
    if match is None:
        message = f"no clock time: {shown!r}"
        raise ValueError(message)
    hours, minutes, seconds, rest = (int(group or 0) for group in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
