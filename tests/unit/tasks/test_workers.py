"""Worker processes: they answer, raise, log and die without harm to others."""

import logging
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context

import pytest

from storage.errors import UnknownEngine, WorkerDied, WorkerHung, is_transient
from tasks.engines import registry
from tasks.retries import call_patiently
from tasks.workers import call_in_worker, call_within, leave, open_workers, reside
from tests.processes import needs_proc, wait_until_gone


def test_without_workers_the_call_is_made_here():
    assert call_in_worker(os.getpid) == os.getpid()


def test_workers_are_other_processes_that_stay():
    with open_workers(1, 1):
        first, second = call_in_worker(os.getpid), call_in_worker(os.getpid)
    assert first == second != os.getpid()


def test_threads_are_limited_before_anything_is_loaded():
    with open_workers(1, 3):
        assert call_in_worker(os.getenv, "OMP_NUM_THREADS") == "3"
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_a_block_inside_another_uses_its_workers():
    with open_workers(1, 1):
        outer = call_in_worker(os.getpid)
        with open_workers(1, 1):
            assert call_in_worker(os.getpid) == outer
        assert call_in_worker(os.getpid) == outer


def test_errors_come_back_with_their_traceback():
    with open_workers(1, 1), pytest.raises(ValueError, match="math domain") as caught:
        call_in_worker(math.sqrt, -1)
    assert any("Traceback" in note for note in caught.value.__notes__)


def test_a_missing_file_is_no_dead_worker():
    with open_workers(1, 1):
        pid = call_in_worker(os.getpid)
        with pytest.raises(FileNotFoundError):
            call_in_worker(os.stat, "/no/such/file")
        assert call_in_worker(os.getpid) == pid


def test_closing_ends_busy_workers_and_nothing_is_tried_again():
    with ThreadPoolExecutor(1) as threads:
        with open_workers(1, 1):
            call_in_worker(os.getpid)
            busy = threads.submit(copy_context().run, call_patiently, call_in_worker, time.sleep, 600)
            time.sleep(0.2)
        error = busy.exception(10)
    assert error is not None
    assert not is_transient(error)


def test_our_errors_keep_their_parts():
    with open_workers(1, 1), pytest.raises(UnknownEngine) as caught:
        call_in_worker(registry.find, "detector", "ear")
    assert (caught.value.subject, caught.value.problem) == ("detector 'ear'", "no such engine")


def test_a_killed_worker_loses_its_call_and_nothing_else():
    with open_workers(2, 1):
        pid = call_in_worker(os.getpid)
        with pytest.raises(WorkerDied, match="killed"):
            call_in_worker(signal.raise_signal, signal.SIGKILL)
        assert call_in_worker(os.getpid) != pid


def test_a_worker_that_takes_too_long_is_ended_and_the_next_call_gets_another():
    with open_workers(1, 1):
        pid = call_in_worker(os.getpid)
        with pytest.raises(WorkerHung, match="longer than 0 s"):
            call_within(0.2, time.sleep, 600)
        wait_until_gone(pid)
        assert call_within(600, os.getpid) != pid


def test_workers_may_stay_for_calls_from_anywhere():
    reside(1, 1)
    try:
        first, second = call_in_worker(os.getpid), call_in_worker(os.getpid)
        assert first == second != os.getpid()
    finally:
        leave()
    wait_until_gone(first)
    assert call_in_worker(os.getpid) == os.getpid()


def test_every_call_waits_for_the_turn_of_its_worker():
    turns = []

    @contextmanager
    def reserve(number):
        turns.append(("begin", number))
        yield
        turns.append(("end", number))

    with open_workers(1, 1, reserve):
        call_in_worker(os.getpid)
        call_in_worker(os.getpid)
    assert turns == [("begin", 0), ("end", 0)] * 2


def test_what_workers_log_is_logged_here(our_logs):
    with our_logs.at_level(logging.INFO), open_workers(1, 1):
        call_in_worker(logging.getLogger("tasks.test").info, "heard %d", 7)
    assert "heard 7" in our_logs.text


@needs_proc
def test_workers_end_when_their_parent_is_killed():
    script = (
        "import os, time\nfrom tasks.workers import *\n"
        "with open_workers(1, 1) as pool:\n"
        "    print(call_in_worker(os.getpid), flush=True)\n    call_in_worker(time.sleep, 600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until_gone(worker)
