"""Every millisecond is accounted for, and what is not is said: over lakes, whole and damaged."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.cli import status
from storage.errors import ConfigError
from storage.lake import Lake
from storage.runs import RunRecord
from storage.schemas import PARTS
from tasks.audio.chunking import ChunkOptions
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice
from tasks.reading.accounting import coverage_json, prove_coverage
from tasks.stages.run_shard import run_shard
from tests.lakes import conversation, fake_spec, query, run_whole, write_archive, write_wav
from tests.tones import spoken, tone_clip


def problems(lake, recording=None):
    return [(one.source, one.problem) for one in prove_coverage(str(lake), recording).problems]


def by_status(lake, recording=None):
    return {one.status: one.duration_ms for one in prove_coverage(str(lake), recording).statuses}


@pytest.fixture
def archive(tmp_path):
    """A conversation, a call with a channel for each, a recording of which one chunk fails, and one that is none."""
    folder = tmp_path / "archive"
    write_wav(folder / "talk.wav", conversation(300, 900))
    left = tone_clip(20_000, [*spoken(500, 300, 10), *spoken(10_000, 300, 8)])
    right = tone_clip(20_000, [*spoken(5_000, 900, 10), *spoken(14_000, 900, 8)])
    write_wav(folder / "call.wav", left, right)
    write_wav(folder / "half.wav", tone_clip(30_000, [*spoken(500, 300, 20), *spoken(20_000, 3300, 20)]))
    (folder / "noise.flac").write_bytes(bytes(range(256)) * 40)
    return folder


@pytest.fixture
def lake(archive, tmp_path):
    spec = fake_spec(
        archive,
        tmp_path / "lake",
        transcriber=EngineChoice(name="fake", options={"fail_on_hz": 3300}),
        chunking=ChunkOptions(target_ms=10_000, max_ms=13_000, min_ms=2_000),
    )
    run_whole(spec)
    return tmp_path / "lake"


def test_sums_equal_durations_and_what_could_not_be_read_is_said(lake):
    proof = prove_coverage(str(lake))
    ((duration_ms,),) = query(lake, "SELECT sum(duration_ms) FROM recordings")
    assert proof.covered_ms == proof.duration_ms == duration_ms
    assert {one.status for one in proof.statuses} == {"failed", "silence", "speech"}
    assert problems(lake) == [("noise.flac", "unreadable")]
    assert not proof.is_complete


@pytest.mark.parametrize("source", ["talk.wav", "call.wav", "half.wav"])
def test_a_recording_is_proved_by_source_and_by_id(lake, source):
    ((recording_id, duration_ms),) = query(
        lake, f"SELECT recording_id, duration_ms FROM recordings WHERE source = '{source}'"
    )
    for name in (source, recording_id):
        proof = prove_coverage(str(lake), name)
        assert (proof.n_recordings, proof.duration_ms, proof.is_complete) == (1, duration_ms, True)
        assert sum(by_status(lake, name).values()) == duration_ms


def test_a_failed_chunk_is_accounted_for_as_failed(lake):
    ((start_ms, end_ms),) = query(lake, "SELECT start_ms, end_ms FROM failures WHERE source = 'half.wav'")
    assert by_status(lake, "half.wav")["failed"] == end_ms - start_ms > 0


def test_a_recording_nobody_knows_is_an_error(lake):
    with pytest.raises(ConfigError, match="not in the lake"):
        prove_coverage(str(lake), "nothing.wav")


def test_a_copy_is_found_under_each_of_its_names(tmp_path):
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / "archive" / name, conversation(300))
    run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake"))
    assert prove_coverage(str(tmp_path / "lake"), "b.wav").n_recordings == 1
    assert prove_coverage(str(tmp_path / "lake")).n_recordings == 1


def test_an_interrupted_run_is_not_complete(tmp_path):
    archive, lake = write_archive(tmp_path / "archive"), tmp_path / "lake"
    plan = plan_run(fake_spec(archive, lake, shard_minutes=0.001))
    write_plan(plan)
    run_shard(plan.spec.lake, plan.spec.run_id, 0)
    started = RunRecord(
        run_id=plan.spec.run_id, started_at=plan.spec.started_at, profile="fake", settings={}, versions={}
    )
    Lake(str(lake)).write_run(started)
    taken = {one.obj.source for one in plan.shards[0].recordings}
    told = {"pending": set(), "unpublished": set()}
    for source, problem in problems(lake):
        told[problem].add(source)
    assert told == {"unpublished": taken, "pending": {f"rec {n}.wav" for n in range(3)} - taken}
    run_whole(fake_spec(archive, lake))
    assert prove_coverage(str(lake)).is_complete


def test_a_file_that_cannot_be_opened_is_not_complete(tmp_path):
    archive = write_archive(tmp_path / "archive", 1)
    (archive / "link.wav").symlink_to(write_wav(tmp_path / "outside.wav", conversation(300)))
    run_whole(fake_spec(archive, tmp_path / "lake"))
    assert problems(tmp_path / "lake") == [("link.wav", "unread")]
    assert problems(tmp_path / "lake", "rec 0.wav") == []
    assert problems(tmp_path / "lake", "link.wav") == [("link.wav", "unread")]


def test_a_recording_that_breaks_off_says_from_where(tmp_path):
    whole = write_wav(tmp_path / "archive" / "cut.wav", conversation(300, 900)).read_bytes()
    (tmp_path / "archive" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    run_whole(fake_spec(tmp_path / "archive", tmp_path / "lake"))
    (problem,) = prove_coverage(str(tmp_path / "lake")).problems
    ((status_, duration_ms),) = query(tmp_path / "lake", "SELECT status, duration_ms FROM recordings")
    assert (status_, problem.problem, problem.start_ms) == ("partial", "partial", duration_ms)


def test_the_command_says_it_for_people_and_for_programs(lake, tmp_path, capsys):
    assert status(str(lake), coverage=True, json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == coverage_json(prove_coverage(str(lake)))
    assert sum(one["share"] for one in told["statuses"]) == pytest.approx(1, abs=1e-5)
    assert status(str(lake), coverage=True, json=False) == 1
    assert "noise.flac" in capsys.readouterr().out
    assert status(str(lake), coverage=True, recording="call.wav", json=False) == 0
    assert "complete" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="--coverage"):
        status(str(lake), recording="call.wav")


# ---- damaged lakes


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A lake of one recording, and the file of its coverage, to be overwritten."""
    root = tmp_path_factory.mktemp("small")
    write_wav(root / "archive" / "talk.wav", conversation(300))
    run_whole(fake_spec(root / "archive", root / "lake"))
    lake = Lake(str(root / "lake"))
    (part,) = lake.latest_publication().parts
    file = root / "lake" / part.files["coverage"]
    ((duration_ms,),) = query(root / "lake", "SELECT duration_ms FROM recordings")
    return root / "lake", file, pq.read_table(file), duration_ms


