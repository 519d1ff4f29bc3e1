"""Words against words, by MeetEval: WER, cpWER, tcpWER, and the words whose speaker is wrong.

cpWER is that of CHiME-6 (Watanabe et al., 2020), tcpWER that of MeetEval (von Neumann et al., 2023). WDER is that of
Shafey et al. (2019): of the recognised words that stand against a word of the reference, equal or not, the share whose
speaker is wrong; here words align only where their times allow it (within tcpWER's collar), whoever says them, and
speakers are mapped one to one such that the fewest words are wrong. A word without a speaker is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from storage.formats.document import DocumentUtterance
from storage.records import seconds_from_ms
from tasks.evaluation.counts import SpeakerErrors, WordErrors
from tasks.evaluation.identity import best_mapping
from tasks.evaluation.libraries import quiet
from tasks.evaluation.normalise import plain_words

COLLAR_S = 5.0
"""How far a recognised word may lie from a word of the reference to stand against it, in tcpWER and WDER."""

_NOBODY = "<NA>"

Segments = list[dict[str, Any]]


def segments(utterances: Iterable[DocumentUtterance]) -> Segments:
    """Return what was said as MeetEval's segments, normalised, by start, without what has no words."""
    in_order = sorted(utterances, key=lambda utterance: utterance.start_ms)
    said = [
        {
            "session_id": "",
            "speaker": _NOBODY if utterance.speaker is None else utterance.speaker,
            "start_time": seconds_from_ms(utterance.start_ms),
            "end_time": seconds_from_ms(utterance.end_ms),
            "words": " ".join(plain_words(utterance.text)),
        }
        for utterance in in_order
    ]
    return [segment for segment in said if segment["words"]]


def word_errors(said: Segments, heard: Segments) -> WordErrors:
    """Return the fewest edits between both word streams by time, whoever speaks: WER."""
    from meeteval.wer.wer.siso import siso_word_error_rate

    if not said or not heard:
        return _one_sided(said, heard)
    with quiet():
        return _errors(siso_word_error_rate(_stream(said), _stream(heard)))


def speaker_word_errors(said: Segments, heard: Segments) -> WordErrors:
    """Return the edits per speaker under the best assignment: cpWER, which misplaced words make worse."""
    from meeteval.wer.wer.cp import cp_word_error_rate

    if not said or not heard:
        return _one_sided(said, heard)
    with quiet():
        return _errors(cp_word_error_rate(_seglst(said), _seglst(heard)))


def timed_speaker_word_errors(said: Segments, heard: Segments) -> WordErrors:
    """Return the same where only words near each other in time may match: tcpWER."""
    from meeteval.wer.wer.time_constrained import time_constrained_minimum_permutation_word_error_rate as tcp

    if not said or not heard:
        return _one_sided(said, heard)
    with quiet():
        return _errors(tcp(_seglst(said), _seglst(heard), collar=COLLAR_S))


def speaker_errors(said: Segments, heard: Segments) -> SpeakerErrors:
    """Return how many recognised words have the wrong speaker: WDER."""
    from meeteval.wer.wer.time_constrained import align

    if not said or not heard:
        return SpeakerErrors()
    with quiet():
        aligned = align(
            _seglst(said),
            _seglst(heard),
            collar=COLLAR_S,
            reference_pseudo_word_level_timing="character_based",
            hypothesis_pseudo_word_level_timing="character_based_points",
            reference_sort="word",
            hypothesis_sort="word",
            style="seglst",
        )
    pairs = Counter((one["speaker"], other["speaker"]) for one, other in aligned if one and other)
    person_of = best_mapping({pair: n for pair, n in pairs.items() if pair[1] != _NOBODY})
    right = sum(n for (person, speaker), n in pairs.items() if person_of.get(speaker) == person)
    return SpeakerErrors(wrong=pairs.total() - right, n_aligned=pairs.total())


def _stream(spoken: Segments) -> str:
    return " ".join(segment["words"] for segment in spoken)


def _seglst(spoken: Segments) -> Any:
    from meeteval.io.seglst import SegLST

    return SegLST(spoken)


def _one_sided(said: Segments, heard: Segments) -> WordErrors:
    """Return the errors where one side says nothing, which the library does not take."""
    n_said, n_heard = (sum(len(segment["words"].split()) for segment in side) for side in (said, heard))
    return WordErrors(insertions=n_heard, deletions=n_said, n_words=n_said)


def _errors(counted: Any) -> WordErrors:
    return WordErrors(
        insertions=counted.insertions,
        deletions=counted.deletions,
        substitutions=counted.substitutions,
        n_words=counted.length,
    )
