"""Joins words into utterances: what people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.records import FloatArray, Segment, Utterance
from tasks.attribution.attribute import Attribution
from tasks.attribution.columns import NOBODY, BoolArray, IntArray, WordTexts, WordTimes
from tasks.attribution.cutting import CutOptions, cut_words
from tasks.attribution.orthography import join_words

UNCERTAIN_BELOW = 0.6
"""Speaker confidence under which a reader sees "S1?"; also set where nobody was found."""
FAST_CHARACTERS_PER_S = 40
"""Nobody says more in a second; text that does was made up, or its times are wrong (flag ``fast``)."""
_FAST_MIN_CHARACTERS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Utterances:
    """The utterances of one recording, and where its words went."""

    rows: list[Utterance]
    """Sorted by start, end, channel and first word."""
    of_word: IntArray
    """Index of each word's utterance, shape ``(n_words,)``; every word is in exactly one."""


def build_utterances(
    words: WordTimes,
    texts: WordTexts,
    attribution: Attribution,
    *,
    segments: Sequence[Segment],
    speakers: Sequence[str],
    options: CutOptions | None = None,
) -> Utterances:
    """Return the utterances of one recording.

    Words of one channel never break an utterance of another; the channels' utterances interleave by time, so the
    words of an utterance need not follow each other in the recording: ``Utterances.of_word`` says where each went.

    - ``speaker_confidence`` is the mean of what the words tell of their speaker, weighted by duration;
      ``speaker_uncertain`` below ``UNCERTAIN_BELOW``, and where there is no speaker;
    - ``confidence`` is the mean of the known word confidences, weighted by duration;
    - ``no_speech_confidence`` is the highest of the segments the words come from, ``language`` the one most of the
      time is in, ``flags`` all of the segments' and ``fast``;
    - ``is_overlapped`` says that one word at least is.

    Args:
        words: the words of the recording, all channels.
        texts: what they say.
        attribution: who says them.
        segments: what ``texts.segment`` counts.
        speakers: local speakers by index.
        options: where to cut; None for the defaults.
    """
    order, firsts = cut_words(words, texts.text, attribution.speaker, options or CutOptions())
    if not len(order):
        return Utterances(rows=[], of_word=order)
    group = np.cumsum(np.bincount(firsts, minlength=len(order))) - 1
    rows = _rows(words, texts, attribution, _Groups(order, firsts, group), segments, speakers)
    # They stand by channel and time; a stable sort leaves those of equal times that way.
    by_time = sorted(range(len(rows)), key=lambda index: (rows[index].start_ms, rows[index].end_ms))
    position = np.empty(len(rows), np.int64)
    position[by_time] = np.arange(len(rows))
    of_word = np.empty(len(order), np.int64)
    of_word[order] = position[group]
    return Utterances(rows=[rows[index] for index in by_time], of_word=of_word)


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Words in reading order, cut into utterances."""

    order: IntArray
    """Word at each place, shape ``(n_words,)``."""
    firsts: IntArray
    """Place of each utterance's first word, shape ``(n_utterances,)``."""
    of_place: IntArray
    """Utterance of each place, shape ``(n_words,)``."""

    def mean(self, values: FloatArray, weights: IntArray) -> list[float | None]:
        """Return each utterance's weighted mean of the values that are not NaN; None where all are."""
        known = ~np.isnan(values)
        weight = np.bincount(self.of_place, weights * known)
        total = np.bincount(self.of_place, weights * np.where(known, values, 0))
        means = total / np.where(weight > 0, weight, 1)
        return [mean if has else None for mean, has in zip(means.tolist(), (weight > 0).tolist(), strict=True)]


def _rows(
    words: WordTimes,
    texts: WordTexts,
    attribution: Attribution,
    groups: _Groups,
    segments: Sequence[Segment],
    speakers: Sequence[str],
) -> list[Utterance]:
    order, firsts = groups.order, groups.firsts
    start, end = words.start_ms[order], words.end_ms[order]
    spoken_ms = np.maximum(end - start, 1)
    speaker_confidence = groups.mean(attribution.confidence[order], spoken_ms)
    confidence = groups.mean(texts.confidence[order], spoken_ms)
    overlapped = np.logical_or.reduceat(attribution.is_overlapped[order], firsts).tolist()
    heard = _from_segments(groups, texts.segment[order], spoken_ms, segments)
    ends = np.maximum.reduceat(np.maximum(end, start), firsts).tolist()
    said_by = [None if index == NOBODY else speakers[index] for index in attribution.speaker[order][firsts].tolist()]
    stops = [*firsts[1:].tolist(), len(order)]
    word_at = order.tolist()

    rows = []
    for i, (first, stop) in enumerate(zip(firsts.tolist(), stops, strict=True)):
        language, no_speech, flags = heard[i]
        text = join_words([texts.text[word] for word in word_at[first:stop]], language)
        begin, sure = int(start[first]), speaker_confidence[i]
        rows.append(
            Utterance(
                start_ms=begin,
                end_ms=ends[i],
                local_speaker=said_by[i],
                text=text,
                first_word=word_at[first],
                n_words=stop - first,
                speaker_confidence=sure,
                speaker_uncertain=sure is None or sure < UNCERTAIN_BELOW,
                is_overlapped=overlapped[i],
                language=language,
                confidence=confidence[i],
                no_speech_confidence=no_speech,
                flags=_with_fast(flags, text, ends[i] - begin),
            )
        )
    return rows


def _with_fast(flags: tuple[str, ...], text: str, duration_ms: int) -> tuple[str, ...]:
    is_fast = len(text) >= _FAST_MIN_CHARACTERS and len(text) * 1000 > FAST_CHARACTERS_PER_S * duration_ms
    return tuple(sorted({*flags, "fast"})) if is_fast else flags


def _from_segments(
    groups: _Groups, segment: IntArray, spoken_ms: IntArray, segments: Sequence[Segment]
) -> list[tuple[str | None, float | None, tuple[str, ...]]]:
    """Return language, no-speech confidence and flags of each utterance."""
    known = (*segments, Segment(start_ms=0, end_ms=0))  # segment -1 is the last, which knows nothing
    n_groups = len(groups.firsts)
    no_speech = np.array([item.no_speech_confidence for item in known], np.float64)[segment]
    highest = np.fmax.reduceat(no_speech, groups.firsts)
    languages = _languages(groups, segment, spoken_ms, known)
    flags: list[set[str]] = [set() for _ in range(n_groups)]
    is_flagged: BoolArray = np.array([bool(item.flags) for item in known])[segment]
    for group, index in set(zip(groups.of_place[is_flagged].tolist(), segment[is_flagged].tolist(), strict=True)):
        flags[group].update(known[index].flags)
    return [
        (language, None if np.isnan(value) else value, tuple(sorted(group_flags)))
        for language, value, group_flags in zip(languages, highest.tolist(), flags, strict=True)
    ]


def _languages(groups: _Groups, segment: IntArray, spoken_ms: IntArray, known: Sequence[Segment]) -> list[str | None]:
    """Return the language of most of each utterance's time; of equals the first in the alphabet."""
    names = sorted({item.language for item in known if item.language})
    longest = np.zeros(len(groups.firsts))
    winner = np.full(len(groups.firsts), len(names))
    for code, name in enumerate(names):
        is_in = np.array([item.language == name for item in known])[segment]
        time_ms = np.bincount(groups.of_place, spoken_ms * is_in)
        better = time_ms > longest
        longest[better], winner[better] = time_ms[better], code
    choices = [*names, None]
    return [choices[code] for code in winner.tolist()]
