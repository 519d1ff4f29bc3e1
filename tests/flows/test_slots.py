"""Turns: one run works on a lake at a time, one shard on a GPU, and nobody is asked where nobody can tell."""

import threading
import time
from contextvars import copy_context

import pytest

from flows import slots
from flows.local import run_local
from tests.archives import fake_spec, published_rows, write_archive
from tests.flow_runs import state_names


@pytest.fixture
def quick(monkeypatch):
    """Ask again soon: the server lets those wait who asked often."""
    monkeypatch.setattr("prefect.concurrency.services.asyncio.sleep", quick_sleep)


async def quick_sleep(_seconds):
    import anyio

    await anyio.sleep(0.2)


def in_thread(function):
    """Call in a thread of its own, which knows of the same server."""
    thread = threading.Thread(target=copy_context().run, args=(function,))
    thread.start()
    return thread


def test_lakes_of_different_addresses_have_different_limits():
    names = {slots.lake_limit(url) for url in ("s3://a/lake", "s3://b/lake", "lake", "s3://a/lake/")}
    assert len(names) == 3
    assert all(name.startswith("voxlake-lake-lake-") for name in names)
    assert slots.lake_limit("s3://user:secret@a/lake") == slots.lake_limit("s3://a/lake")


def test_without_a_server_nobody_waits(monkeypatch):
    monkeypatch.setattr(slots, "has_server", lambda: False)
    with slots.lake_slot("lake") as first, slots.lake_slot("lake") as second:
        assert (first, second) == (False, False)


def test_a_second_run_over_a_lake_waits_says_so_and_then_has_nothing_to_do(with_server, quick, tmp_path):
    from flows.archive import transcribe_archive

    archive, lake = write_archive(tmp_path / "archive", n_recordings=2), tmp_path / "lake"
    states = []
    with slots.lake_slot(str(lake)) as has_waited:
        assert not has_waited
        second = in_thread(
            lambda: states.append(transcribe_archive(str(archive), str(lake), profile="fake", return_state=True))
        )
        run_local(fake_spec(archive, lake))
        before = published_rows(lake)
        time.sleep(2)
        assert states == []
    second.join()
    assert states[0].result().is_current
    assert published_rows(lake) == before
    seen = state_names(states[0].state_details.flow_run_id)
    assert seen == ["Pending", "Running", "Waiting for the lake", "Running", "Completed"]


def test_one_shard_at_a_time_on_a_gpu_and_another_beside_it_on_the_next(with_server, quick, monkeypatch):
    monkeypatch.setattr(slots, "gpu_name", lambda number: ("GPU-a", "GPU-b")[number % 2])
    order, is_taken = [], threading.Event()

    def second():
        is_taken.wait()
        with slots.gpu_slot(2):
            order.append("second")

    waiting = in_thread(second)
    with slots.gpu_slot(0):
        is_taken.set()
        with slots.gpu_slot(1):
            order.append("beside")
        time.sleep(1)
        order.append("first")
    waiting.join()
    assert order == ["beside", "first", "second"]


def test_where_there_is_no_gpu_the_server_is_not_asked(monkeypatch):
    monkeypatch.setattr(slots, "gpu_name", lambda _number: None)
    monkeypatch.setattr(slots, "has_server", lambda: pytest.fail("the server was asked"))
    with slots.gpu_slot(0):
        pass
