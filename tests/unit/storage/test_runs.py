"""Records of runs: their status, and records that other versions wrote."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.lake import Lake
from storage.runs import SILENT_AFTER, RunRecord, run_record, run_status

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
OF_0_4 = {
    "run_id": "run",
    "started_at": AT.isoformat(),
    "ended_at": LATER.isoformat(),
    "profile": "fake",
    "settings": {"workers": 2},
    "versions": {"python": "3.11"},
    "counts": {"n_failed": 0},
    "audio_ms": 5,
    "wall_ms": 6,
}


def record(**changes):
    return RunRecord(run_id="run", started_at=AT, profile="fake", settings={}, versions={}, **changes)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"renewed_at": LATER}, "running"),
        ({"renewed_at": LATER - SILENT_AFTER}, "running"),
        ({"renewed_at": LATER - SILENT_AFTER - timedelta(seconds=1)}, "stopped"),
        ({}, "stopped"),
        ({"ended_at": LATER, "outcome": "done"}, "done"),
        ({"ended_at": LATER, "outcome": "done", "n_failures": 1}, "done_with_failures"),
        ({"ended_at": LATER, "outcome": "done", "counts": {"n_failed": 2}}, "done_with_failures"),
        ({"ended_at": LATER, "outcome": "failed"}, "failed"),
        ({"ended_at": LATER, "outcome": "stopped"}, "stopped"),
    ],
)
def test_status(changes, status):
    assert run_status(record(**changes), LATER) == status


def test_a_run_that_just_began_runs():
    assert run_status(record(), AT) == "running"


def test_records_of_other_versions_are_read():
    old = run_record(OF_0_4)
    assert (old.ended_at, old.audio_ms, old.n_shards, old.outcome) == (LATER, 5, 0, None)
    assert run_status(old, LATER) == "done"
    assert run_record({**OF_0_4, "mood": "of 0.9"}) == old


def test_a_record_is_read_as_it_was_written(tmp_path):
    lake = Lake(str(tmp_path))
    whole = record(renewed_at=LATER, outcome="failed", error="why", stage_ms={"probe": 3}, publication=4)
    lake.write_run(record())
    lake.write_run(whole)
    assert lake.runs() == [whole]
