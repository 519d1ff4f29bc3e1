"""A run that is watched: its record while it goes and when it ends, however it ends; its log lines; what it changed."""

import logging
import re
import shutil
import time

import pytest

from flows.job import ShardsTaken, Suspended, run_job, take_shards
from flows.local import run_local
from storage.errors import StorageError
from storage.lake import Lake
from storage.runs import RunRecord
from tasks.linking.lake import link_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.publishing.publish import publish_lake
from tasks.reading.standing import lake_status
from tasks.reading.summary_page import failure_rows, summary_page
from tasks.reading.watch import RunWatch
from tasks.stages.run_shard import run_shard
from tasks.stages.shard_report import ShardReport
from tests.archives import conversation, fake_spec, write_archive
from tests.lakes import query, write_wav


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive", n_recordings=3)


@pytest.fixture
def plan(archive, tmp_path):
    planned = plan_run(fake_spec(archive, tmp_path / "lake"))
    write_plan(planned)
    return planned


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr("tasks.reading.watch._SOONEST_S", 0.02)
    monkeypatch.setattr("tasks.reading.watch._EVERY_S", 0.05)


def run_here(spec):
    """Do the whole job in this process: starting workers takes longer than these archives."""
    plan = plan_run(spec)

    def take(tell):
        work = ShardReport()
        for index in range(len(plan.shards)):
            work += run_shard(plan.spec.lake, plan.spec.run_id, index)
            tell(index + 1, work, ())
        return ShardsTaken(work, ())

    return run_job(plan, take=take, link=link_lake, publish=publish_lake, show=lambda _: None, runner="here")


def first_record(plan):
    spec = plan.spec
    return RunRecord(run_id=spec.run_id, started_at=spec.started_at, profile="fake", settings={}, versions={})


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it never came true")


def test_a_run_that_goes_says_how_far_it_is(plan, quickly):
    lake, shown = plan.spec.lake, []
    with RunWatch(plan, first_record(plan), shown.append) as watch:
        assert query(lake, "SELECT status, n_shards, n_shards_done FROM runs") == [("running", len(plan.shards), 0)]
        report = run_shard(lake, plan.spec.run_id, 0)
        watch.tell(1, report, ())
        wait_until(lambda: shown and shown[-1].n_shards_done == 1 and shown[-1].n_recordings_done)
        progress = shown[-1]
        assert progress.audio_done_ms == plan.shards[0].audio_ms
        wait_until(lambda: Lake(lake).runs()[0].n_shards_done == 1)
        ((status, done_ms, left_ms, stages),) = query(
            lake, "SELECT status, audio_ms, audio_left_ms, map_keys(stage_ms) FROM runs"
        )
        assert (status, done_ms, left_ms) == ("running", progress.audio_done_ms, plan.audio_ms - done_ms)
        assert set(stages) >= {"probe", "transcribe", "diarize"}
        assert lake_status(lake)["runs"][0]["status"] == "running"
        watch.end(first_record(plan))
    assert shown[-1].phase == "done"


def test_failures_are_told_while_it_goes(plan, quickly):
    shown = []
    with RunWatch(plan, first_record(plan), shown.append) as watch:
        for index in range(len(plan.shards)):
            run_shard(plan.spec.lake, plan.spec.run_id, index)
        watch.end(first_record(plan))
    (failed,) = shown[-1].failures
    assert (failed.source, failed.stage, failed.error) == ("broken.mp3", "probe", "UnreadableAudio")
    assert (shown[-1].n_failed, shown[-1].percent) == (1, 100)


def test_what_others_commit_is_not_counted(plan, archive, tmp_path, quickly):
    other = plan_run(fake_spec(archive, tmp_path / "lake"))
    write_plan(other)
    shown = []
    with RunWatch(plan, first_record(plan), shown.append) as watch:
        run_shard(other.spec.lake, other.spec.run_id, 0)
        watch.end(first_record(plan))
    assert shown[-1].n_recordings_done == 0


def test_whoever_cannot_be_shown_anything_stops_nothing(plan, quickly):
    def refuse(_progress):
        message = "no server"
        raise ConnectionError(message)

    with RunWatch(plan, first_record(plan), refuse) as watch:
        renewed = Lake(plan.spec.lake).runs()[0].renewed_at
        wait_until(lambda: Lake(plan.spec.lake).runs()[0].renewed_at != renewed)
        watch.end(first_record(plan))


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (StorageError("lake", "is full", "make room"), "failed", "lake: is full; make room"),
        (ValueError("secret"), "failed", "ValueError"),
        (KeyboardInterrupt(), "stopped", "KeyboardInterrupt"),
        (Suspended(), "stopped", "suspended"),
    ],
)
def test_a_run_that_raises_says_why(plan, error, status, reason):
    def fail(_tell):
        raise error

    with pytest.raises(type(error)):
        run_job(plan, take=fail, link=link_lake, publish=publish_lake, show=lambda _: None, runner="local")
    assert query(plan.spec.lake, "SELECT status, error, ended_at IS NULL FROM runs") == [(status, reason, False)]


