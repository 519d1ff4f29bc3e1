"""Shards taken by a Dask cluster of this machine: the same rows, and engines loaded once per worker."""

import re

import pytest

from flows.local import run_local
from tests.archives import committed_facts, fake_spec, published_rows, write_archive
from tests.flow_runs import logs

pytest.importorskip("prefect_dask")


@pytest.mark.slow
def test_the_same_rows_on_a_cluster_of_two(with_server, tmp_path, monkeypatch):
    from flows.archive import transcribe_archive

    monkeypatch.setenv("VOXLAKE_SHARD_MINUTES", "0.2")
    archive, lake, alone = write_archive(tmp_path / "archive"), tmp_path / "lake", tmp_path / "alone"
    state = transcribe_archive(str(archive), str(lake), profile="fake", workers=2, runner="dask", return_state=True)
    assert state.is_completed(), state.message
    run_local(fake_spec(archive, alone))
    assert published_rows(lake) == published_rows(alone)
    assert committed_facts(lake) == committed_facts(alone)
    done = [line for line in logs(state.state_details.flow_run_id) if re.search(r"^shard \d+: .* done in ", line)]
    assert len(done) >= 3  # what workers of workers log arrives
