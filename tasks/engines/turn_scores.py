"""Turns scored by pyannote.metrics; it runs no model, and its types stay here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from storage.formats.document import DocumentTurn
from storage.records import Span, seconds_from_ms


class ScoredPiece(NamedTuple):
    """A stretch of a recording, and the turns in it."""

    span: Span
    reference: Sequence[DocumentTurn]
    found: Sequence[DocumentTurn]
    """Under the names of the reference's speakers."""


class TurnSeconds(NamedTuple):
    """Speaker time."""

    missed: float
    false: float
    confused: float
    total: float
    """Of the reference."""


def count_turn_errors(pieces: Iterable[ScoredPiece]) -> TurnSeconds:
    """Return the errors of turns whose speakers have been mapped, over all pieces."""
    from pyannote.metrics.identification import IdentificationErrorRate

    metric = IdentificationErrorRate()
    for piece in pieces:
        metric(_annotation(piece.reference), _annotation(piece.found), uem=_timeline(piece.span))
    counted = metric[:]
    return TurnSeconds(
        missed=counted["missed detection"],
        false=counted["false alarm"],
        confused=counted["confusion"],
        total=counted["total"],
    )


def count_jaccard_errors(piece: ScoredPiece) -> tuple[float, int]:
    """Return the sum of the reference speakers' Jaccard errors, and how many there are; found ones have any names."""
    from pyannote.metrics.diarization import JaccardErrorRate

    sides = map(_annotation, (piece.reference, piece.found))
    counted = JaccardErrorRate()(*sides, uem=_timeline(piece.span), detailed=True)
    return counted["speaker error"], round(counted["speaker count"])


def _timeline(span: Span) -> Any:
    from pyannote.core import Segment, Timeline

    return Timeline([Segment(seconds_from_ms(span.start_ms), seconds_from_ms(span.end_ms))])


def _annotation(turns: Sequence[DocumentTurn]) -> Any:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for track, turn in enumerate(turns):
        span = Segment(seconds_from_ms(turn.start_ms), seconds_from_ms(turn.end_ms))
        annotation[span, track] = str(turn.speaker)
    return annotation
