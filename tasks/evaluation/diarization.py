"""Turns against turns: diarization and Jaccard error, by pyannote.metrics, which others score with as well.

The diarization error rate is NIST's: missed, false and confused speaker time over the reference's speaker time, under
the best one-to-one mapping of speakers, overlapping speech included. The Jaccard error rate is that of the Second
DIHARD Challenge's evaluation plan (Ryant et al., 2019).

The library's time grows with the square of the recording's length, so it gets a piece at a time: turns cut to what is
scored, speakers mapped for the recording as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from storage.formats.document import DocumentTurn
from storage.records import Span
from tasks.engines.turn_scores import ScoredPiece, count_jaccard_errors, count_turn_errors
from tasks.evaluation.counts import JaccardErrors, TurnErrors
from tasks.evaluation.identity import best_mapping
from tasks.evaluation.libraries import quiet
from tasks.evaluation.regions import each_once, within, without_collars
from tasks.evaluation.sharing import speaker_time

COLLAR_MS = 250
"""NIST's: what lies within a quarter of a second of where a turn of the reference starts or ends is not scored."""

_PIECE_MS = 5 * 60_000
_NOBODY = "nobody, as"
"""Before the label of a speaker who is mapped to nobody."""


def turn_errors(
    reference: Sequence[DocumentTurn],
    found: Sequence[DocumentTurn],
    regions: Sequence[Span],
    *,
    collar_ms: int = 0,
) -> TurnErrors:
    """Return the errors under the best mapping of speakers.

    Args:
        reference: Who talks.
        found: Who was heard to talk, under any names.
        regions: What is scored: sorted, none overlapping.
        collar_ms: Left out on either side of each start and end of a turn of the reference.
    """
    reference = each_once(reference)
    scored = without_collars(regions, reference, collar_ms) if collar_ms else regions
    true, heard = within(reference, scored), within(each_once(found), scored)
    person_of = best_mapping(speaker_time(true, heard).pairs)
    named = [replace(turn, speaker=person_of.get(str(turn.speaker), f"{_NOBODY} {turn.speaker}")) for turn in heard]
    pieces = (ScoredPiece(span, within(true, [span]), within(named, [span])) for span in _pieces(regions))
    with quiet():
        counted = count_turn_errors(pieces)
    return TurnErrors(
        missed_ms=round(counted.missed * 1000),
        false_ms=round(counted.false * 1000),
        confused_ms=round(counted.confused * 1000),
        speech_ms=round(counted.total * 1000),
    )


def jaccard_errors(
    reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn], regions: Sequence[Span]
) -> JaccardErrors:
    """Return the Jaccard errors of the reference's speakers under the best mapping, without collar."""
    everything = Span(start_ms=0, end_ms=regions[-1].end_ms if regions else 0)
    piece = ScoredPiece(everything, within(each_once(reference), regions), within(each_once(found), regions))
    with quiet():
        errors, n_speakers = count_jaccard_errors(piece)
    return JaccardErrors(errors=errors, n_speakers=n_speakers)


def _pieces(regions: Sequence[Span]) -> Iterator[Span]:
    end_ms = regions[-1].end_ms if regions else 0
    for start_ms in range(0, end_ms, _PIECE_MS):
        yield Span(start_ms=start_ms, end_ms=min(start_ms + _PIECE_MS, end_ms))
