from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Span
from tasks.engines.activity_stitching import matching, overlapping_pieces, stitched

FRAME_MS = 80


@st.composite
def talks(draw):
    """Return activities of a whole, parts of it and where they start; everybody speaks in every seam."""
    n_speakers, n_parts = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    length, overlap = 60, 20
    starts = [i * (length - overlap) for i in range(n_parts)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    activity = np.zeros((starts[-1] + length, n_speakers), np.float32)
    for seam in [*starts, starts[-1] + length - overlap]:
        for speaker, first in enumerate(range(seam, seam + overlap, overlap // n_speakers)):
            if speaker < n_speakers:
                activity[first : first + overlap // n_speakers, speaker] = 0.9
    activity += rng.uniform(0, 0.1, activity.shape).astype(np.float32)
    orders = [rng.permutation(n_speakers) for _ in starts]
    return activity, [activity[s : s + length][:, o] for s, o in zip(starts, orders, strict=True)], starts


@given(talks())
def test_voices_heard_in_every_seam_are_put_together_whatever_their_order_in_the_parts(talk):
    whole, parts, starts = talk
    found = stitched(parts, starts)
    assert found.shape == whole.shape
    columns = {tuple(column) for column in whole.T}
    assert {tuple(column) for column in found.T} == columns


@given(talks(), st.integers(0, 2**32 - 1))
def test_any_parts_give_a_whole_of_what_is_in_them(talk, seed):
    _, parts, starts = talk
    rng = np.random.default_rng(seed)
    parts = [rng.choice([0.1, 0.9], part.shape).astype(np.float32) for part in parts]
    found = stitched(parts, starts)
    assert len(found) == starts[-1] + len(parts[-1])
    assert max(map(np.size, (part[0] for part in parts))) <= found.shape[1] <= sum(part.shape[1] for part in parts)
    for frame in range(0, len(found), 7):
        heard = {tuple(sorted(part[frame - s])) for part, s in zip(parts, starts, strict=True) if 0 <= frame - s < 60}
        active = sorted(found[frame][found[frame] > 0.5])
        assert active in [[value for value in row if value > 0.5] for row in heard]


def test_a_voice_unheard_in_the_seam_is_a_new_one():
    first, second = np.zeros((60, 2), np.float32), np.zeros((60, 2), np.float32)
    first[:30, 0], first[40:, 1] = 0.9, 0.8
    second[:20, 0], second[30:, 1] = 0.7, 0.9
    found = stitched([first, second], [0, 40])
    assert found.shape == (100, 3)
    assert found[40:50, 1].tolist() == [np.float32(0.8)] * 10
    assert found[50:60, 1].tolist() == [np.float32(0.7)] * 10
    assert (found[70:, 2] > 0.5).all()


def test_a_voice_that_was_silent_in_the_seam_is_known_by_the_guide():
    first, second = np.zeros((60, 2), np.float32), np.zeros((60, 2), np.float32)
    first[:30, 0], first[40:, 1] = 0.9, 0.8
    second[:20, 0], second[30:, 1] = 0.7, 0.9
    guide = np.zeros((100, 4), np.float32)
    guide[:30, 2], guide[70:, 2], guide[40:60, 3] = 0.9, 0.9, 0.9
    found = stitched([first, second], [0, 40], guide)
    assert found.shape == (100, 2)
    assert (found[:30, 0] > 0.5).all()
    assert (found[70:, 0] > 0.5).all()


def test_a_guide_in_which_a_part_hears_two_voices_is_no_guide():
    first, second = np.zeros((60, 2), np.float32), np.zeros((60, 2), np.float32)
    first[:30, 0], first[40:, 1] = 0.9, 0.8
    second[:20, 0], second[30:, 1] = 0.7, 0.9
    guide = np.full((100, 1), 0.9, np.float32)
    assert stitched([first, second], [0, 40], guide).shape == (100, 3)


def test_columns_never_active_are_no_voices():
    assert stitched([np.full((10, 4), 0.3, np.float32)], [0]).shape == (10, 0)


def test_little_in_common_is_no_match():
    left, right = np.zeros((40, 1), np.float32), np.zeros((40, 1), np.float32)
    left[:30], right[25:28] = 1, 1
    assert matching(left, right) == []
    right[5:25] = 1
    assert matching(left, right) == [(0, 0)]


@st.composite
def speech(draw):
    edges = sorted(draw(st.sets(st.integers(0, 300_000), max_size=60)))
    return [Span(start_ms=a, end_ms=b) for a, b in zip(edges[::2], edges[1::2], strict=False)]


@given(speech(), st.integers(1, 400_000), st.integers(1000, 20_000), st.floats(2, 6))
def test_pieces_cover_the_clip_overlap_and_are_not_too_long(spans, length_ms, overlap_ms, factor):
    piece_ms = round(overlap_ms * factor)
    pieces = overlapping_pieces(spans, length_ms, piece_ms=piece_ms, overlap_ms=overlap_ms, grid_ms=FRAME_MS)
    assert pieces[0].start_ms == 0
    assert pieces[-1].end_ms == length_ms
    assert all(piece.start_ms % FRAME_MS == 0 for piece in pieces)
    assert all(piece.duration_ms <= piece_ms + 2 * overlap_ms for piece in pieces)
    for before, after in pairwise(pieces):
        assert before.start_ms < after.start_ms < before.end_ms < after.end_ms
        assert before.end_ms - after.start_ms >= overlap_ms // 4


def test_cuts_lie_in_pauses():
    spans = [Span(start_ms=start_ms, end_ms=start_ms + 4000) for start_ms in range(500, 116_000, 4500)]
    pieces = overlapping_pieces(spans, 120_500, piece_ms=40_000, overlap_ms=12_000, grid_ms=FRAME_MS)
    inside = [piece.start_ms for piece in pieces[1:]] + [piece.end_ms for piece in pieces[:-1]]
    assert inside
    assert not any(span.start_ms < at_ms < span.end_ms for span in spans for at_ms in inside)
