from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Chunk, ClipContext, Diarization, Span, Turn
from tasks.engines.fake import FakeEmbedder
from tasks.stages.facts import ChunkWork, RecordingFacts
from tasks.stages.fingerprint import choose_speech, clean_spans, fingerprint_chunks
from tests.tones import spoken, tone_clip

spans = st.tuples(st.integers(0, 60), st.integers(0, 20), st.sampled_from("ABC")).map(
    lambda drawn: Turn(start_ms=drawn[0], end_ms=drawn[0] + drawn[1], speaker=drawn[2])
)


@given(st.lists(spans, max_size=12))
def test_clean_speech_is_exactly_what_nobody_talks_over(turns):
    clean = clean_spans(turns, "A")
    covered = {ms for span in clean for ms in range(span.start_ms, span.end_ms)}
    expected = {
        ms for ms in range(90) if {turn.speaker for turn in turns if turn.start_ms <= ms < turn.end_ms} == {"A"}
    }
    assert covered == expected
    assert all(earlier.end_ms < later.start_ms for earlier, later in pairwise(clean))
    assert all(span.duration_ms > 0 for span in clean)


@given(st.lists(st.integers(1, 50), max_size=10), st.integers(1, 200))
def test_chosen_speech_is_as_much_as_allowed(lengths, longest_ms):
    given_spans, at = [], 0
    for length in lengths:
        given_spans.append(Span(start_ms=at, end_ms=at + length))
        at += length + 1
    chosen = choose_speech(given_spans, longest_ms)
    assert sum(span.duration_ms for span in chosen) == min(sum(lengths), longest_ms)
    assert chosen == sorted(chosen)


def work_of(clip, turns):
    chunk = Chunk(channel=0, chunk_index=3, start_ms=7000, end_ms=7000 + len(clip) // 16, speech=())
    recipes = {stage: stage for stage in ("probe", "transcribe", "diarize", "fingerprint")}
    facts = RecordingFacts(archive="a", source="s", stages=("fingerprint",), recipes=recipes)
    work = ChunkWork(facts=facts, chunk=chunk, clip=clip, context=ClipContext(speech=()))
    return work, Diarization(turns=tuple(turns), exclusive=())


def test_a_label_with_too_little_speech_has_no_vector_but_is_known():
    clip = tone_clip(4000, [*spoken(0, 400, 8), (3000, 3300, 900)])
    turns = [Turn(start_ms=0, end_ms=2000, speaker="X"), Turn(start_ms=3000, end_ms=3300, speaker="Y")]
    work, diarization = work_of(clip, turns)
    embedder = FakeEmbedder.from_options({}, device="cpu")
    fingerprint_chunks("fake", "fake/0", embedder, [work], [diarization])
    x, y = work.facts.rows["fingerprints"]
    assert (x["label"], x["start_ms"], x["turn_ms"], x["speech_ms"]) == ("X", 7000, 2000, 2000)
    assert np.isclose(np.linalg.norm(x["vector"]), 1)
    assert (y["label"], y["start_ms"], y["turn_ms"], y["vector"]) == ("Y", 10000, 300, None)


def test_a_fingerprint_tells_how_sure_the_diarizer_was_of_what_is_under_it():
    clip = tone_clip(4000, spoken(0, 400, 8))
    turns = [
        Turn(start_ms=0, end_ms=1000, speaker="X", confidence=0.9),
        Turn(start_ms=1000, end_ms=1500, speaker="X", confidence=0.6),
        Turn(start_ms=1500, end_ms=2000, speaker="X"),
        Turn(start_ms=2000, end_ms=3000, speaker="Y"),
    ]
    work, diarization = work_of(clip, turns)
    fingerprint_chunks("fake", "fake/0", FakeEmbedder.from_options({}, device="cpu"), [work], [diarization])
    x, y = work.facts.rows["fingerprints"]
    assert (x["activity"], y["activity"]) == (pytest.approx(0.8), None)


def test_an_embedder_that_fails_is_a_failure_and_loses_nobody():
    clip = tone_clip(4000, spoken(0, 400, 8))
    work, diarization = work_of(clip, [Turn(start_ms=0, end_ms=2000, speaker="X")])
    embedder = FakeEmbedder.from_options({"fail_on_hz": 400}, device="cpu")
    fingerprint_chunks("fake", "fake/0", embedder, [work], [diarization])
    assert work.facts.rows["fingerprints"][0]["vector"] is None
    assert work.facts.failures[0]["error"] == "EngineError"
