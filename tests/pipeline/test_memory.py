"""What is in memory does not follow the lake: what publishing reads of parts, what a worker knows of recordings."""

import tracemalloc
from dataclasses import replace

import pyarrow as pa
import pytest

import tasks.publishing.parts as parts_module
from storage.lake import Lake
from storage.recipes import STAGES
from storage.records import SourceHints, SourceObject
from tasks.linking.lake import link_lake
from tasks.planning.plan import ListedSource, RunPlan
from tasks.planning.plan_files import write_plan
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import archive_key
from tasks.publishing.publish import publish_lake
from tests.fact_lakes import sighting
from tests.lakes import fake_spec

N_WORDS = 500
FEW, MANY = 4, 12


def committed(folder, n_recordings, n_words=N_WORDS):
    """Return a written plan of a lake that holds made-up facts, a commit for each five recordings."""
    spec = fake_spec(folder / "archive", folder / "lake")
    recipes = RecipeBook(spec).of(SourceHints())
    names = [f"{index:032x}" for index in range(n_recordings)]
    listed = [SourceObject(source=f"{name}.wav", size_bytes=1, mark="m") for name in names]
    plan = RunPlan(
        spec=spec,
        shards=(),
        listed=tuple(ListedSource(obj=one, hints=SourceHints()) for one in listed),
        problems=(),
        n_ignored=0,
        basis="same-same",
        is_current=False,
    )
    write_plan(plan)
    for low in range(0, n_recordings, 5):
        some = names[low : low + 5]
        rows = {
            "recordings": [{"recording_id": one, "status": "done", "duration_ms": 60_000} for one in some],
            "segments": [_piece(one, at) | {"flags": [], "language": "en"} for one in some for at in range(n_words)],
            "words": [_piece(one, at) | {"text": f"word{at}"} for one in some for at in range(n_words)],
        }
        origin = {"recordings": "probe", "segments": "transcribe", "words": "transcribe"}
        for table, stage in origin.items():
            rows[table] = [row | {"recipe": recipes[stage], "run_id": spec.run_id} for row in rows[table]]
        done = [(one, stage, recipes[stage]) for one in some for stage in STAGES]
        seen = [replace(sighting(f"{one}.wav", one), archive=archive_key(spec)) for one in some]
        Lake(spec.lake).write_commit(spec.run_id, rows, done, seen)
    return plan


def _piece(recording_id, at):
    span = {"start_ms": at * 60, "end_ms": at * 60 + 50}
    return {"recording_id": recording_id, "channel": 0, "chunk_index": 0, "segment_index": at} | span


def published_with(folder, n_parts):
    """Publish a lake of so many parts of a recording; return the most memory of tables, in bytes."""
    spec = committed(folder, n_parts).spec
    link = link_lake(spec.lake, spec.run_id)
    before, own = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(own)
    try:
        assert publish_lake(spec.lake, spec.run_id, link).n_parts == n_parts
    finally:
        pa.set_memory_pool(before)
    return own.max_memory()


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr("tasks.publishing.assign._PART_RECORDINGS", 1)
    monkeypatch.setattr(parts_module, "_BATCH_MS", 2 * 60_000)


@pytest.mark.usefixtures("_small_parts")
def test_publishing_many_parts_takes_the_memory_of_few(tmp_path, monkeypatch):
    few = published_with(tmp_path / "few", FEW)
    assert published_with(tmp_path / "many", MANY) < 1.25 * few
    monkeypatch.setattr(parts_module, "_BATCH_MS", 1_000 * 60_000)
    assert published_with(tmp_path / "together", MANY) > 2 * few  # so it would show


def test_what_is_known_of_a_recording_is_small(tmp_path):
    count = 2_000
    lake = Lake(committed(tmp_path, count, n_words=0).spec.lake)
    tracemalloc.start()
    try:
        state = lake.state()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(state.done) == len(STAGES) * count
    assert size < 800 * count
