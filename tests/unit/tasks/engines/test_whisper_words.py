"""Word times of Whisper, settled on speech."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from storage.records import Span, Word
from tasks.engines.whisper_words import LONG_SILENCE_MS, settle

PIECE = Span(start_ms=1000, end_ms=11_000)
SPEECH = (Span(start_ms=1000, end_ms=4000), Span(start_ms=7000, end_ms=11_000))


def word(start_ms, end_ms, text="word"):
    return Word(start_ms=start_ms, end_ms=end_ms, text=text, confidence=0.5)


def times(words):
    return [(one.start_ms, one.end_ms) for one in words]


def settled(*words, speech=SPEECH, within=PIECE):
    return times(settle([word(*span) for span in words], speech, within))


def test_words_in_speech_stay_where_they_are():
    assert settled((1200, 1500), (1500, 2000), (7000, 7300)) == [(1200, 1500), (1500, 2000), (7000, 7300)]


def test_a_word_stretched_over_silence_is_pulled_to_the_speech_it_shares_most_with():
    assert settled((3500, 7100)) == [(3500, 4000)]
    assert settled((3900, 7400)) == [(7000, 7400)]


def test_a_word_in_silence_moves_to_the_nearest_speech():
    assert settled((4100, 4300)) == [(3800, 4000)]
    assert settled((6500, 6900)) == [(7000, 7400)]


def test_words_leave_no_piece():
    assert settled((0, 1500), (10_500, 13_000)) == [(1000, 1500), (10_500, 11_000)]


def test_short_silence_may_lie_under_a_word():
    speech = (Span(start_ms=1000, end_ms=4000), Span(start_ms=4000 + LONG_SILENCE_MS - 1, end_ms=11_000))
    assert settled((3500, 5000), speech=speech) == [(3500, 5000)]


def test_starts_never_go_back():
    assert settled((2000, 2500), (1500, 1800), (2100, 2200)) == [(2000, 2500), (2000, 2000), (2100, 2200)]


def test_nothing_known_of_speech_nothing_pulled():
    assert settled((3500, 7100), speech=()) == [(3500, 7100)]


def test_text_and_confidence_stay():
    one = word(3500, 7100, "garden")
    (moved,) = settle([one], SPEECH, PIECE)
    assert (moved.text, moved.confidence) == ("garden", 0.5)


@st.composite
def disjoint_spans(draw):
    at, spans = 0, []
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 4000)), max_size=6)):
        spans.append(Span(start_ms=at + gap, end_ms=at + gap + length))
        at += gap + length
    return tuple(spans)


WORDS = st.lists(st.tuples(st.integers(-500, 25_000), st.integers(0, 6000)), max_size=20).map(
    lambda pairs: [word(start, start + length) for start, length in pairs]
)
WITHIN = st.tuples(st.integers(0, 5000), st.integers(1, 20_000)).map(
    lambda pair: Span(start_ms=pair[0], end_ms=sum(pair))
)


@given(WORDS, disjoint_spans(), WITHIN)
def test_all_words_stay_inside_in_order_and_out_of_long_silence(words, speech, within):
    found = settle(words, speech, within)
    assert len(found) == len(words)
    assert all(within.start_ms <= one.start_ms <= one.end_ms <= within.end_ms for one in found)
    assert all(before.start_ms <= after.start_ms for before, after in pairwise(found))
    inside = [span for span in speech if span.start_ms < within.end_ms and span.end_ms > within.start_ms]
    for before, after in pairwise(inside):
        if after.start_ms - before.end_ms >= LONG_SILENCE_MS:
            assert not any(one.start_ms < after.start_ms and one.end_ms > before.end_ms for one in found)
    if inside:
        first_ms, last_ms = max(inside[0].start_ms, within.start_ms), min(inside[-1].end_ms, within.end_ms)
        assert all(first_ms <= one.start_ms and one.end_ms <= last_ms for one in found)


@given(WORDS, disjoint_spans(), WITHIN)
def test_settled_words_are_settled(words, speech, within):
    once = settle(words, speech, within)
    assert settle(once, speech, within) == once
