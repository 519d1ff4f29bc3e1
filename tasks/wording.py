"""Numbers in words, for log lines and pages that people read. Pure."""

from __future__ import annotations

_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    >>> counted(1, "recording"), counted(1200, "recording")
    ('1 recording', '1,200 recordings')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def lasting(ms: int) -> str:
    """Return a length of time as people say it.

    >>> lasting(4_000), lasting(754_000), lasting(8_700_000), lasting(187_200_000)
    ('4 s', '13 min', '2 h 25 min', '2 d 4 h')
    """
    if ms < _MINUTE_MS:
        return f"{ms / _SECOND_MS:.0f} s"
    if ms < _HOUR_MS:
        return f"{ms / _MINUTE_MS:.0f} min"
    larger, smaller = (_HOUR_MS, _MINUTE_MS) if ms < _DAY_MS else (_DAY_MS, _HOUR_MS)
    whole, rest = divmod(round(ms / smaller), larger // smaller)
    units = ("h", "min") if larger == _HOUR_MS else ("d", "h")
    return f"{whole} {units[0]} {rest} {units[1]}"


def of_audio(ms: int) -> str:
    """Return an amount of audio: hours, or minutes where it is little.

    >>> of_audio(90_000), of_audio(5_400_000)
    ('1.5 min', '1.50 h')
    """
    return f"{ms / _MINUTE_MS:.1f} min" if ms < _HOUR_MS else f"{ms / _HOUR_MS:,.2f} h"


def plain(text: str) -> str:
    """Return a text for Markdown: one line, and nothing in it that Markdown reads as its own."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in ("\\", "|", "*", "_", "`", "[", "]"):
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped
