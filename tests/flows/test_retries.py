"""Which errors of a task are met with another try: those that may pass, and no others."""

import pytest
from prefect import flow

from storage import errors
from tasks import steps

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.VoxlakeError)]
RAISED = [*(kind("lake", "failed") for kind in KINDS), TimeoutError(), ConnectionError(), ValueError(), MemoryError()]


def test_what_may_pass_is_tried_three_times_and_what_does_not_once(with_server, monkeypatch):
    tries = []

    def fail(_lake, _run_id, index, _most_s):
        tries.append(index)
        raise RAISED[index]

    monkeypatch.setattr("tasks.steps.take_shard", fail)
    shard = steps.transcribe_shard.with_options(retry_delay_seconds=0)

    @flow(name="tries", persist_result=False)
    def try_all():
        futures = [shard.submit("lake", "run", index, f"{error!r}", None) for index, error in enumerate(RAISED)]
        return [future.wait() for future in futures] and 0

    assert try_all() == 0
    passing = {index for index, error in enumerate(RAISED) if errors.is_transient(error)}
    assert 5 < len(passing) < len(RAISED) - 5
    assert [tries.count(index) for index in range(len(RAISED))] == [
        3 if index in passing else 1 for index in range(len(RAISED))
    ]


def test_pauses_grow_and_differ(with_server):
    for task in (steps.transcribe_shard, steps.link):
        assert list(task.retry_delay_seconds) == sorted(task.retry_delay_seconds)
        assert task.retry_jitter_factor == pytest.approx(0.3)
