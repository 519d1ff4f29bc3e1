"""Runs that overlap: the lake ends as if one had run after the other."""

import pytest

from tasks.linking.lake import link_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.publishing.publish import publish_lake
from tasks.stages.run_shard import run_shard
from tests.lakes import conversation, fake_spec, lake_rows, query, run_whole, write_archive, write_wav


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive")


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "lake"


def take_shards(spec):
    """Plan a run and process its shards, without the reduce."""
    plan = plan_run(spec)
    write_plan(plan)
    for index in range(len(plan.shards)):
        run_shard(plan.spec.lake, spec.run_id, index)
    return plan


def test_what_is_committed_while_another_run_publishes_waits_for_its_speakers(archive, lake, tmp_path):
    slow = fake_spec(archive, lake)
    take_shards(slow)
    linked = link_lake(str(lake), slow.run_id)
    write_wav(archive / "new.wav", conversation(300, 2700))
    take_shards(fake_spec(archive, lake))
    publish_lake(str(lake), slow.run_id, linked)
    assert query(lake, "SELECT count(*) FROM recordings") == [(3,)]
    last = run_whole(fake_spec(archive, lake))
    assert last.plan.shards == ()
    assert last.published is not None
    run_whole(fake_spec(archive, tmp_path / "alone"))
    assert lake_rows(lake) == lake_rows(tmp_path / "alone")


def test_a_shard_that_is_taken_again_does_nothing_twice(archive, lake):
    spec = fake_spec(archive, lake, commit_minutes=0.0)
    take_shards(spec)
    again = run_shard(str(lake), spec.run_id, 0)
    assert again.stage_ms == {}
    assert again.n_duplicates == 0


def test_a_shard_that_another_run_has_finished_is_left_alone(archive, lake):
    early, late = fake_spec(archive, lake), fake_spec(archive, lake)
    write_plan(plan_run(late))
    take_shards(early)
    assert run_shard(str(lake), late.run_id, 0).stage_ms == {}
