"""Coverage: the four states on small cases, and that nothing is lost on random ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.attribution.coverage import cover


def covered(duration_ms, *, speech=(), words=(), failed=(), **options):
    def spans(rows):
        return np.array(rows, np.int64).reshape(-1, 2)

    return cover(duration_ms, speech=spans(speech), words=spans(words), failed=spans(failed), **options)


def test_nothing_heard_is_silence():
    assert covered(1_000) == [(0, 1_000, "silence")]


@pytest.mark.parametrize("duration_ms", [0, -1])
def test_an_empty_recording_has_no_spans(duration_ms):
    assert covered(duration_ms, speech=[(0, 10)], words=[(0, 10)]) == []


def test_detected_speech_with_a_word_is_speech_to_its_edges():
    assert covered(1_000, speech=[(100, 500)], words=[(200, 300)]) == [
        (0, 100, "silence"),
        (100, 500, "speech"),
        (500, 1_000, "silence"),
    ]


def test_detected_speech_without_a_word_is_untranscribed_however_short():
    assert covered(1_000, speech=[(100, 200), (300, 301)], words=[(0, 100)]) == [
        (0, 100, "speech"),
        (100, 200, "untranscribed"),
        (200, 300, "silence"),
        (300, 301, "untranscribed"),
        (301, 1_000, "silence"),
    ]


def test_speech_that_touches_speech_is_one_region():
    assert covered(400, speech=[(0, 100), (100, 300), (200, 400)], words=[(10, 20)]) == [(0, 400, "speech")]


def test_a_long_wordless_stretch_inside_a_region_is_untranscribed():
    spans = covered(20_000, speech=[(0, 20_000)], words=[(1_000, 2_000), (7_000, 8_000)], max_wordless_ms=5_000)
    assert spans == [(0, 8_000, "speech"), (8_000, 20_000, "untranscribed")]


def test_a_word_outside_detected_speech_is_speech():
    assert covered(300, words=[(100, 200)]) == [(0, 100, "silence"), (100, 200, "speech"), (200, 300, "silence")]


def test_a_word_without_length_still_counts():
    assert covered(300, speech=[(0, 100)], words=[(50, 50), (300, 300)]) == [
        (0, 100, "speech"),
        (100, 299, "silence"),
        (299, 300, "speech"),
    ]


def test_failure_wins_and_does_not_change_what_is_beside_it():
    assert covered(300, speech=[(0, 200)], words=[(120, 150)], failed=[(100, 200), (250, 250)]) == [
        (0, 100, "speech"),
        (100, 200, "failed"),
        (200, 300, "silence"),
    ]


def test_what_leaves_the_recording_is_cut():
    assert covered(100, speech=[(-50, 20), (400, 500)], words=[(-10, 10)], failed=[(90, 1_000)]) == [
        (0, 20, "speech"),
        (20, 90, "silence"),
        (90, 100, "failed"),
    ]


SPANS = st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])), max_size=8)


def by_loop(duration_ms, speech, words, failed, max_wordless_ms):
    """Return the status of every millisecond, the slow and plain way."""
    words = [(min(start, duration_ms - 1), max(end, min(start, duration_ms - 1) + 1)) for start, end in words]

    def inside(spans):
        return [any(start <= ms < end for start, end in spans) for ms in range(duration_ms)]

    in_speech, in_word, in_failed = inside(speech), inside(words), inside(failed)

    def stretch(flags, ms):
        low = high = ms
        while low > 0 and flags[low - 1]:
            low -= 1
        while high < duration_ms and flags[high]:
            high += 1
        return high - low

    bare = [speech and not word for speech, word in zip(in_speech, in_word, strict=True)]
    statuses = []
    for ms in range(duration_ms):
        if in_failed[ms]:
            statuses.append("failed")
        elif bare[ms] and (stretch(bare, ms) > max_wordless_ms or stretch(bare, ms) == stretch(in_speech, ms)):
            statuses.append("untranscribed")
        else:
            statuses.append("speech" if in_speech[ms] or in_word[ms] else "silence")
    return statuses


@given(st.integers(1, 70), SPANS, SPANS, SPANS, st.integers(0, 10))
def test_every_millisecond_has_the_status_a_plain_loop_gives(duration_ms, speech, words, failed, max_wordless_ms):
    spans = covered(duration_ms, speech=speech, words=words, failed=failed, max_wordless_ms=max_wordless_ms)
    told = [status for start, end, status in spans for _ in range(start, end)]
    assert told == by_loop(duration_ms, speech, words, failed, max_wordless_ms)


@given(st.integers(1, 70), SPANS, SPANS, SPANS, st.randoms(use_true_random=False))
def test_spans_tile_the_recording_in_any_order_of_input(duration_ms, speech, words, failed, random):
    spans = covered(duration_ms, speech=speech, words=words, failed=failed)
    assert [start for start, _, _ in spans] == [0, *(end for _, end, _ in spans[:-1])]
    assert spans[-1][1] == duration_ms
    assert sum(end - start for start, end, _ in spans) == duration_ms
    assert all(start < end for start, end, _ in spans)
    assert all(left[2] != right[2] for left, right in pairwise(spans))
    for rows in (speech, words, failed):
        random.shuffle(rows)
    assert covered(duration_ms, speech=speech, words=words, failed=failed) == spans
