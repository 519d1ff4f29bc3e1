"""The whole job without Prefect: complete, repeatable, and no more work than needed."""

import shutil

import pytest

from flows.job import installed_versions
from flows.local import run_local
from storage.errors import ConfigError, WorkerHung
from storage.lake import Lake
from tasks.planning.plan import plan_run
from tests.archives import committed_facts, conversation, fake_spec, n_commits, published_rows, write_archive
from tests.lakes import write_wav
from tests.tones import spoken, tone_clip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An archive and a lake made of it by two workers."""
    root = tmp_path_factory.mktemp("finished")
    archive, lake = write_archive(root / "archive"), root / "lake"
    return archive, lake, run_local(fake_spec(archive, lake))


def test_everything_is_there(finished):
    _, lake, summary = finished
    rows = published_rows(lake)
    assert len(rows["recordings"]) == 7
    assert len(rows["failures"]) == 1
    assert summary.failed == ("broken.mp3",)
    assert summary.work.n_recordings == 7
    assert not summary.lost
    assert all(rows[view] for view in ("transcripts", "words", "turns", "fingerprints", "speakers", "coverage"))


def test_the_run_is_on_record(finished):
    archive, lake, summary = finished
    (record,) = Lake(str(lake)).runs()
    assert record.ended_at
    assert record.counts["n_recordings"] == 7
    assert record.counts["n_failed"] == 1
    assert record.audio_ms == summary.work.audio_ms == sum(1000 * (12 + index) for index in range(6))
    assert record.settings["archive"] == str(archive)
    assert record.versions == installed_versions()


def test_one_worker_makes_the_same_rows_as_two(finished, tmp_path):
    archive, lake, _ = finished
    run_local(fake_spec(archive, tmp_path / "lake", workers=1, shard_minutes=60.0))
    assert published_rows(tmp_path / "lake") == published_rows(lake)
    assert committed_facts(tmp_path / "lake") == committed_facts(lake)


def test_nothing_to_do_starts_no_worker_and_publishes_nothing(finished, monkeypatch):
    archive, lake, _ = finished
    monkeypatch.setattr("tasks.workers._Worker.__init__", lambda *_: pytest.fail("a worker was started"))
    before, number = n_commits(lake), Lake(str(lake)).latest_publication().number
    summary = run_local(fake_spec(archive, lake))
    assert summary.is_current
    assert summary.failed == ("broken.mp3",)
    assert (n_commits(lake), Lake(str(lake)).latest_publication().number) == (before, number)


def test_one_new_file_is_only_its_own_work(finished, tmp_path):
    archive = shutil.copytree(finished[0], tmp_path / "archive")
    lake = tmp_path / "lake"
    run_local(fake_spec(archive, lake))
    write_wav(archive / "new.wav", conversation(3, seconds=20))
    plan = plan_run(fake_spec(archive, lake))
    assert [recording.obj.source for shard in plan.shards for recording in shard.recordings] == ["new.wav"]
    assert run_local(fake_spec(archive, lake)).work.n_recordings == 1
    assert len(published_rows(lake)["recordings"]) == 8


def test_another_transcriber_means_no_second_diarization(finished, tmp_path, monkeypatch):
    archive, lake = finished[0], tmp_path / "lake"
    run_local(fake_spec(archive, lake))
    turns = set(Lake(str(lake)).store.list("facts/turns"))
    monkeypatch.setenv("VOXLAKE_TRANSCRIBER__OPTIONS__ACCENT", "!")
    monkeypatch.setenv("VOXLAKE_DIARIZER__OPTIONS", '{"fail_on_hz": 400}')  # changes no recipe, fails when called
    summary = run_local(fake_spec(archive, lake))
    assert summary.failed == ("broken.mp3",)
    assert set(Lake(str(lake)).store.list("facts/turns")) == turns
    assert all("!" in row for row in published_rows(lake)["transcripts"])


def test_other_thresholds_are_only_the_reduce(finished, tmp_path, monkeypatch):
    archive, lake = finished[0], tmp_path / "lake"
    run_local(fake_spec(archive, lake))
    before = n_commits(lake)
    monkeypatch.setenv("VOXLAKE_UTTERANCES__MAX_MS", "2000")
    summary = run_local(fake_spec(archive, lake))
    assert summary.n_shards == 0
    assert summary.publish
    assert n_commits(lake) == before


def test_an_engine_that_is_not_there_stops_the_run_before_it_begins(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXLAKE_TRANSCRIBER__NAME", "nobody")
    with pytest.raises(ConfigError, match="nobody"):
        run_local(fake_spec(finished[0], tmp_path / "lake"))
    assert not (tmp_path / "lake").exists()


def test_a_recording_that_kills_its_worker_costs_only_itself(tmp_path):
    archive, lake = write_archive(tmp_path / "archive"), tmp_path / "lake"
    write_wav(archive / "killer.wav", tone_clip(5_000, spoken(500, 3300, 8)))
    deadly = {"name": "fake", "options": {"kill_on_hz": 3300}}
    summary = run_local(fake_spec(archive, lake, diarizer=deadly))
    assert not summary.lost
    assert summary.failed == ("broken.mp3", "killer.wav")
    assert len(published_rows(lake)["recordings"]) == 7
    healed = run_local(fake_spec(archive, lake))
    assert healed.failed == ("broken.mp3",)
    assert healed.work.n_recordings == 1
    assert len(published_rows(lake)["recordings"]) == 8


def test_a_recording_that_never_ends_costs_only_itself(tmp_path, monkeypatch):
    """Ending what hangs is a matter of ``tasks.workers``, tested there; here nothing is waited for."""
    archive, lake = write_archive(tmp_path / "archive", n_recordings=2), tmp_path / "lake"
    spec = fake_spec(archive, lake, shard_minutes=60.0, workers=1)
    limits = {}

    def call_within(limit_s, function, lake_url, run_id, shard_index, number=None):
        limits[number] = limit_s
        if number in {None, 1}:
            raise WorkerHung("worker 7", "took longer than it may and was ended", "it is tried again")
        return function(lake_url, run_id, shard_index, number)

    monkeypatch.setattr("tasks.stages.take_shard.call_within", call_within)
    summary = run_local(spec)
    assert not summary.lost
    assert summary.failed == ("broken.mp3", "folder 0/talk 0.wav")
    assert [row for row in published_rows(lake)["failures"] if "WorkerHung" in row and "talk 0" in row]
    assert limits == {None: 600 + 20 * 25.064, 0: 600 + 20 * 0.064, 1: 600 + 20 * 12, 2: 600 + 20 * 13}
