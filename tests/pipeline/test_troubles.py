"""Engines that fail in part: what can be had is shown, the rest is said, and the next run heals it."""

from dataclasses import replace

import pytest

from storage.records import Diarization
from tasks.audio.chunking import ChunkOptions
from tasks.engines.fake import FakeDiarizer, FakeEmbedder
from tasks.planning.spec import EngineChoice
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav
from tests.tones import spoken, tone_clip

SHORT_CHUNKS = ChunkOptions(target_ms=10_000, max_ms=12_500, min_ms=2_000)


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive")


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "lake"


def crowded(voice_hz):
    return EngineChoice(name="fake", options={"out_of_memory_on_hz": voice_hz})


def failing(voice_hz):
    return EngineChoice(name="fake", options={"fail_on_hz": voice_hz})


def write_two_chunks(folder):
    """Write a recording whose second voice is heard in its last chunk only."""
    turns = [sound for i in range(7) for sound in spoken(500 + 3_000 * i, 300, 6)]
    write_wav(folder / "long.wav", tone_clip(30_000, [*turns, *spoken(24_000, 900, 12)]))
    return folder


@pytest.mark.parametrize("engine", ["transcriber", "diarizer", "embedder"])
def test_a_passing_trouble_of_any_engine_is_healed_by_the_next_run(tmp_path, lake, engine):
    archive = write_two_chunks(tmp_path / "archive")
    spec = fake_spec(archive, lake, chunking=SHORT_CHUNKS)
    run_whole(replace(spec, **{engine: crowded(900)}))
    assert query(lake, "SELECT DISTINCT error, is_transient FROM failures") == [("EngineOutOfMemory", True)]
    run_whole(replace(spec, run_id="next"))
    undisturbed = tmp_path / "undisturbed"
    run_whole(fake_spec(archive, undisturbed, chunking=SHORT_CHUNKS))
    assert lake_rows(lake) == lake_rows(undisturbed)


@pytest.mark.parametrize("engine", ["transcriber", "diarizer", "embedder"])
def test_a_lasting_trouble_of_one_chunk_leaves_the_others(tmp_path, lake, engine):
    archive = write_two_chunks(tmp_path / "archive")
    spec = fake_spec(archive, lake, chunking=SHORT_CHUNKS)
    run_whole(replace(spec, **{engine: failing(900)}))
    stage = {"transcriber": "transcribe", "diarizer": "diarize", "embedder": "fingerprint"}[engine]
    assert query(lake, "SELECT DISTINCT stage, error, is_transient, start_ms > 0 FROM failures") == [
        (stage, "EngineError", False, True)
    ]
    assert query(lake, "SELECT count(*) >= 36 FROM words WHERE text LIKE 'v300%' AND speaker_id IS NOT NULL") == [
        (True,)
    ]
    assert run_whole(replace(spec, run_id="next")).plan.is_current


def test_a_retry_that_succeeds_in_part_mixes_nothing(tmp_path, lake):
    archive = write_two_chunks(tmp_path / "archive")
    spec = fake_spec(archive, lake, chunking=SHORT_CHUNKS)
    run_whole(replace(spec, diarizer=failing(900)))
    before = lake_rows(lake)
    run_whole(fake_spec(archive, lake, chunking=SHORT_CHUNKS, retry_failed=True, embedder=crowded(900)))
    assert lake_rows(lake, ["words", "turns", "fingerprints"]).items() <= before.items()
    run_whole(fake_spec(archive, lake, chunking=SHORT_CHUNKS, retry_failed=True))
    assert query(lake, "SELECT count(*) FROM words WHERE speaker_id IS NULL") == [(0,)]
    assert query(lake, "SELECT count(*) FROM failures") == [(0,)]


def test_a_detector_that_fails_costs_one_recording(archive, lake):
    write_wav(archive / "bad.wav", conversation(3300, 300))
    spec = fake_spec(archive, lake)
    assert run_whole(replace(spec, detector=failing(3300))).published.n_failed == 1
    assert query(lake, "SELECT source, stage, error FROM failures") == [("bad.wav", "probe", "EngineError")]
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(3,)]


def test_a_detector_that_raises_anything_costs_one_recording(archive, lake, monkeypatch):
    write_wav(archive / "bad.wav", conversation(3300, 300))

    def detect(self, clip):
        raise IndexError("a vendor's surprise")

    monkeypatch.setattr("tasks.engines.fake.FakeDetector.detect", detect)
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT DISTINCT stage, error FROM failures") == [("probe", "EngineError")]
    assert query(lake, "SELECT count(*) FROM failures WHERE message LIKE 'IndexError%'") == [(4,)]


def test_an_engine_with_too_few_results_costs_its_clips(archive, lake, monkeypatch):
    monkeypatch.setattr(FakeDiarizer, "diarize", lambda self, clips, contexts: [])
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT DISTINCT stage, error FROM failures") == [("diarize", "EngineBrokePromise")]
    assert query(lake, "SELECT count(DISTINCT source) FROM words") == [(3,)]


def test_an_exclusive_turn_of_nobody_is_a_broken_promise(archive, lake, monkeypatch):
    honest = FakeDiarizer.diarize

    def diarize(self, clips, contexts):
        found = honest(self, clips, contexts)
        return [Diarization(turns=(), exclusive=one.exclusive) for one in found]

    monkeypatch.setattr(FakeDiarizer, "diarize", diarize)
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT DISTINCT stage, error FROM failures") == [("diarize", "EngineBrokePromise")]


def test_what_a_diarizer_says_of_itself_stands_on_its_turns(archive, lake, monkeypatch):
    honest = FakeDiarizer.diarize

    def diarize(self, clips, contexts):
        return [replace(found, flags=("speaker_limit",)) for found in honest(self, clips, contexts)]

    monkeypatch.setattr(FakeDiarizer, "diarize", diarize)
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT DISTINCT flags FROM turns") == [(["speaker_limit"],)]


def test_fingerprints_of_a_renamed_recording_come_from_its_stored_turns(archive, lake, monkeypatch):
    run_whole(fake_spec(archive, lake))
    (archive / "rec 1.wav").rename(archive / "renamed.wav")
    monkeypatch.setattr("tasks.planning.recipes._FINGERPRINT_RULES", 99)
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT count(*) FROM words WHERE speaker_id IS NULL") == [(0,)]


def test_voices_without_fingerprints_keep_their_turns(archive, lake, monkeypatch):
    monkeypatch.setattr(FakeEmbedder, "embed", lambda self, clips: [])
    run_whole(fake_spec(archive, lake))
    assert query(lake, "SELECT DISTINCT stage, error FROM failures") == [("fingerprint", "EngineBrokePromise")]
    assert query(lake, "SELECT count(*) > 0 FROM turns") == [(True,)]
    assert query(lake, "SELECT DISTINCT reason FROM links") == [("no_fingerprint",)]


def test_every_name_of_unreadable_bytes_is_a_failure(archive, lake):
    for name in ("one.wav", "box/two.empty", "three.mp3"):
        path = archive / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    first = run_whole(fake_spec(archive, lake))
    assert first.published.n_failed == 3
    sources = "SELECT source FROM failures ORDER BY source"
    assert query(lake, sources) == [("box/two.empty",), ("one.wav",), ("three.mp3",)]
    assert query(lake, "SELECT count(*) FROM recordings WHERE status = 'failed'") == [(1,)]
    (archive / "one.wav").unlink()
    run_whole(fake_spec(archive, lake))
    assert query(lake, sources) == [("box/two.empty",), ("three.mp3",)]
