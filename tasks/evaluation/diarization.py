"""Turns against turns: diarization and Jaccard error, by pyannote.metrics, which others score with as well.

The diarization error rate is NIST's: missed, false and confused speaker time over the reference's speaker time, under
the best one-to-one mapping of speakers, overlapping speech included. The Jaccard error rate is that of the Second
DIHARD Challenge's evaluation plan (Ryant et al., 2019). Turns are cut to what is scored before the library gets them,
for its own collars take time that grows with the square of the recording's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.formats.document import DocumentTurn
from storage.records import Span, seconds_from_ms
from tasks.evaluation.counts import JaccardErrors, TurnErrors
from tasks.evaluation.libraries import quiet
from tasks.evaluation.regions import each_once, within, without_collars

COLLAR_MS = 250
"""NIST's: what lies within a quarter of a second of where a turn of the reference starts or ends is not scored."""


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
    counted = _counted("DiarizationErrorRate", reference, found, scored)
    return TurnErrors(
        missed_ms=round(counted["missed detection"] * 1000),
        false_ms=round(counted["false alarm"] * 1000),
        confused_ms=round(counted["confusion"] * 1000),
        speech_ms=round(counted["total"] * 1000),
    )


def jaccard_errors(
    reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn], regions: Sequence[Span]
) -> JaccardErrors:
    """Return the Jaccard errors of the reference's speakers under the best mapping, without collar."""
    counted = _counted("JaccardErrorRate", reference, found, regions)
    return JaccardErrors(errors=counted["speaker error"], n_speakers=round(counted["speaker count"]))


def _counted(
    metric: str, reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn], regions: Sequence[Span]
) -> dict[str, float]:
    with quiet():
        from pyannote.core import Segment, Timeline
        from pyannote.metrics import diarization

        end_ms = regions[-1].end_ms if regions else 0
        everything = Timeline([Segment(0, seconds_from_ms(end_ms))])
        sides = (_annotation(within(each_once(side), regions)) for side in (reference, found))
        counted: dict[str, float] = getattr(diarization, metric)()(*sides, uem=everything, detailed=True)
    return counted


def _annotation(turns: Sequence[DocumentTurn]) -> Any:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for track, turn in enumerate(turns):
        span = Segment(seconds_from_ms(turn.start_ms), seconds_from_ms(turn.end_ms))
        annotation[span, track] = str(turn.speaker)
    return annotation
