import pytest

from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.reading.standing import lake_status
from tasks.stages.run_shard import run_shard
from tests.lakes import fake_spec, run_whole, write_archive


@pytest.fixture
def archive(tmp_path):
    return write_archive(tmp_path / "archive")


def test_nothing_is_pending_after_a_run(archive, tmp_path):
    run_whole(fake_spec(archive, tmp_path / "lake"))
    counts = lake_status(str(tmp_path / "lake"))["counts"]
    assert counts["done"].startswith("3 recordings")
    assert counts["pending"].startswith("0 recordings")


def test_what_an_interrupted_run_left_is_pending(archive, tmp_path):
    run_whole(fake_spec(archive, tmp_path / "lake"))
    for number in range(3):
        (archive / f"rec {number}.wav").rename(archive / f"old {number}.wav")
    write_archive(archive, 5)
    plan = plan_run(fake_spec(archive, tmp_path / "lake", shard_minutes=0.001))
    write_plan(plan)
    run_shard(plan.spec.lake, plan.spec.run_id, 0)
    pending = lake_status(str(tmp_path / "lake"))["counts"]["pending"]
    taken = len(plan.shards[0].recordings)
    assert pending.startswith(f"{8 - taken} recordings")
