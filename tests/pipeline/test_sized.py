"""What must not grow with the archive: what a worker reads for a shard, what a run over finished recordings does."""

from dataclasses import replace

import pytest

import tasks.publishing.parts as parts_module
from flows.cli import status
from storage.lake import Lake
from storage.store import Store
from tasks.linking.lake import link_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import read_listing, read_plan, read_shard, write_plan
from tasks.planning.spec import to_plain
from tasks.publishing.parts import batches
from tasks.publishing.publish import publish_lake
from tasks.reading.summary import MOST_ROWS
from tasks.stages.latest_state import latest_state
from tasks.stages.run_shard import run_shard
from tests.lakes import fake_spec, lake_rows, run_whole, write_archive


@pytest.fixture
def written(tmp_path):
    """A plan of several shards that is written down."""
    spec = fake_spec(write_archive(tmp_path / "archive", 6), tmp_path / "lake", shard_minutes=0.1)
    plan = plan_run(spec)
    write_plan(plan)
    return plan


@pytest.fixture
def reads(monkeypatch):
    """Key and number of bytes of all that is read from lakes."""
    read, seen = Store.read, []

    def watched(self, key, **some):
        data = read(self, key, **some)
        seen.append((key, len(data)))
        return data

    monkeypatch.setattr(Store, "read", watched)
    return seen


def commit_all(plan):
    for index in range(len(plan.shards)):
        run_shard(plan.spec.lake, plan.spec.run_id, index)


# ---- plans


def test_a_plan_is_read_as_it_was_written(written):
    assert len(written.shards) > 2
    assert read_plan(written.spec.lake, written.spec.run_id) == written
    assert read_listing(written.spec.lake, written.spec.run_id) == replace(written, shards=())


def test_plans_of_earlier_versions_are_read(written):
    key = f"plans/{written.spec.run_id}.json"
    Lake(written.spec.lake).store.put_json(key, to_plain(written))
    assert read_plan(written.spec.lake, written.spec.run_id) == written
    assert read_listing(written.spec.lake, written.spec.run_id) == replace(written, shards=())


def test_of_a_plan_a_worker_reads_its_shard_alone(written, reads):
    whole = Lake(written.spec.lake).store.read(f"planned/{written.spec.run_id}.jsonl")
    for index, shard in enumerate(written.shards):
        reads.clear()
        assert read_shard(written.spec.lake, written.spec.run_id, index) == (written.spec, shard)
        assert sum(size for key, size in reads if key.startswith("planned/")) < len(whole) / len(written.shards)


# ---- what is known


def test_a_worker_reads_a_commit_once(written, reads):
    commit_all(written)
    commits = [key for key, _ in reads if key.startswith("commits/")]
    assert len(commits) == len(set(commits)) == len(written.shards) - 1  # nobody needed to read the last


def test_what_a_worker_knows_is_what_the_lake_says(written):
    lake = Lake(written.spec.lake)
    assert latest_state(lake) == lake.state()
    commit_all(written)
    assert latest_state(lake) == lake.state()
    link = link_lake(written.spec.lake, written.spec.run_id)
    publish_lake(written.spec.lake, written.spec.run_id, link)
    assert latest_state(lake) == lake.state()
    assert latest_state(lake).has_unpublished_commits is False


def test_a_commit_that_is_gone_is_not_remembered(written):
    commit_all(written)
    lake = Lake(written.spec.lake)
    first, *_ = sorted(latest_state(lake).commits)
    lake.store.delete(f"commits/{first}.json")
    assert latest_state(lake) == lake.state()
    assert first not in latest_state(lake).commits


# ---- parts


def test_facts_are_read_once_for_many_parts(written, reads, monkeypatch):
    monkeypatch.setattr("tasks.publishing.assign._PART_RECORDINGS", 2)
    commit_all(written)
    link = link_lake(written.spec.lake, written.spec.run_id)
    reads.clear()
    assert publish_lake(written.spec.lake, written.spec.run_id, link).n_parts == 3
    words = [key for key, _ in reads if key.startswith("facts/words/")]
    assert len(words) == len(set(words)) == len(written.shards)


def test_how_many_parts_are_made_together_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.publishing.assign._PART_RECORDINGS", 2)
    archive = write_archive(tmp_path / "archive", 6)
    run_whole(fake_spec(archive, tmp_path / "together"))
    monkeypatch.setattr(parts_module, "_BATCH_MS", 1)
    run_whole(fake_spec(archive, tmp_path / "alone"))
    assert lake_rows(tmp_path / "together") == lake_rows(tmp_path / "alone")


@pytest.mark.parametrize("most", [0, 1, 5, 100])
def test_batches_hold_everything_once_and_no_more_than_they_may(most):
    sizes = [3, 0, 2, 9, 1, 1, 1, 4]
    found = list(batches(sizes, most))
    assert [size for batch in found for size in sizes[batch]] == sizes
    assert all(sum(sizes[batch]) <= most or len(sizes[batch]) == 1 or sum(sizes[batch]) == 0 for batch in found)
    assert list(batches([], most)) == []


# ---- many recordings


def test_a_thousand_that_failed_for_good_are_left_alone_and_told_in_brief(tmp_path, reads, capsys):
    archive, lake = write_archive(tmp_path / "archive", 2), tmp_path / "lake"
    for index in range(1_000):
        (archive / f"broken {index}.wav").write_bytes(b"no sound %d" % index)
    first = run_whole(fake_spec(archive, lake, commit_minutes=2.0))
    assert (first.shards.n_recordings, first.shards.n_failures, first.published.n_failed) == (1_002, 1_000, 1_000)
    assert len(Lake(str(lake)).store.list("commits")) > 3
    reads.clear()
    again = run_whole(fake_spec(archive, lake))
    assert again.plan.is_current
    assert again.plan.shards == ()
    assert not any(key.startswith(("facts/", "commits/", "published/words/")) for key, _ in reads)
    status(str(lake), json=False)
    told = capsys.readouterr().out
    assert f"failures, the first {MOST_ROWS} of 1,000" in told
    assert told.count("broken ") == MOST_ROWS
