"""Speech without words is heard once more: what of it, and that nothing that was there is changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import ConfigError, EngineError
from storage.records import Chunk, ClipContext, Segment, Span, Transcript, Word
from tasks.engines.fake import FakeTranscriber
from tasks.stages.calling import check_transcript
from tasks.stages.facts import ChunkWork, RecordingFacts
from tasks.stages.second_try import Excerpt, SecondTryOptions, with_found, wordless_excerpts
from tasks.stages.transcribe import transcribe_chunks
from tests.tones import spoken, tone_clip

OPTIONS = SecondTryOptions(min_ms=1_000, margin_ms=500)


def span(start_ms, end_ms):
    return Span(start_ms=start_ms, end_ms=end_ms)


def transcript(*words, flags=()):
    """Return words, given as start and end, in one segment."""
    if not words:
        return Transcript()
    return Transcript(
        words=tuple(Word(start_ms=start, end_ms=end, text=f"{start}") for start, end in sorted(words)),
        segments=(Segment(start_ms=min(words)[0], end_ms=max(end for _, end in words), flags=flags),),
    )


def excerpts(words, speech, duration_ms=20_000, options=OPTIONS):
    clip = np.arange(duration_ms * 16, dtype=np.float32)
    context = ClipContext(speech=tuple(span(*one) for one in speech), language="en")
    return wordless_excerpts(transcript(*words), clip, context, options)


def test_a_whole_region_without_a_word_is_heard_again_with_some_sound_around_it():
    (one,) = excerpts([(500, 900)], [(0, 2_000), (5_000, 7_000), (9_000, 9_900)])
    assert one.region == span(5_000, 7_000)
    assert (one.start_ms, len(one.clip)) == (4_500, 3_000 * 16)
    assert one.clip[0] == 4_500 * 16
    assert one.context == ClipContext(speech=(span(500, 2_500),), language="en")


def test_a_long_stretch_between_words_is_heard_again_and_what_is_beside_it_is_no_speech_of_it():
    (one,) = excerpts([(0, 1_000), (9_000, 10_000)], [(0, 10_000)])
    assert one.region == span(1_000, 9_000)
    assert one.context.speech == (span(500, 8_500),)


def test_pauses_breaths_and_silence_are_left():
    assert excerpts([(0, 1_000), (4_000, 5_000)], [(0, 5_000), (6_000, 6_999)]) == []


def test_an_excerpt_stays_inside_the_clip():
    first, last = excerpts([], [(0, 1_500), (18_600, 20_000)])
    assert (first.start_ms, len(first.clip)) == (0, 2_000 * 16)
    assert (last.start_ms, len(last.clip)) == (18_100, 1_900 * 16)


@pytest.mark.parametrize("wrong", [{"min_ms": 0}, {"margin_ms": -1}])
def test_lengths_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigError, match="no length"):
        SecondTryOptions(**wrong)


def heard(region, start_ms):
    return Excerpt(region=region, start_ms=start_ms, clip=np.empty(0, np.float32), context=ClipContext(speech=()))


def test_words_are_added_in_their_place_and_flagged():
    before = transcript((0, 400), (9_000, 9_400))
    found = transcript((600, 900), (1_000, 1_400), flags=("low_confidence",))
    after = with_found(before, heard(span(5_000, 7_000), 4_500), found)
    assert [(word.start_ms, word.text, word.segment_index) for word in after.words] == [
        (0, "0", 0),
        (5_100, "600", 1),
        (5_500, "1000", 1),
        (9_000, "9000", 0),
    ]
    assert [segment.flags for segment in after.segments] == [(), ("low_confidence", "second_try")]
    assert (after.segments[1].start_ms, after.segments[1].end_ms) == (5_100, 5_900)


def test_what_is_over_a_word_or_beside_the_region_is_not_added():
    before = transcript((4_000, 5_200))
    found = transcript((0, 400), (600, 800), (650, 1_000), (2_600, 2_900))
    after = with_found(before, heard(span(5_200, 7_000), 4_500), found)
    assert [(word.start_ms, word.end_ms) for word in after.words] == [(4_000, 5_200)]
    assert with_found(before, heard(span(5_200, 7_000), 4_500), Transcript()) is before


TIMES = st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 900)).map(lambda p: (p[0], p[0] + p[1])), max_size=8)


@given(TIMES, TIMES, st.integers(0, 8_000), st.integers(1, 2_000))
def test_whatever_is_found_nothing_that_was_there_changes_and_promises_hold(words, found, start_ms, length_ms):
    before, again = transcript(*words), transcript(*found)
    after = with_found(before, heard(span(start_ms, start_ms + length_ms), start_ms), again)
    check_transcript("test", after, np.zeros(30_000 * 16, np.float32))
    texts = [(after.segments[word.segment_index].flags, word.start_ms, word.end_ms) for word in after.words]
    assert [one for one in texts if "second_try" not in one[0]] == [
        ((), word.start_ms, word.end_ms) for word in before.words
    ]
    added = [(start, end) for flags, start, end in texts if "second_try" in flags]
    assert all(not (a < max(d, c + 1) and c < max(b, a + 1)) for a, b in added for c, d in words)
    assert all(a < start_ms + length_ms and max(b, a + 1) > start_ms for a, b in added)
    assert len(after.words) == len(before.words) + len(added)


# ---- with an engine


def work(clip, speech, index=0):
    return ChunkWork(
        facts=RecordingFacts(archive="a", source="s", stages=("transcribe",), recipes={"transcribe": "0"}),
        chunk=Chunk(channel=0, chunk_index=index, start_ms=0, end_ms=len(clip) // 16, speech=()),
        clip=clip,
        context=ClipContext(speech=tuple(span(*one) for one in speech)),
    )


SOUNDS = [*spoken(500, 300, 8), *spoken(12_000, 900, 6), *spoken(16_000, 300, 6)]
SPEECH = [(500, 2_520), (12_000, 13_500), (16_000, 17_500)]


class Counting(FakeTranscriber):
    """Counts the clips of each call."""

    def transcribe(self, clips, contexts):
        self.calls = [*getattr(self, "calls", []), len(clips)]
        return super().transcribe(clips, contexts)


def test_an_engine_that_loses_its_place_hears_the_rest_the_second_time():
    deaf = Counting.from_options({"deaf_after_ms": 8_000}, device="cpu")
    sound = FakeTranscriber.from_options({}, device="cpu")
    works = [work(tone_clip(20_000, SOUNDS), SPEECH), work(tone_clip(20_000, SOUNDS[:8]), SPEECH[:1], 1)]
    found = transcribe_chunks("fake", deaf, works, OPTIONS)
    truth = transcribe_chunks("fake", sound, works, OPTIONS)
    assert deaf.calls == [2, 2]
    assert [(w.start_ms, w.end_ms, w.text) for w in found[0].words] == [
        (w.start_ms, w.end_ms, w.text) for w in truth[0].words
    ]
    assert [segment.flags for segment in found[0].segments] == [(), ("second_try",), ("second_try",)]
    assert found[1] == truth[1]


def test_nothing_is_heard_again_where_nothing_is_missing_or_nobody_wants_it():
    works = [work(tone_clip(20_000, SOUNDS), SPEECH)]
    content = Counting.from_options({}, device="cpu")
    transcribe_chunks("fake", content, works, OPTIONS)
    deaf = Counting.from_options({"deaf_after_ms": 8_000}, device="cpu")
    (found,) = transcribe_chunks("fake", deaf, works, SecondTryOptions(enabled=False))
    assert (content.calls, deaf.calls, len(found.words)) == ([1], [1], 8)


def test_what_fails_the_second_time_leaves_what_the_first_time_found(our_logs):
    class Moody(FakeTranscriber):
        def transcribe(self, clips, contexts):
            if any(len(clip) < 10_000 * 16 for clip in clips):
                raise EngineError("engine", "no short clips")
            return super().transcribe(clips, contexts)

    engine = Moody.from_options({"deaf_after_ms": 8_000}, device="cpu")
    (found,) = transcribe_chunks("fake", engine, [work(tone_clip(20_000, SOUNDS), SPEECH)], OPTIONS)
    assert [segment.flags for segment in found.segments] == [()]
    assert len(found.words) == 8
    assert "no short clips" in our_logs.text


def test_a_chunk_that_failed_is_not_heard_again():
    engine = FakeTranscriber.from_options({"fail_on_hz": 300}, device="cpu")
    (outcome,) = transcribe_chunks("fake", engine, [work(tone_clip(20_000, SOUNDS), SPEECH)], OPTIONS)
    assert isinstance(outcome, EngineError)