def test_lost_shards_are_a_failed_run(plan):
    class Lost:
        def result(self):
            raise StorageError("lake", "is gone", "bring it back")

        def add_done_callback(self, call):
            call(self)

    run_job(
        plan,
        take=lambda tell: take_shards(plan, lambda _: Lost(), tell),
        link=link_lake,
        publish=publish_lake,
        show=lambda _: None,
        runner="local",
    )
    ((status, error, n_done),) = query(plan.spec.lake, "SELECT status, error, n_shards_done FROM runs")
    assert (status, n_done) == ("failed", 0)
    assert "is gone" in error


def test_a_finished_run_is_in_sql_as_it_was(archive, tmp_path):
    lake = tmp_path / "lake"
    summary = run_here(fake_spec(archive, lake))
    columns = "status, runner, n_shards, n_shards_done, audio_left_ms, n_failures, publication, changes['n_added']"
    n_shards = summary.n_shards
    assert query(lake, f"SELECT {columns} FROM runs") == [
        ("done_with_failures", "here", n_shards, n_shards, 0, 1, 1, 4)
    ]
    run_here(fake_spec(archive, lake))
    assert query(lake, "SELECT status, n_shards, publication FROM runs ORDER BY started_at DESC LIMIT 1") == [
        ("done_with_failures", 0, None)
    ]


def test_the_summary_says_what_changed_and_since_when_what_failed(archive, tmp_path):
    lake = tmp_path / "lake"
    first = run_here(fake_spec(archive, lake))
    assert first.changes.added.n == 4
    (archive / "folder 0" / "talk 0.wav").rename(archive / "renamed.wav")
    (archive / "folder 1" / "talk 1.wav").unlink()
    write_wav(archive / "new.wav", conversation(4, seconds=20))
    (archive / "also broken.mp3").write_bytes(b"nothing to hear " * 9)
    summary = run_here(fake_spec(archive, lake))
    changes = summary.changes
    assert (changes.added.some, changes.moved.some) == (("also broken.mp3", "new.wav"), ("renamed.wav",))
    assert (changes.gone.some, changes.failed.some) == (("folder 1/talk 1.wav",), ("also broken.mp3",))
    assert (changes.still_failed, changes.added_ms) == (1, 20_000)
    page = summary_page(summary)
    assert "| recordings moved or renamed | 1 |" in page
    assert "**Moved or renamed**: renamed.wav" in page
    assert "- **also broken.mp3**: UnreadableAudio in probe: " in page
    assert "| audio added | 0.3 min |" in page
    since = {row["recording"]: row["since"] for row in failure_rows(summary)}
    assert since.keys() == {"broken.mp3", "also broken.mp3"}
    ((n_earlier,),) = query(lake, "SELECT count(*) FROM failures f WHERE since < (SELECT max(started_at) FROM runs)")
    assert n_earlier == 1


def test_what_heals_is_told(archive, tmp_path):
    lake = tmp_path / "lake"
    run_here(fake_spec(archive, lake))
    shutil.copy(write_wav(tmp_path / "whole.wav", conversation(3)), archive / "broken.mp3")
    changes = run_here(fake_spec(archive, lake)).changes
    assert (changes.recovered.some, changes.failed.n, changes.still_failed) == (("broken.mp3",), 0, 0)


def test_one_line_for_a_shard_one_warning_for_a_failure_and_no_word_that_was_said(archive, tmp_path, our_logs):
    lake = tmp_path / "lake"
    summary = run_local(fake_spec(archive, lake))
    told = {(record.levelno, record.getMessage()) for record in our_logs.records if record.name != "root"}
    infos = [message for level, message in told if level == logging.INFO]
    of_shards = [line for line in infos if re.match(r"shard \d+: \d+ recordings?, ", line)]
    of_stages = [line for line in infos if re.match(r"linking speakers|\d+ speakers?: |publication \d+: ", line)]
    assert len(of_shards) == summary.n_shards
    assert len(of_stages) == 3
    assert len(infos) == summary.n_shards + 3
    (warning,) = [message for level, message in told if level == logging.WARNING]
    assert re.match(r"shard \d+ · broken\.mp3: UnreadableAudio in probe: ", warning)
    words = {word for (word,) in query(lake, "SELECT DISTINCT text FROM words")}
    assert words
    assert not words & set(re.findall(r"\w+", " ".join(message for _, message in told)))


def test_a_run_of_no_shards_is_not_watched(archive, tmp_path):
    run_here(fake_spec(archive, tmp_path / "lake"))
    shown, plan = [], plan_run(fake_spec(archive, tmp_path / "lake"))
    assert plan.is_current
    run_job(plan, take=pytest.fail, link=pytest.fail, publish=pytest.fail, show=shown.append, runner="local")
    assert shown == []
