"""Words against words, by MeetEval: WER, cpWER, tcpWER, and the words whose speaker is wrong.

cpWER is that of CHiME-6 (Watanabe et al., 2020), tcpWER that of MeetEval (von Neumann et al., 2023). WDER is that of
Shafey et al. (2019): of the recognised words that stand against a word of the reference, equal or not, the share whose
speaker is wrong; here words align only where their times allow it (within tcpWER's collar), whoever says them, and
speakers are mapped one to one such that the fewest words are wrong. A word without a speaker is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from storage.formats.document import DocumentUtterance
from storage.records import seconds_from_ms
from tasks.evaluation.alignment import TimedWords, align
from tasks.evaluation.counts import SpeakerErrors, WordEdits, WordErrors
from tasks.evaluation.identity import best_mapping
from tasks.evaluation.libraries import quiet
from tasks.evaluation.normalise import plain_words

COLLAR_S = 5.0
"""How far a recognised word may lie from a word of the reference to stand against it, in tcpWER and WDER."""

_NOBODY = "<NA>"

Segments = list[dict[str, Any]]
"""MeetEval's: session_id, speaker, start_time and end_time in seconds, words separated by blanks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What one side says of a recording."""

    segments: Segments
    """Normalised, by start, without what has no words."""
    words: Segments
    """The same word by word, with the time in which each may stand against another."""


def reference_words(utterances: Iterable[DocumentUtterance]) -> Spoken:
    """Return what a reference says; the words of an utterance share its time by their lengths."""
    segments = _segments(utterances)
    return Spoken(segments=segments, words=_timed(segments, "character_based"))


def found_words(utterances: Iterable[DocumentUtterance]) -> Spoken:
    """Return what was recognised; each word may be up to the collar from where it belongs."""
    segments = _segments(utterances)
    words = _timed(segments, "character_based_points")
    for word in words:
        word["start_time"] -= COLLAR_S
        word["end_time"] += COLLAR_S
    return Spoken(segments=segments, words=words)


def word_errors(reference: Spoken, found: Spoken) -> WordEdits:
    """Return the fewest edits between both word streams by time, whoever speaks: WER."""
    from meeteval.wer.wer.siso import siso_word_error_rate

    if not reference.words or not found.words:
        return _one_sided(reference, found)
    with quiet():
        return _edits(siso_word_error_rate(*(" ".join(_texts(side.words)) for side in (reference, found))))


def speaker_word_errors(reference: Spoken, found: Spoken) -> WordEdits:
    """Return the edits per speaker under the best assignment: cpWER, which misplaced words make worse."""
    from meeteval.io.seglst import SegLST
    from meeteval.wer.wer.cp import cp_word_error_rate

    if not reference.words or not found.words:
        return _one_sided(reference, found)
    with quiet():
        return _edits(cp_word_error_rate(SegLST(reference.segments), SegLST(found.segments)))


def timed_speaker_word_errors(reference: Spoken, found: Spoken) -> WordErrors:
    """Return the errors where only words near each other in time may match: tcpWER.

    Made of the library's distances, for its own function remembers every word against every other.
    """
    from meeteval.wer.matching.cy_levenshtein import time_constrained_levenshtein_distance as distance

    ours, theirs = _by_speaker(reference), _by_speaker(found)
    saved = {
        (person, speaker): len(one) + len(other) - distance(_texts(one), _texts(other), _spans(one), _spans(other))
        for person, one in ours.items()
        for speaker, other in theirs.items()
    }
    n_saved = sum(saved[person, speaker] for speaker, person in best_mapping(saved).items())
    n_words = len(reference.words)
    return WordErrors(errors=n_words + len(found.words) - n_saved, n_words=n_words)


def speaker_errors(reference: Spoken, found: Spoken) -> SpeakerErrors:
    """Return how many recognised words have the wrong speaker: WDER."""
    ours, theirs = (sorted(side.words, key=lambda word: word["start_time"]) for side in (reference, found))
    number_of: dict[str, int] = {}
    aligned = zip(*align(_timed_words(ours, number_of), _timed_words(theirs, number_of)), strict=True)
    pairs = Counter((ours[one]["speaker"], theirs[other]["speaker"]) for one, other in aligned)
    person_of = best_mapping({pair: n for pair, n in pairs.items() if pair[1] != _NOBODY})
    right = sum(n for (person, speaker), n in pairs.items() if person_of.get(speaker) == person)
    return SpeakerErrors(wrong=pairs.total() - right, n_aligned=pairs.total())


def _segments(utterances: Iterable[DocumentUtterance]) -> Segments:
    spoken = [
        {
            "session_id": "",
            "speaker": _NOBODY if utterance.speaker is None else utterance.speaker,
            "start_time": seconds_from_ms(utterance.start_ms),
            "end_time": seconds_from_ms(utterance.end_ms),
            "words": " ".join(plain_words(utterance.text)),
        }
        for utterance in sorted(utterances, key=lambda utterance: utterance.start_ms)
    ]
    return [segment for segment in spoken if segment["words"]]


def _timed(segments: Segments, strategy: str) -> Segments:
    from meeteval.io.seglst import SegLST
    from meeteval.wer.wer.time_constrained import get_pseudo_word_level_timings

    return list(get_pseudo_word_level_timings(SegLST(segments), strategy)) if segments else []


def _by_speaker(spoken: Spoken) -> dict[str, Segments]:
    words: dict[str, Segments] = defaultdict(list)
    for word in spoken.words:
        words[word["speaker"]].append(word)
    return words


def _texts(words: Segments) -> list[str]:
    return [word["words"] for word in words]


def _spans(words: Segments) -> list[tuple[float, float]]:
    return [(word["start_time"], word["end_time"]) for word in words]


def _timed_words(words: Segments, number_of: dict[str, int]) -> TimedWords:
    """Return words as numbers, which both sides share."""
    spans = np.array(_spans(words), np.float64).reshape(-1, 2)
    return TimedWords(
        words=np.array([number_of.setdefault(word["words"], len(number_of)) for word in words], np.int64),
        starts=spans[:, 0],
        ends=spans[:, 1],
    )


def _one_sided(reference: Spoken, found: Spoken) -> WordEdits:
    """Return the edits where one side says nothing, which the library does not take."""
    n_words = len(reference.words)
    return WordEdits(insertions=len(found.words), deletions=n_words, n_words=n_words)


def _edits(counted: Any) -> WordEdits:
    return WordEdits(
        insertions=counted.insertions,
        deletions=counted.deletions,
        substitutions=counted.substitutions,
        n_words=counted.length,
    )
