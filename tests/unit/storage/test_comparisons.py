"""Batches of comparisons: complete or not there, each comparison once."""

from datetime import UTC, datetime

import pytest

from storage.catalog import open_catalog
from storage.comparisons import ComparedKey, compared_keys, write_compared
from storage.lake import Lake
from storage.runs import RunRecord

ONE, TWO, THREE = (ComparedKey(recording_id, "transcribe", "r1", "r2", "c1", "c2") for recording_id in ("A", "B", "C"))


@pytest.fixture
def lake(tmp_path):
    lake = Lake(str(tmp_path))
    at = datetime.now(UTC)
    lake.write_run(RunRecord(run_id="run", started_at=at, profile="fake", settings={}, versions={}))
    return lake


def write(lake, *keys):
    comparisons = [key._asdict() | {"n_compared": 4, "n_differing": 1} for key in keys]
    where = {"start_ms": 0, "end_ms": 5, "one_text": "a", "other_text": "b"}
    write_compared(lake, comparisons, [key._asdict() | where for key in keys])


def rows(lake, view):
    with open_catalog(lake.url) as catalog:
        return catalog.execute(f"SELECT recording_id FROM {view} ORDER BY 1").fetchall()


def test_nothing_was_compared(lake):
    assert compared_keys(lake) == set()
    assert rows(lake, "comparisons") == rows(lake, "disagreements") == []


def test_what_two_commands_compared_is_there_once(lake):
    write(lake, ONE, TWO)
    write(lake, TWO, THREE)
    assert compared_keys(lake) == {ONE, TWO, THREE}
    assert rows(lake, "comparisons") == rows(lake, "disagreements") == [("A",), ("B",), ("C",)]


def test_a_batch_whose_writer_was_killed_is_not_there(lake):
    write(lake, ONE)
    (batch,) = lake.store.list("comparisons")
    lake.store.delete(f"comparisons/{batch}")
    assert lake.store.list("disagreements") == [batch]
    assert rows(lake, "disagreements") == []
    write(lake, ONE)
    assert rows(lake, "disagreements") == [("A",)]


def test_what_was_done_again_is_what_counts(lake):
    again = ONE._replace(other_commit="c3")
    write(lake, again)
    write(lake, ONE)
    write_compared(lake, [again._replace(one_commit="c4")._asdict() | {"n_compared": 9, "n_differing": 0}], [])
    assert rows(lake, "comparisons") == [("A",)]
    assert rows(lake, "disagreements") == []


def test_the_rate(lake):
    write(lake, ONE)
    write_compared(lake, [TWO._asdict() | {"n_compared": 0, "n_differing": 0}], [])
    with open_catalog(lake.url) as catalog:
        found = catalog.execute("SELECT rate, source FROM comparisons ORDER BY recording_id").fetchall()
    assert found == [(0.25, None), (None, None)]
