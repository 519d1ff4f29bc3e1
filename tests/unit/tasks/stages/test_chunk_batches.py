"""Engines work on one batch while the next is read, and nothing of it shows in the results."""

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from storage.errors import ConfigError
from storage.records import Chunk, ClipContext, Transcript
from tasks.planning.spec import EngineChoice, RunSpec
from tasks.stages.chunk_batches import ChunkBatches
from tasks.stages.engine_set import EngineSet
from tasks.stages.facts import ChunkWork, RecordingFacts

MINUTE_MS = 60_000
SPEC = RunSpec(
    run_id="r",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    archive="archive",
    lake="lake",
    profile="fake",
    batch_minutes=2.0,
    **dict.fromkeys(("detector", "transcriber", "diarizer", "embedder"), EngineChoice(name="fake")),
)


def recording(name="a"):
    recipes = {"probe": "p", "transcribe": "t", "diarize": "d", "fingerprint": "f"}
    return RecordingFacts(archive="archive", source=name, stages=("transcribe",), recipes=recipes)


def work(facts, index, minutes=1):
    chunk = Chunk(channel=0, chunk_index=index, start_ms=0, end_ms=minutes * MINUTE_MS, speech=())
    return ChunkWork(facts=facts, chunk=chunk, clip=np.zeros(16, np.float32), context=ClipContext(speech=()))


@pytest.fixture
def batches(monkeypatch):
    """Return batches whose transcriber waits for ``release`` and keeps the indices of each batch in ``seen``."""
    made = ChunkBatches(SPEC, EngineSet(SPEC), "fake/0")
    made.release, made.seen = threading.Event(), []

    def transcribe(_name, _engine, works, _second_try):
        assert made.release.wait(20)
        made.seen.append([one.chunk.chunk_index for one in works])
        return [Transcript() for _ in works]

    monkeypatch.setattr("tasks.stages.chunk_batches.transcribe_chunks", transcribe)
    yield made
    made.release.set()
    made.close()


def test_the_next_batch_is_read_while_one_is_worked_on(batches):
    facts = recording()
    for index in range(4):
        batches.add(work(facts, index))  # would wait for ever if the first batch were worked on here
    assert batches.seen == []
    batches.release.set()
    batches.finish()
    assert batches.seen == [[0, 1], [2, 3]]


def test_a_long_chunk_is_a_batch_of_its_own(batches):
    batches.release.set()
    facts = recording()
    for index, minutes in enumerate((1, 5, 1, 1)):
        batches.add(work(facts, index, minutes))
    batches.finish()
    assert batches.seen == [[0], [1], [2, 3]]


def test_many_short_chunks_are_bounded_too(batches, monkeypatch):
    monkeypatch.setattr("tasks.stages.chunk_batches._BATCH_CLIPS", 3)
    batches.release.set()
    facts = recording()
    for index in range(7):
        batches.add(work(facts, index, 0))
    batches.finish()
    assert batches.seen == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_is_dropped_is_not_written_any_more(batches):
    bad, good = recording("bad"), recording("good")
    for index, facts in enumerate((bad, good, bad)):
        batches.add(work(facts, index))
    threading.Timer(0.2, batches.release.set).start()
    batches.drop(bad)
    assert batches.seen == [[0, 1]], "the batch in work was not waited for"
    batches.finish()
    assert batches.seen == [[0, 1]]


def test_an_engine_that_cannot_be_loaded_stops_the_caller(batches, monkeypatch):
    def broken(*_):
        raise ConfigError("engine", "no weights")

    monkeypatch.setattr("tasks.stages.chunk_batches.transcribe_chunks", broken)
    batches.add(work(recording(), 0))
    with pytest.raises(ConfigError, match="no weights"):
        batches.finish()
