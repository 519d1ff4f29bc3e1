"""TextGrid, to look at beside the sound: Praat's long text format, one interval tier per speaker.

Kept: duration, and of each utterance with text its time, speaker (the tier), whether that is a guess, and the
text. Intervals of a tier tile the recording, so where utterances of one speaker overlap the later one starts
where the earlier ends; one that lies inside another adds its text to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from storage.formats.document import Document, DocumentUtterance, MalformedText
from storage.formats.fields import grouped, ms, seconds
from storage.formats.plain import label, one_line, parse_label

_STRING = r'"((?:[^"]|"")*)"'
_TIER = re.compile(rf'class = "IntervalTier"\s+name = {_STRING}')
_INTERVAL = re.compile(rf"xmin = (\S+)\s+xmax = (\S+)\s+text = {_STRING}")
_HEADER = re.compile(r'\ufeff?File type = "ooTextFile"\s+Object class = "TextGrid"\s+xmin = \S+\s+xmax = (\S+)')


def render(document: Document) -> str:
    """Return the grid, tiers in order of first appearance, times exact to the millisecond."""
    said = (utterance for utterance in document.utterances if one_line(utterance.text))
    tiers = grouped((label(u.speaker, is_uncertain=u.is_uncertain), u) for u in said)
    disjoint = {name: _disjoint(utterances) for name, utterances in tiers.items()}
    end_ms = max([1, document.end_ms, *(tier[-1].end_ms for tier in disjoint.values())])
    return "".join(_lines(disjoint, end_ms))


def parse(text: str) -> Document:
    """Return the duration and the utterances of all tiers, sorted by start.

    Raises:
        MalformedText: not a TextGrid in the long text format, or impossible times.
    """
    header = _HEADER.match(text)
    if header is None:
        raise MalformedText("TextGrid", "not in Praat's long text format", 'save it with "Save as text file"')
    _, *parts = _TIER.split(text)
    try:
        utterances = [u for name, body in zip(parts[::2], parts[1::2], strict=True) for u in _read_tier(name, body)]
        duration_ms = ms(header[1])
    except ValueError as cause:
        raise MalformedText("TextGrid", str(cause)) from cause
    in_order = sorted(utterances, key=lambda utterance: (utterance.start_ms, utterance.end_ms))
    return Document(duration_ms=duration_ms, utterances=tuple(in_order))


def _disjoint(utterances: Iterable[DocumentUtterance]) -> list[DocumentUtterance]:
    """Return utterances of at least 1 ms that do not overlap, and no text less."""
    disjoint: list[DocumentUtterance] = []
    for utterance in sorted(utterances, key=lambda utterance: utterance.start_ms):
        text, end_ms = one_line(utterance.text), max(utterance.end_ms, utterance.start_ms + 1)
        before_ms = disjoint[-1].end_ms if disjoint else 0
        if end_ms > before_ms:
            start_ms = max(utterance.start_ms, before_ms)
            disjoint.append(replace(utterance, start_ms=start_ms, end_ms=end_ms, text=text))
        else:
            disjoint[-1] = replace(disjoint[-1], text=f"{disjoint[-1].text} {text}")
    return disjoint


def _lines(tiers: dict[str, list[DocumentUtterance]], end_ms: int) -> Iterator[str]:
    yield 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    yield f"xmin = 0\nxmax = {seconds(end_ms)}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n"
    for index, (name, utterances) in enumerate(tiers.items(), start=1):
        intervals = list(_tiles(utterances, end_ms))
        yield f'    item [{index}]:\n        class = "IntervalTier"\n        name = {_quoted(name)}\n'
        yield f"        xmin = 0\n        xmax = {seconds(end_ms)}\n        intervals: size = {len(intervals)}\n"
        for number, (from_ms, to_ms, text) in enumerate(intervals, start=1):
            yield f"        intervals [{number}]:\n            xmin = {seconds(from_ms)}\n"
            yield f"            xmax = {seconds(to_ms)}\n            text = {_quoted(text)}\n"


def _tiles(utterances: list[DocumentUtterance], end_ms: int) -> Iterator[tuple[int, int, str]]:
    """Yield the utterances and the silence between them, from 0 to the end."""
    reached_ms = 0
    for utterance in utterances:
        if utterance.start_ms > reached_ms:
            yield reached_ms, utterance.start_ms, ""
        yield utterance.start_ms, utterance.end_ms, utterance.text
        reached_ms = utterance.end_ms
    if reached_ms < end_ms:
        yield reached_ms, end_ms, ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _read_tier(name: str, body: str) -> Iterator[DocumentUtterance]:
    speaker, is_uncertain = parse_label(name.replace('""', '"'))
    for start, end, text in _INTERVAL.findall(body):
        if text.strip():
            yield DocumentUtterance(
                start_ms=ms(start),
                end_ms=ms(end),
                speaker=speaker,
                is_uncertain=is_uncertain,
                text=text.replace('""', '"'),
            )
