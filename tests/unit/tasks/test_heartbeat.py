"""What is to be done again and again is done as long as a block lasts, with what its caller knows."""

import threading
import time
from contextlib import suppress
from contextvars import ContextVar

from tasks.heartbeat import repeating

KNOWN = ContextVar("known", default="nothing")


def test_it_is_done_again_until_the_block_ends():
    calls, is_third = [], threading.Event()

    def act():
        calls.append(KNOWN.get())
        if len(calls) == 3:
            is_third.set()

    token = KNOWN.set("something")
    with repeating(act, 0.01):
        KNOWN.reset(token)
        assert is_third.wait(60)
    n_calls = len(calls)
    assert set(calls) == {"something"}
    time.sleep(0.1)
    assert len(calls) == n_calls


def test_a_block_that_fails_ends_it_too():
    n_threads = threading.active_count()
    with suppress(ValueError), repeating(lambda: None, 60):
        assert threading.active_count() == n_threads + 1
        raise ValueError
    assert threading.active_count() == n_threads