def told_of(small, spans):
    """Return what is told of the lake with these spans in the place of its own."""
    lake, file, before, _ = small
    columns = {name: [before[name][0].as_py()] * len(spans) for name in before.column_names}
    columns |= {"start_ms": [start for start, _ in spans], "end_ms": [end for _, end in spans]}
    pq.write_table(pa.table(columns, schema=PARTS["coverage"]), file)
    proof = prove_coverage(str(lake))
    return proof, sorted((one.problem, one.start_ms, one.end_ms) for one in proof.problems)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, "end")], []),
        ([(1_000, "end"), (0, 1_000)], []),
        ([], [("gap", 0, "end")]),
        ([(0, 1_000)], [("gap", 1_000, "end")]),
        ([(500, "end")], [("gap", 0, 500)]),
        ([(0, 1_000), (1_200, "end")], [("gap", 1_000, 1_200)]),
        ([(0, 1_000), (800, "end")], [("overlap", 800, 1_000)]),
        ([(0, 900), (900, 950), (900, 950), (1_000, "end")], [("gap", 950, 1_000), ("overlap", 900, 950)]),
        ([(0, 1_000), (1_000, 1_000), (1_000, "end")], [("empty", 1_000, 1_000)]),
        ([(0, "beyond")], [("beyond_end", "end", "beyond")]),
    ],
)  # fmt: skip
def test_gaps_and_overlaps_are_told_even_where_the_sum_is_right(small, spans, expected):
    end = small[3]
    places = {"end": end, "beyond": end + 500}
    proof, told = told_of(small, [tuple(places.get(at, at) for at in span) for span in spans])
    assert told == [tuple(places.get(at, at) for at in one) for one in expected]
    assert proof.is_complete == (not expected)


NUDGES = st.none() | st.tuples(st.integers(0, 11), st.integers(-2, 2), st.integers(-2, 2))


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 11), max_size=4), NUDGES, st.randoms(use_true_random=False))
def test_complete_is_said_of_tilings_and_of_nothing_else(small, cuts, nudge, random):
    """Spans are drawn in twelfths of the recording, one perhaps a little off; a count of every twelfth decides."""
    edges = [0, *sorted(cuts), 12]
    steps = list(pairwise(edges))
    random.shuffle(steps)
    if nudge is not None:
        place, start_by, end_by = nudge
        start, stop = steps[place % len(steps)]
        steps[place % len(steps)] = (min(max(start + start_by, 0), 12), min(max(stop + end_by, 0), 12))
    counts = np.zeros(12, int)
    for start, stop in steps:
        counts[start:stop] += 1
    duration_ms = small[3]
    proof, _ = told_of(small, [(start * duration_ms // 12, stop * duration_ms // 12) for start, stop in steps])
    assert proof.is_complete == (bool((counts == 1).all()) and all(start < stop for start, stop in steps))
