"""Archive and lake on S3: the same rows as on a disk, and everything that people do with a lake."""

import shutil

import pytest

from flows.job import reduce_lake
from flows.local import run_local
from storage.catalog import open_catalog
from storage.lake import Lake
from storage.store import Store
from tasks.linking.lake import link_lake
from tasks.planning.plan import plan_run
from tasks.planning.plan_files import write_plan
from tasks.publishing.publish import publish_lake
from tasks.reading.export import export_lake
from tasks.reading.standing import lake_status
from tasks.stages.run_shard import run_shard
from tests import archives
from tests.lakes import PASSING, conversation, fake_spec, lake_rows, query, run_whole, write_wav


def rows_of(lake):
    """Return all rows, but for where the archive is."""
    return lake_rows(lake, passing=PASSING | {"archive"})


def test_the_whole_way(archive, upload, bucket, tmp_path):
    far, lake = upload(archive), f"{bucket}/lake"
    first = run_whole(fake_spec(far, lake))
    assert first.shards.n_recordings == 3
    run_whole(fake_spec(archive, tmp_path / "lake"))
    assert rows_of(lake) == rows_of(tmp_path / "lake")

    assert run_whole(fake_spec(far, lake)).plan.is_current

    write_wav(archive / "new.wav", conversation(300, 2700))
    upload(archive)
    second = run_whole(fake_spec(far, lake))
    assert [one.obj.source for shard in second.plan.shards for one in shard.recordings] == ["new.wav"]
    run_whole(fake_spec(archive, tmp_path / "lake"))
    assert rows_of(lake) == rows_of(tmp_path / "lake")


def test_a_manifest_finds_what_the_bucket_lists(archive, upload, bucket):
    far = upload(archive)
    sound = (archive / "rec 0.wav").read_bytes()
    for name in ("a//b.wav", "a/b.wav"):
        Store(far).put(name, sound)
    lines = ("source,title", "a//b.wav,Two", "x/../a/./b.wav,One", ".//rec 0.wav,First")
    Store(far).put("manifest.csv", "\n".join(lines).encode())
    listed = plan_run(fake_spec(far, f"{bucket}/lake")).listed
    assert {one.obj.source: one.hints.title for one in listed} == {
        "a//b.wav": "Two",
        "a/b.wav": "One",
        "rec 0.wav": "First",
        "rec 1.wav": None,
        "rec 2.wav": None,
    }


def test_what_people_do_with_a_lake(archive, upload, bucket, tmp_path):
    (archive / "manifest.csv").write_text("source,title\nrec 0.wav,First meeting\n")
    far, lake = upload(archive), f"{bucket}/lake"
    run_whole(fake_spec(far, lake))
    assert query(lake, "SELECT title FROM recordings WHERE title IS NOT NULL") == [("First meeting",)]

    ((speaker_id,),) = query(lake, "SELECT DISTINCT speaker_id FROM words WHERE text LIKE 'v900%'")
    Lake(lake).name_speaker(speaker_id, "Grace")
    with open_catalog(lake) as catalog:
        named = "SELECT count(DISTINCT recording_id) FROM transcripts WHERE speaker_name = 'Grace'"
        assert catalog.execute(named).fetchall() == [(2,)]
        loaded = "SELECT extension_name FROM duckdb_extensions() WHERE loaded AND install_mode <> 'STATICALLY_LINKED'"
        assert catalog.execute(loaded).fetchall() == []
        assert not {"httpfs", "aws"} & {name for (name,) in catalog.execute(loaded).fetchall()}

    assert export_lake(lake, str(tmp_path / "out"), "srt").n_recordings == 3
    assert export_lake(lake, f"{bucket}/out", "srt").n_recordings == 3
    here = (tmp_path / "out" / "rec 0.wav.srt").read_bytes()
    assert here
    assert Store(f"{bucket}/out").read("rec 0.wav.srt") == here

    assert lake_status(lake)["counts"]["done"].startswith("3 recordings")


@pytest.mark.slow
def test_through_worker_processes(upload, bucket, tmp_path):
    here = archives.write_archive(tmp_path / "archive", 3)
    far, lake = upload(here), f"{bucket}/lake"
    summary = run_local(archives.fake_spec(far, lake))
    assert (summary.work.n_recordings, summary.failed, summary.lost) == (4, ("broken.mp3",), ())
    run_whole(archives.fake_spec(here, tmp_path / "lake"))
    assert rows_of(lake) == rows_of(tmp_path / "lake")


def test_two_runs_that_publish_at_once(archive, upload, bucket, monkeypatch):
    far, lake = upload(archive), f"{bucket}/lake"
    run_whole(fake_spec(far, lake))
    shutil.rmtree(archive)
    write_wav(archive / "new.wav", conversation(300, 2700))
    upload(archive)
    publish = Lake.publish

    def overtaken(self, publication):
        monkeypatch.setattr(Lake, "publish", publish)
        run_whole(fake_spec(far, lake))
        return publish(self, publication)

    spec = fake_spec(far, lake)
    write_plan(plan_run(spec))
    run_shard(lake, spec.run_id, 0)
    monkeypatch.setattr(Lake, "publish", overtaken)
    assert reduce_lake(lake, spec.run_id, link_lake, publish_lake).publish.number == 3
    assert query(lake, "SELECT count(*) FROM recordings") == [(4,)]


def test_one_recording_is_an_archive(archive, upload, bucket):
    run_whole(fake_spec(f"{upload(archive)}/rec 1.wav", f"{bucket}/lake"))
    assert query(f"{bucket}/lake", "SELECT source, status FROM recordings") == [("rec 1.wav", "done")]
