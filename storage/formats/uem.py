"""UEM, what of a recording is scored: NIST's un-partitioned evaluation map, one stretch a line. Only read.

<recording> <channel, from 1> <start> <end>
"""

from __future__ import annotations

from storage.formats.fields import grouped, ms, read_lines, unescape_name
from storage.records import Span


def parse_all(text: str) -> dict[str, tuple[Span, ...]]:
    """Return the stretches of each recording, of all its channels, in order of first appearance.

    Raises:
        MalformedText: a line is wrong; says which.
    """
    return {name: tuple(spans) for name, spans in grouped(read_lines("UEM", text, ";", _read)).items()}


def _read(line: str) -> tuple[str, Span]:
    name, _channel, start, end = line.split()
    return unescape_name(name) or "", Span(start_ms=ms(start), end_ms=ms(end))
