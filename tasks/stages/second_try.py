"""Speech in which a recogniser found no word is listened to once more, alone: what to listen to, and what to keep.

Recognisers lose their place in long clips, and skip what stands in the shadow of louder speech. A region that is heard
alone, a little silence or speech around it, is often understood. It is tried once; what stays without words is
``untranscribed`` in ``coverage``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from storage.errors import ConfigError
from storage.records import SAMPLES_PER_MS, Clip, ClipContext, Segment, Span, Transcript, Word, duration_ms
from tasks.attribution.coverage import SpanArray, cover
from tasks.audio.chunking import clipped

FLAG = "second_try"
"""On the segments whose words were found this way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondTryOptions:
    """Which speech without words is listened to again."""

    enabled: bool = True
    min_ms: int = 1_000
    """Shorter regions are left: a breath, a cough."""
    margin_ms: int = 500
    """Sound before and after the region that is heard with it."""

    def __post_init__(self) -> None:
        """Refuse lengths that mean nothing."""
        if self.min_ms < 1 or self.margin_ms < 0:
            raise ConfigError(
                f"second try of {self.min_ms} ms or more, with {self.margin_ms} ms around it",
                "is no length",
                "keep second_try.min_ms >= 1 and second_try.margin_ms >= 0",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excerpt:
    """A region of a clip to be heard alone."""

    region: Span
    """In the time of the whole clip."""
    start_ms: int
    """Where the excerpt begins in the whole clip."""
    clip: Clip
    context: ClipContext


def wordless_excerpts(
    transcript: Transcript, clip: Clip, context: ClipContext, options: SecondTryOptions
) -> list[Excerpt]:
    """Return the regions that ``coverage`` would call untranscribed and that are long enough, in order of time.

    An excerpt's speech is that of its region alone: what was transcribed already is not transcribed again.
    """
    spans = cover(
        duration_ms(clip),
        speech=_span_array(context.speech),
        words=_span_array(transcript.words),
        failed=np.empty((0, 2), np.int64),
    )
    regions = (Span(start_ms=start, end_ms=end) for start, end, status in spans if status == "untranscribed")
    return [_excerpt(region, clip, context, options) for region in regions if region.duration_ms >= options.min_ms]


def _excerpt(region: Span, clip: Clip, context: ClipContext, options: SecondTryOptions) -> Excerpt:
    start_ms = max(region.start_ms - options.margin_ms, 0)
    end_ms = min(region.end_ms + options.margin_ms, duration_ms(clip))
    speech = tuple(span.shifted(-start_ms) for span in clipped(context.speech, region))
    return Excerpt(
        region=region,
        start_ms=start_ms,
        clip=clip[start_ms * SAMPLES_PER_MS : end_ms * SAMPLES_PER_MS],
        context=replace(context, speech=speech),
    )


def with_found(transcript: Transcript, excerpt: Excerpt, found: Transcript) -> Transcript:
    """Return the transcript with the words that were found in an excerpt, their segments flagged.

    Words are kept that lie in the region, at least in part, and over no word that was there; nothing is taken away.

    Args:
        transcript: what was there, in the time of the whole clip.
        excerpt: what was listened to.
        found: what was heard, in the excerpt's time.
    """
    kept = [
        replace(word, start_ms=word.start_ms + excerpt.start_ms, end_ms=word.end_ms + excerpt.start_ms)
        for word in found.words
    ]
    there = _span_array(transcript.words)
    kept = [word for word in kept if _overlaps(word, _span_array([excerpt.region])) and not _overlaps(word, there)]
    if not kept:
        return transcript
    own = sorted({word.segment_index for word in kept})
    segments = [
        *transcript.segments,
        *(_of_words(found.segments[index], [word for word in kept if word.segment_index == index]) for index in own),
    ]
    renamed = {index: len(transcript.segments) + place for place, index in enumerate(own)}
    words = [*transcript.words, *(replace(word, segment_index=renamed[word.segment_index]) for word in kept)]
    return _in_order(words, segments)


def _in_order(words: Sequence[Word], segments: Sequence[Segment]) -> Transcript:
    order = sorted(range(len(segments)), key=lambda index: (segments[index].start_ms, segments[index].end_ms))
    place = {index: at for at, index in enumerate(order)}
    return Transcript(
        words=tuple(
            replace(word, segment_index=place[word.segment_index])
            for word in sorted(words, key=lambda word: (word.start_ms, word.end_ms))
        ),
        segments=tuple(segments[index] for index in order),
    )


def _of_words(segment: Segment, words: Sequence[Word]) -> Segment:
    """Return what the segment says of the words that are kept of it."""
    return replace(
        segment,
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        flags=tuple(sorted({*segment.flags, FLAG})),
    )


def _overlaps(word: Word, spans: SpanArray) -> bool:
    """Return whether a word shares time with one of the spans; without length they count as a millisecond."""
    ends = np.maximum(spans[:, 1], spans[:, 0] + 1)
    return bool(((spans[:, 0] < max(word.end_ms, word.start_ms + 1)) & (word.start_ms < ends)).any())


def _span_array(spans: Sequence[Span] | Sequence[Word]) -> SpanArray:
    return np.array([(span.start_ms, span.end_ms) for span in spans], np.int64).reshape(-1, 2)
