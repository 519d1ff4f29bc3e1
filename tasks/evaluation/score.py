"""One recording scored: all that is counted of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from storage.formats.document import DocumentTurn, DocumentUtterance
from storage.records import Span
from tasks.evaluation.counts import JaccardErrors, SpeakerErrors, TurnErrors, WordEdits, WordErrors
from tasks.evaluation.diarization import COLLAR_MS, jaccard_errors, turn_errors
from tasks.evaluation.heard import Heard
from tasks.evaluation.references import Reference
from tasks.evaluation.regions import within
from tasks.evaluation.sharing import Shared, SpeakerTime, shared_ms, speaker_time
from tasks.evaluation.words import (
    found_words,
    reference_words,
    speaker_errors,
    speaker_word_errors,
    timed_speaker_word_errors,
    word_errors,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnScore:
    """Turns within the recording."""

    errors: TurnErrors
    collared: TurnErrors
    jaccard: JaccardErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityScore:
    """What tells, with that of other recordings, who is who."""

    time: SpeakerTime
    shared: Shared
    """Where one person talks and one ID is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerWordScore:
    """Words of speakers."""

    errors: WordEdits
    timed: WordErrors
    speakers: SpeakerErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """All that is counted of a recording; None where the reference does not tell."""

    turns: TurnScore | None = None
    identity: IdentityScore | None = None
    words: WordEdits | None = None
    """Without regard to who says them."""
    speaker_words: SpeakerWordScore | None = None


def score(reference: Reference, heard: Heard, regions: Sequence[Span] | None, *, are_shared: bool) -> Score:
    """Return what is right and wrong in a recording.

    Args:
        reference: What is true.
        heard: What the lake says.
        regions: What is scored, sorted, none overlapping; None for everything that either side knows of.
        are_shared: Whether the reference's speakers are the same persons in other recordings.
    """
    end_ms = max(heard.duration_ms, reference.end_ms)
    chosen = (Span(start_ms=0, end_ms=end_ms),) if regions is None else regions
    found = Score()
    if reference.turns is not None:
        found = replace(found, turns=_turns(reference.turns, heard.turns, chosen))
        if are_shared:
            found = replace(found, identity=_identity(reference.turns, heard, chosen))
    if reference.utterances is not None:
        said = reference_words(_inside(reference.utterances, regions))
        recognised = found_words(_inside(heard.words, regions))
        found = replace(found, words=word_errors(said, recognised))
        if reference.has_speakers:
            found = replace(
                found,
                speaker_words=SpeakerWordScore(
                    errors=speaker_word_errors(said, recognised),
                    timed=timed_speaker_word_errors(said, recognised),
                    speakers=speaker_errors(said, recognised),
                ),
            )
    return found


def _turns(reference: Sequence[DocumentTurn], found: Sequence[DocumentTurn], regions: Sequence[Span]) -> TurnScore:
    return TurnScore(
        errors=turn_errors(reference, found, regions),
        collared=turn_errors(reference, found, regions, collar_ms=COLLAR_MS),
        jaccard=jaccard_errors(reference, found, regions),
    )


def _identity(reference: Sequence[DocumentTurn], heard: Heard, regions: Sequence[Span]) -> IdentityScore:
    true = within(reference, regions)
    return IdentityScore(
        time=speaker_time(true, within(heard.identified, regions)),
        shared=shared_ms(true, within(heard.identified_exclusive, regions)),
    )


def _inside(utterances: Iterable[DocumentUtterance], regions: Sequence[Span] | None) -> list[DocumentUtterance]:
    """Return the utterances whose middle is scored."""
    if regions is None:
        return list(utterances)
    middles = [(utterance, (utterance.start_ms + utterance.end_ms) // 2) for utterance in utterances]
    return [one for one, at_ms in middles if any(span.start_ms <= at_ms < span.end_ms for span in regions)]
