"""Captions: the cues that SRT and VTT show, one after the other, with the limits that broadcasters read by.

At most two lines of 42 columns, 20 characters a second where there is time, at least 0.8 s and at most 7 s.
Cues never overlap. Where people talk at once, cues that start together are shown together if they are short;
else the earlier one is cut short, and where even that leaves no time to read, the later one comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from storage.formats.caption_text import MAX_CUE_MS, cut, fits, pieces_of, width, wrap
from storage.formats.document import Document, DocumentUtterance
from storage.formats.plain import one_line

MIN_CUE_MS = 800
MS_PER_COLUMN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What one speaker says in a cue."""

    speaker: str | None
    is_uncertain: bool
    pieces: tuple[str, ...]
    """Words with the blank before them, for ``wrap``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What is shown at one time: one voice in one or two lines, or two voices with a line each."""

    start_ms: int
    end_ms: int
    voices: tuple[Voice, ...]


def cues_of(document: Document, lead_of: Callable[[Voice], str]) -> list[Cue]:
    """Return the cues in time order, disjoint, of positive length, with every word of the document.

    Args:
        document: only its utterances and its duration are read.
        lead_of: what may stand before a voice's first line; room for it is kept in every cue.
    """
    drafts = sorted(_drafts(document, lead_of), key=lambda cue: cue.start_ms)
    return _timed(_joined(drafts, lead_of), lead_of, document.duration_ms)


def lines_of(voice: Voice, lead: str = "") -> list[str]:
    """Return what a voice says as lines."""
    return wrap(list(voice.pieces), lead)


def dashed(lead: str) -> str:
    """Return the lead of a voice that shares its cue with another; nothing where there is none."""
    return f"- {lead}" if lead else ""


def _drafts(document: Document, lead_of: Callable[[Voice], str]) -> Iterator[Cue]:
    """Yield each utterance's cues as if nobody else spoke."""
    for utterance in document.utterances:
        voice = _voice(utterance)
        reached_ms = utterance.start_ms
        for pieces in cut(pieces_of(utterance), lead_of(voice)):
            reached_ms = max(reached_ms, pieces[0].start_ms)
            end_ms = max(reached_ms, *(piece.end_ms for piece in pieces))
            said = replace(voice, pieces=tuple(piece.text for piece in pieces))
            yield Cue(start_ms=reached_ms, end_ms=end_ms, voices=(said,))


def _voice(utterance: DocumentUtterance) -> Voice:
    speaker = one_line(utterance.speaker or "") or None
    return Voice(speaker=speaker, is_uncertain=utterance.is_uncertain and speaker is not None, pieces=())


def _joined(drafts: list[Cue], lead_of: Callable[[Voice], str]) -> list[Cue]:
    """Return the cues with those that start together made one, where it can hold both."""
    joined: list[Cue] = []
    for cue in drafts:
        is_together = joined and cue.start_ms - joined[-1].start_ms < MIN_CUE_MS
        both = _join(joined[-1].voices, cue.voices, lead_of) if is_together else None
        if both:
            joined[-1] = replace(joined[-1], end_ms=max(joined[-1].end_ms, cue.end_ms), voices=both)
        else:
            joined.append(cue)
    return joined


def _join(
    before: tuple[Voice, ...], after: tuple[Voice, ...], lead_of: Callable[[Voice], str]
) -> tuple[Voice, ...] | None:
    if len(before) > 1:
        return None
    first, second = before[0], after[0]
    if (first.speaker, first.is_uncertain) == (second.speaker, second.is_uncertain):
        pieces = (*first.pieces, *second.pieces)
        return (replace(first, pieces=pieces),) if fits(list(pieces), lead_of(first)) else None
    have_a_line_each = all(len(lines_of(voice, dashed(lead_of(voice)))) == 1 for voice in (first, second))
    return (first, second) if have_a_line_each else None


def _timed(cues: list[Cue], lead_of: Callable[[Voice], str], duration_ms: int | None) -> list[Cue]:
    """Return the cues made disjoint, and as long as reading takes where that leaves the next one its time."""
    starts: list[int] = []
    for cue in cues:
        starts.append(max(cue.start_ms, starts[-1] + MIN_CUE_MS) if starts else cue.start_ms)
    return [
        replace(cue, start_ms=start_ms, end_ms=_end_ms(cue, start_ms, _columns(cue, lead_of), limit_ms))
        for cue, start_ms, limit_ms in zip(cues, starts, [*starts, duration_ms][1:], strict=True)
    ]


def _columns(cue: Cue, lead_of: Callable[[Voice], str]) -> int:
    """Return how much there is to read at most, leads among it."""
    leads = [lead_of(voice) for voice in cue.voices]
    shown = [dashed(lead) for lead in leads] if len(leads) > 1 else leads
    said = ["".join(voice.pieces).lstrip() for voice in cue.voices]
    return sum(width(f"{lead} {text}".lstrip()) for lead, text in zip(shown, said, strict=True))


def _end_ms(cue: Cue, start_ms: int, columns: int, limit_ms: int | None) -> int:
    """Return when a cue goes: after its words and the time to read it, at the limit at the latest.

    Args:
        cue: with the time of its words.
        start_ms: when it is shown.
        columns: what there is to read.
        limit_ms: start of the next cue, at least the shortest time away; or end of the recording, wherever; or None.
    """
    wanted_ms = max(cue.end_ms, start_ms + columns * MS_PER_COLUMN)
    possible_ms = wanted_ms if limit_ms is None else min(wanted_ms, limit_ms)
    return min(max(possible_ms, start_ms + MIN_CUE_MS), start_ms + MAX_CUE_MS)
