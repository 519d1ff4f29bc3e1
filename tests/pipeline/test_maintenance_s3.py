"""Maintenance of a lake behind a real S3 protocol: listings with times, row groups by ranges, many deletes."""

import uuid

import pytest

from storage.lake import Lake
from tasks.maintenance.maintain import maintain_lake
from tests.fact_lakes import commit_words, publish_index, what_is_read


@pytest.fixture
def lake(monkeypatch):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    opened = Lake(f"s3://{bucket}/lake")
    opened.store.fs.mkdir(bucket)
    yield opened
    opened.store.fs.clear_instance_cache()
    server.stop()


def test_a_lake_on_s3_is_maintained(lake):
    for at, recording_id in enumerate("ABCD"):
        commit_words(lake, recording_id, [recording_id, "x"], run_id=f"run{at}", fails=True)
    publish_index(lake)
    commit_words(lake, "A", ["again"])
    expected = what_is_read(lake, lake.state())
    assert maintain_lake(lake.url, is_dry_run=True).compacted.n_commits == 5
    assert maintain_lake(lake.url).deleted == {}
    assert what_is_read(lake, lake.state()) == expected
    assert maintain_lake(lake.url, grace_days=0.0).deleted == {"commits": 5, "facts": 9}
    assert what_is_read(lake, lake.state()) == expected
    assert lake.store.list("commits") == []
    assert len(lake.store.list("facts/words")) == 1
