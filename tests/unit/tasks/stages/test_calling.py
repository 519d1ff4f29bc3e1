import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import ConfigError, EngineBrokePromise, EngineError, EngineOutOfMemory
from storage.records import Diarization, Segment, Transcript, Turn, Word
from tasks.stages.calling import call_each, check_diarization, check_fingerprint, check_transcript

CLIP = np.zeros(16_000, np.float32)


@given(st.integers(0, 20), st.sets(st.integers(0, 20)))
def test_only_the_bad_clips_fail(n, bad):
    def call(indices):
        if set(indices) & bad:
            raise EngineError("e", "p")
        return [index * 10 for index in indices]

    results = call_each("e", call, range(n))
    assert len(results) == n
    for index, result in enumerate(results):
        assert isinstance(result, EngineError) if index in bad else result == index * 10


def test_out_of_memory_halves_the_batch():
    sizes = []

    def call(indices):
        sizes.append(len(indices))
        if len(indices) > 2:
            raise EngineOutOfMemory("e", "full")
        return list(indices)

    assert call_each("e", call, range(8)) == list(range(8))
    assert sizes == [8, 4, 2, 2, 4, 2, 2]


def test_whatever_a_vendor_raises_becomes_an_engine_error():
    def call(_indices):
        raise ZeroDivisionError("inside")

    (result,) = call_each("e", call, [0])
    assert isinstance(result, EngineError)
    assert "ZeroDivisionError: inside" in str(result)


def test_an_error_of_ours_that_is_no_engine_error_passes():
    def call(_indices):
        raise ConfigError("s", "p")

    with pytest.raises(ConfigError):
        call_each("e", call, [0])


def test_too_few_results_break_the_promise():
    results = call_each("e", lambda _indices: [], range(2))
    assert [type(result) for result in results] == [EngineBrokePromise] * 2


def word(start_ms, end_ms, segment_index=0):
    return Word(start_ms=start_ms, end_ms=end_ms, text="x", segment_index=segment_index)


@pytest.mark.parametrize(
    "words",
    [[word(0, 1001)], [word(500, 600), word(400, 700)], [word(0, 10, segment_index=1)]],
    ids=["leaves the clip", "goes backwards", "no such segment"],
)
def test_transcripts_are_checked(words):
    transcript = Transcript(words=tuple(words), segments=(Segment(start_ms=0, end_ms=1000),))
    with pytest.raises(EngineBrokePromise):
        check_transcript("e", transcript, CLIP)


def test_exclusive_turns_do_not_overlap():
    turns = (Turn(start_ms=0, end_ms=500, speaker="A"), Turn(start_ms=400, end_ms=600, speaker="B"))
    assert check_diarization("e", Diarization(turns=turns, exclusive=()), CLIP)
    with pytest.raises(EngineBrokePromise):
        check_diarization("e", Diarization(turns=turns, exclusive=turns), CLIP)


def test_fingerprints_have_unit_length():
    assert check_fingerprint("e", np.array([0.6, 0.8], np.float32)) is not None
    assert check_fingerprint("e", np.array([np.nan, 0.8], np.float32)) is None
    with pytest.raises(EngineBrokePromise):
        check_fingerprint("e", np.array([3.0, 4.0], np.float32))


def test_out_of_memory_gives_back_what_others_hold_and_tries_a_single_clip_again(monkeypatch):
    freed = []
    monkeypatch.setattr("tasks.stages.calling.free_memory", lambda: freed.append(1))

    def call(indices):
        if not freed:
            raise EngineOutOfMemory("e", "full")
        return list(indices)

    assert call_each("e", call, [0]) == [0]
    assert freed == [1]


def test_a_clip_that_never_fits_fails_alone(monkeypatch):
    monkeypatch.setattr("tasks.stages.calling.free_memory", lambda: None)

    def call(indices):
        if 2 in indices:
            raise EngineOutOfMemory("e", "full")
        return list(indices)

    results = call_each("e", call, range(4))
    assert [type(result) for result in results] == [int, int, EngineOutOfMemory, int]
