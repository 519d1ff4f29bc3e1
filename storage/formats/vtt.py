"""VTT (WebVTT), captions for the web, with voice tags.

    00:00:01.250 --> 00:00:03.900
    <v Ann Lee>and then
    we went home</v>

Kept: the cues, as utterances with time, speaker, whether that is a guess, and text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from storage.formats.captions import Cue, Voice, cues_of, lines_of
from storage.formats.document import Document, DocumentUtterance, MalformedText
from storage.formats.plain import clock, label, parse_clock, parse_label

_TIMES = re.compile(r"\s*(\S+)\s+-->\s+(\S+)")
_VOICE = re.compile(r"<v(?:\.[^ \t>]*)?\s+([^>]*)>(.*?)(?=</v>|<v[ .]|\Z)(?:</v>)?", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def render(document: Document) -> str:
    """Return the header and the cues, in time order and disjoint."""
    cues = cues_of(document, lambda _voice: "")
    return "WEBVTT\n" + "".join(f"\n{_block(cue)}\n" for cue in cues)


def parse(text: str) -> Document:
    """Return an utterance per cue and voice; notes, styles and regions are skipped.

    Raises:
        MalformedText: no WEBVTT header, or wrong times.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not re.match(r"WEBVTT(?:\s|\Z)", lines):
        raise MalformedText("VTT", "does not start with WEBVTT")
    blocks = re.split(r"\n{2,}", lines.strip("\n"))[1:]
    return Document(utterances=tuple(utterance for block in blocks for utterance in _read(block)))


def _block(cue: Cue) -> str:
    voices = "\n".join(_tagged(voice) for voice in cue.voices)
    return f"{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{voices}"


def _tagged(voice: Voice) -> str:
    text = _escape("\n".join(lines_of(voice)))
    if voice.speaker is None:
        return text
    return f"<v {_escape(label(voice.speaker, is_uncertain=voice.is_uncertain))}>{text}</v>"


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _read(block: str) -> list[DocumentUtterance]:
    lines = block.split("\n")
    at = next((index for index, line in enumerate(lines[:2]) if "-->" in line), None)
    if at is None:
        return []
    match = _TIMES.match(lines[at])
    if match is None:
        raise MalformedText("VTT", f"no cue times in {lines[at]!r}")
    try:
        start_ms, end_ms = parse_clock(match[1]), parse_clock(match[2])
        return [
            DocumentUtterance(start_ms=start_ms, end_ms=end_ms, speaker=speaker, is_uncertain=is_uncertain, text=text)
            for speaker, is_uncertain, text in _said("\n".join(lines[at + 1 :]))
        ]
    except ValueError as cause:
        raise MalformedText("VTT", f"wrong cue times in {lines[at]!r} ({cause})") from cause


def _said(payload: str) -> Iterator[tuple[str | None, bool, str]]:
    """Yield speaker, whether it is a guess, and text, for each voice and for what stands outside of them."""
    outside, *voices = _VOICE.split(payload)
    if text := _text(outside):
        yield None, False, text
    for name, inside, after in zip(voices[::3], voices[1::3], voices[2::3], strict=True):
        yield *parse_label(_text(name)), _text(inside)
        if text := _text(after):
            yield None, False, text


def _text(payload: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", payload)).split("\n")).strip()
