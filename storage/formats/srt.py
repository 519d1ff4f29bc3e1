"""SRT (SubRip), captions for players; the speaker is named where it changes.

    1
    00:00:01,250 --> 00:00:03,900
    Ann Lee: and then
    we went home

Two speakers in one cue have a line each, ``- Ann Lee: yes``. Kept: the cues, as utterances with time, speaker,
whether that is a guess, and text (``-->`` becomes an arrow, SRT knows no escape). Long names are shortened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from storage.formats.caption_text import MAX_LINE, width
from storage.formats.captions import Cue, Voice, cues_of, dashed, lines_of
from storage.formats.document import Document, DocumentUtterance, MalformedText
from storage.formats.plain import clock, label, parse_clock, parse_label, with_colon, without_colon

_BLOCK = re.compile(r"(?:\s*\d+\s*\n)?\s*(\S+) +--> +(\S+)[^\n]*\n?(.*)", re.DOTALL)
_LABELLED = re.compile(r"([^:]+):(?: (.*))?")
_IN_DIALOGUE = re.compile(r"- ([^:]+): (.*)")
_ARROW = "→"
_MAX_NAME = MAX_LINE - len("?:")
_Speaker = tuple[str | None, bool]


def render(document: Document) -> str:
    """Return numbered cues, in time order and disjoint."""
    blocks: list[str] = []
    speaker: _Speaker = (None, False)
    for number, cue in enumerate(cues_of(document, _lead), start=1):
        lines = "\n".join(_lines(cue, speaker)).replace("-->", _ARROW)
        blocks.append(f"{number}\n{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}\n{lines}\n")
        speaker = cue.voices[-1].speaker, cue.voices[-1].is_uncertain
    return "\n".join(blocks)


def parse(text: str) -> Document:
    """Return an utterance per cue and speaker.

    Raises:
        MalformedText: a block without the two times.
    """
    utterances: list[DocumentUtterance] = []
    speaker: _Speaker = (None, False)
    for block in re.split(r"\n\s*\n", text.removeprefix("\ufeff").replace("\r\n", "\n").strip()):
        if block:
            cue = _read(block, speaker)
            utterances.extend(cue)
            speaker = (cue[-1].speaker, cue[-1].is_uncertain) if cue else speaker
    return Document(utterances=tuple(utterances))


def _lead(voice: Voice) -> str:
    """Return the label and its colon; a dash in front would read as a change of speaker."""
    name = without_colon(label(voice.speaker, is_uncertain=False)).replace("-->", _ARROW)
    name = name.lstrip("- ") or name
    while width(name) > _MAX_NAME:
        name = name[:-2].rstrip() + "…"
    return f"{name}{'?' * voice.is_uncertain}:"


def _lines(cue: Cue, before: _Speaker) -> list[str]:
    if len(cue.voices) > 1:
        return [line for voice in cue.voices for line in lines_of(voice, dashed(_lead(voice)))]
    (voice,) = cue.voices
    lines = lines_of(voice)
    is_labelled = (voice.speaker, voice.is_uncertain) != before or _LABELLED.fullmatch(lines[0])
    return lines_of(voice, _lead(voice)) if is_labelled else lines


def _read(block: str, before: _Speaker) -> list[DocumentUtterance]:
    match = _BLOCK.fullmatch(block)
    if match is None:
        raise MalformedText("SRT", f"no cue times in {block[:60]!r}")
    try:
        start_ms, end_ms = parse_clock(match[1]), parse_clock(match[2])
        return [
            DocumentUtterance(start_ms=start_ms, end_ms=end_ms, speaker=speaker, is_uncertain=is_uncertain, text=text)
            for (speaker, is_uncertain), text in _said(match[3].split("\n"), before)
        ]
    except ValueError as cause:
        raise MalformedText("SRT", f"wrong cue times in {block[:60]!r} ({cause})") from cause


def _said(lines: list[str], before: _Speaker) -> Iterator[tuple[_Speaker, str]]:
    """Yield who says what in a cue."""
    dialogue = [_IN_DIALOGUE.fullmatch(line) for line in lines]
    if len(lines) > 1 and all(dialogue):
        yield from ((_speaker(match[1]), match[2]) for match in dialogue if match)
    elif labelled := _LABELLED.fullmatch(lines[0]):
        yield _speaker(labelled[1]), " ".join([labelled[2] or "", *lines[1:]]).strip()
    else:
        yield before, " ".join(lines)


def _speaker(shown: str) -> _Speaker:
    return parse_label(with_colon(shown))
