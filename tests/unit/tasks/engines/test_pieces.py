from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Span
from tasks.engines.pieces import cut, finite, pack, speech_pieces
from tests.tones import all_speech, tone_clip

NOISE = np.random.default_rng(0).normal(0, 0.1, 60 * 16_000).astype(np.float32)


@st.composite
def regions(draw):
    spans, now = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 30_000)), max_size=4)):
        if now + gap + length > 60_000:
            break
        spans.append(Span(start_ms=now + gap, end_ms=now + gap + length))
        now += gap + length
    return tuple(spans)


@given(regions(), st.integers(0, 800), st.integers(1000, 20_000))
def test_pieces_cover_all_speech_and_stay_short(speech, join_ms, longest_ms):
    spans = speech_pieces(NOISE, speech, join_ms=join_ms, longest_ms=longest_ms)
    assert all(span.duration_ms <= longest_ms for span in spans)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(spans))
    covered = np.zeros(60_000, dtype=bool)
    for span in spans:
        covered[span.start_ms : span.end_ms] = True
    heard = np.zeros(60_000, dtype=bool)
    for span in speech:
        heard[span.start_ms : span.end_ms] = True
    assert not (heard & ~covered).any()


def test_a_long_piece_is_cut_where_it_is_quietest():
    clip = tone_clip(30_000, [(0, 16_300, 400), (16_500, 30_000, 400)])
    spans = speech_pieces(clip, all_speech(clip), join_ms=300, longest_ms=20_000)
    assert len(spans) == 2
    assert 16_300 <= spans[0].end_ms <= 16_500


def test_regions_are_joined_only_while_the_piece_stays_short_enough():
    speech = [Span(start_ms=start, end_ms=start + 900) for start in range(0, 10_000, 1_000)]
    pieces = speech_pieces(NOISE, speech, join_ms=500, longest_ms=3_000)
    assert [(piece.start_ms, piece.end_ms) for piece in pieces] == [(0, 2900), (3000, 5900), (6000, 8900), (9000, 9900)]


@given(
    st.lists(st.integers(1, 30_000), max_size=60),
    st.integers(1, 16),
    st.integers(1_000, 200_000),
    st.floats(0, 0.5),
)
def test_batches_hold_everything_once_within_their_limits(lengths, max_items, max_total, max_padding):
    batches = pack(lengths, max_items=max_items, max_total=max_total, max_padding=max_padding)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) <= max_items
        assert padded <= max_total or len(batch) == 1
        assert padded - sum(lengths[index] for index in batch) <= max_padding * padded


def test_batches_do_not_depend_on_the_order_of_equal_lengths():
    assert pack([5, 9, 5, 9], max_items=2, max_total=100) == [[1, 3], [0, 2]]


def test_finite_samples_stay_and_the_others_become_bearable():
    clip = np.array([0.5, np.nan, np.inf, -np.inf, 7], dtype=np.float32)
    assert finite(clip).tolist() == [0.5, 0, 1, -1, 1]
    assert np.isnan(clip[1])


def test_cut_takes_the_samples_of_a_span():
    assert len(cut(NOISE, Span(start_ms=100, end_ms=350))) == 250 * 16
