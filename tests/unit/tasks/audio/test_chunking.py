import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import ConfigError
from storage.records import Span
from tasks.audio.chunking import ChunkCutter, ChunkOptions, choose_cut, clipped, quietest_ms
from tests.media import noise

SMALL = ChunkOptions(target_ms=10_000, max_ms=15_000, min_ms=2_000)


def by_energy(clip):
    """Find speech where 10 ms are louder than -60 dBFS."""
    frames = clip[: len(clip) // 160 * 160].reshape(-1, 160)
    loud = np.concatenate([[0], ((frames**2).mean(axis=1) > 1e-6).astype(int), [0]])
    edges = np.flatnonzero(np.diff(loud)) * 10
    return [Span(start_ms=int(start), end_ms=int(end)) for start, end in edges.reshape(-1, 2)]


def speaking(duration_ms, spans, seed=0):
    samples = np.zeros((1, duration_ms * 16), np.float32)
    sound = noise(duration_ms / 1000, seed=seed)
    for start, end in spans:
        samples[:, start * 16 : end * 16] = sound[:, start * 16 : end * 16]
    return samples


def in_blocks(samples, block=32_000):
    for start in range(0, samples.shape[1], block):
        yield samples[:, start : start + block]


def cut(samples, *, options=SMALL, mode="auto", block=32_000, detect=by_energy):
    cutter = ChunkCutter(detect, options, mode)
    return list(cutter.cut(in_blocks(samples, block))), cutter


def assert_tiles(cuts, n_samples):
    assert [one.chunk.chunk_index for one in cuts] == list(range(len(cuts)))
    assert [one.chunk.start_ms for one in cuts] == [0, *(one.chunk.end_ms for one in cuts[:-1])]
    assert cuts[-1].chunk.end_ms == n_samples // 16
    assert all(len(one.clip) == (one.chunk.end_ms - one.chunk.start_ms) * 16 > 0 for one in cuts)


@st.composite
def talks(draw):
    """A length and where somebody speaks, on the grid of the detector."""
    duration = draw(st.integers(1, 60_000))
    edges = sorted(draw(st.sets(st.integers(0, duration // 10), max_size=20)))
    edges = [10 * edge for edge in edges[: len(edges) // 2 * 2]]
    return duration, list(zip(edges[::2], edges[1::2], strict=True))


@given(talk=talks(), block=st.integers(700, 90_000))
def test_chunks_tile_the_recording_and_lose_nothing(talk, block):
    duration, spans = talk
    samples = speaking(duration, spans)
    cuts, cutter = cut(samples, block=block)
    assert_tiles(cuts, samples.shape[1])
    assert cutter.duration_ms == duration
    np.testing.assert_array_equal(np.concatenate([one.clip for one in cuts]), samples[0])
    lengths = [one.chunk.end_ms - one.chunk.start_ms for one in cuts]
    assert max(lengths) <= SMALL.max_ms
    if len(cuts) > 1:
        assert min(lengths) >= SMALL.min_ms


@given(talk=talks())
def test_speech_is_found_where_it_is_and_cut_only_without_a_silence(talk):
    duration, spans = talk
    cuts, _ = cut(speaking(duration, spans))
    found = [span for one in cuts for span in one.chunk.speech]
    heard = np.zeros(duration, bool)
    for span in found:
        heard[span.start_ms : span.end_ms] = True
    truth = np.zeros(duration, bool)
    for start, end in spans:
        truth[start:end] = True
    np.testing.assert_array_equal(heard, truth)
    for one in cuts[:-1]:
        at = one.chunk.end_ms
        window = truth[one.chunk.start_ms + SMALL.earliest_cut_ms : one.chunk.start_ms + SMALL.max_ms - SMALL.min_ms]
        assert window.all() or not truth[at - 1 : at + 1].all()
    assert all(
        one.chunk.start_ms <= s.start_ms < s.end_ms <= one.chunk.end_ms for one in cuts for s in one.chunk.speech
    )


def test_the_cut_is_in_the_longest_silence():
    cuts, _ = cut(speaking(20_000, [(0, 8_500), (8_600, 10_000), (11_000, 12_000), (12_050, 20_000)]))
    assert [one.chunk.end_ms for one in cuts] == [10_400, 20_000]


def test_without_a_silence_the_cut_is_at_the_quietest_moment():
    samples = speaking(20_000, [(0, 20_000)])
    samples[:, 9_990 * 16 : 10_010 * 16] *= 0.1
    cuts, _ = cut(samples)
    assert cuts[0].chunk.end_ms == pytest.approx(10_000, abs=10)
    assert cuts[0].chunk.speech[-1].end_ms == cuts[1].chunk.speech[0].start_ms == cuts[0].chunk.end_ms


def test_the_quietest_moment_is_between_words_and_not_within_one():
    samples = speaking(20_000, [(0, 20_000)])
    samples[:, 9_000 * 16 : 9_030 * 16] *= 0.03  # a stop within a word
    samples[:, 10_000 * 16 : 10_110 * 16] *= 0.05
    cuts, _ = cut(samples)
    assert 10_000 <= cuts[0].chunk.end_ms < 10_110


def test_a_recording_that_fits_is_one_chunk_even_beyond_the_target():
    cuts, _ = cut(speaking(15_000, [(0, 7_000), (8_000, 15_000)]))
    assert len(cuts) == 1


def test_no_short_rest_is_left():
    cuts, _ = cut(speaking(15_500, [(0, 13_000), (13_600, 15_500)]))
    assert [one.chunk.end_ms - one.chunk.start_ms >= SMALL.min_ms for one in cuts] == [True, True]


def test_little_is_heard_twice():
    heard = []

    def counting(clip):
        heard.append(len(clip) / 16)
        return by_energy(clip)

    spans = [(start, start + 1_500) for start in range(0, 120_000, 3_000)]
    cut(speaking(120_000, spans), detect=counting)
    assert sum(heard) <= 1.15 * 120_000


def test_memory_is_bounded_by_the_chunk():
    heard, n_read, n_cut, most_held = [], 0, 0, 0

    def spying(clip):
        heard.append(len(clip) / 16)
        return by_energy(clip)

    def read():
        nonlocal n_read
        for seed in range(200):
            n_read += 32_000
            yield noise(2.0, seed=seed)

    for one in ChunkCutter(spying, SMALL, "mix").cut(read()):
        most_held = max(most_held, n_read - n_cut)
        n_cut += len(one.clip)
    assert n_cut == 200 * 32_000
    assert most_held / 16 <= SMALL.max_ms + 77_000
    assert max(heard) <= 75_000


def by_window(clip):
    """Find speech in windows of 32 ms from the start of the clip, pauses below 400 ms closed, as detectors do."""
    windows = clip[: len(clip) // 512 * 512].reshape(-1, 512)
    loud = np.concatenate([[0], ((windows**2).mean(axis=1) > 1e-6).astype(int), [0]])
    spans = []
    for start, end in (np.flatnonzero(np.diff(loud)) * 32).reshape(-1, 2).tolist():
        if spans and start - spans[-1].end_ms < 400:
            spans[-1] = Span(start_ms=spans[-1].start_ms, end_ms=end)
        else:
            spans.append(Span(start_ms=start, end_ms=end))
    return spans


def joined_speech(cuts):
    """Return the speech of all chunks, what was cut in two put together."""
    joined = []
    for span in (span for one in cuts for span in one.chunk.speech):
        if joined and joined[-1][1] == span.start_ms:
            joined[-1] = (joined[-1][0], span.end_ms)
        else:
            joined.append((span.start_ms, span.end_ms))
    return joined


@settings(max_examples=25, deadline=None)
@given(
    pauses=st.lists(st.sampled_from([0, 150, 390, 410, 900, 1_700]), min_size=30, max_size=40),
    target=st.sampled_from([5_000, 10_000, 20_000]),
)
def test_what_is_heard_does_not_depend_on_how_long_chunks_are(pauses, target):
    talk = []
    for index, pause in enumerate(pauses):
        start = (talk[-1][1] if talk else 130) + pause
        talk.append((start, start + 1_000 + 770 * (index % 5)))
    samples = speaking(talk[-1][1] + 500, talk)
    options = ChunkOptions(target_ms=target, max_ms=target * 3 // 2, min_ms=2_000)
    short, _ = cut(samples, options=options, detect=by_window)
    whole, _ = cut(samples, options=ChunkOptions(target_ms=900_000, max_ms=1_000_000), detect=by_window)
    assert len(whole) == 1 < len(short)
    assert joined_speech(short) == joined_speech(whole)


def test_cuts_are_on_the_grid_of_the_recording_where_silence_allows():
    talk = [(start, start + 2_500) for start in range(100, 120_000, 3_300)]
    cuts, _ = cut(speaking(120_000, talk))
    assert [one.chunk.end_ms % 160 for one in cuts[:-1]] == [0] * (len(cuts) - 1)


def two_channels(duration, first, second):
    return np.concatenate([speaking(duration, first, 1), speaking(duration, second, 2)])


def test_split_channels_are_cut_at_the_same_times():
    first = [(start, start + 2_000) for start in range(0, 40_000, 5_000)]
    second = [(start + 2_200, start + 4_700) for start in range(0, 40_000, 5_000)]
    samples = two_channels(40_000, first, second)
    cuts, cutter = cut(samples)
    assert cutter.channel_mode == "split"
    for channel, truth in enumerate((first, second)):
        own = [one for one in cuts if one.chunk.channel == channel]
        assert_tiles(own, 640_000)
        np.testing.assert_array_equal(np.concatenate([one.clip for one in own]), samples[channel])
        assert [(s.start_ms, s.end_ms) for one in own for s in one.chunk.speech] == truth
    assert {one.chunk.end_ms for one in cuts if one.chunk.channel == 0} == {
        one.chunk.end_ms for one in cuts if one.chunk.channel == 1
    }


def test_asking_for_a_mix_or_a_split_wins_over_the_signal():
    samples = two_channels(10_000, [(0, 4_000)], [(5_000, 9_000)])
    mixed, cutter = cut(samples, mode="mix")
    assert (len(mixed), cutter.channel_mode) == (1, "mix")
    np.testing.assert_allclose(mixed[0].clip, samples.mean(axis=0), atol=1e-6)
    same, cutter = cut(np.repeat(samples[:1], 2, axis=0), mode="split")
    assert ([one.chunk.channel for one in same], cutter.channel_mode) == ([0, 1], "split")


def test_one_channel_cannot_be_split():
    cuts, cutter = cut(speaking(1_000, [(0, 500)]), mode="split")
    assert ([one.chunk.channel for one in cuts], cutter.channel_mode) == ([0], "mix")


def test_samples_that_are_not_finite_count_as_zero():
    samples = noise(1.0)
    samples[0, 100:200] = np.nan
    samples[0, 300:400] = np.inf
    before = samples.copy()
    (only,), _ = cut(samples)
    assert not only.clip[100:200].any()
    assert not only.clip[300:400].any()
    np.testing.assert_array_equal(only.clip[400:], samples[0, 400:])
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("n_samples", [0, 1, 15])
def test_less_than_a_millisecond_is_no_chunk(n_samples):
    cuts, cutter = cut(np.zeros((1, n_samples), np.float32))
    assert (cuts, cutter.duration_ms, cutter.channel_mode) == ([], 0, "mix")


def test_an_incomplete_millisecond_is_left_out():
    (only,), _ = cut(np.zeros((1, 1_000), np.float32))
    assert (only.chunk.end_ms, len(only.clip)) == (62, 62 * 16)


@given(
    edges=st.lists(st.integers(0, 1_000), max_size=20),
    start=st.integers(0, 900),
    length=st.integers(1, 300),
)
def test_a_cut_is_inside_the_window_and_in_silence(edges, start, length):
    spans = [Span(start_ms=min(pair), end_ms=max(pair)) for pair in zip(edges[::2], edges[1::2], strict=False)]
    window = Span(start_ms=start, end_ms=start + length)
    at = choose_cut(spans, window)
    silent = [ms for ms in range(start, start + length) if not any(s.start_ms <= ms < s.end_ms for s in spans)]
    if at is None:
        assert not silent
    else:
        assert window.start_ms <= at < window.end_ms
        assert at in silent


@given(start=st.integers(0, 500), length=st.integers(10, 400))
def test_the_quietest_moment_is_inside_the_window(start, length):
    window = Span(start_ms=start, end_ms=start + length)
    assert start <= quietest_ms(noise(1.0), window) < start + length


def test_clipping_keeps_what_is_inside():
    spans = [Span(start_ms=0, end_ms=10), Span(start_ms=20, end_ms=30), Span(start_ms=40, end_ms=50)]
    assert clipped(spans, Span(start_ms=5, end_ms=25)) == [Span(start_ms=5, end_ms=10), Span(start_ms=20, end_ms=25)]


@pytest.mark.parametrize("lengths", [(600_000, 600_000, 200_000), (1_000, 5_000, 2_000), (600_000, 720_000, 100)])
def test_lengths_that_leave_no_room_are_refused(lengths):
    target, longest, shortest = lengths
    with pytest.raises(ConfigError, match="no room"):
        ChunkOptions(target_ms=target, max_ms=longest, min_ms=shortest)
