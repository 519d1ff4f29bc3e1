"""Log lines say what they are about, once, wherever they were written."""

import logging

from tasks.about import about, logger, shard_name
from tasks.workers import call_in_worker, open_workers

log = logger("tasks.test_about")


def warn_about(shard_index, source):
    with about(shard_name(shard_index), source):
        log.warning("%d of it is odd", 7)


def lines(logs):
    """Return each line once, though two handlers may have heard it."""
    return list(dict.fromkeys(logs.messages))


def test_subjects_come_first_and_only_inside_their_block(our_logs):
    with about(shard_name(1)):
        with about("folder/100% talk.wav"):
            log.warning("is %s", "odd")
        log.info("done")
    log.info("nothing in particular")
    assert lines(our_logs) == ["shard 2 · folder/100% talk.wav: is odd", "shard 2: done", "nothing in particular"]


def test_a_line_from_a_worker_says_it_once(our_logs):
    with open_workers(1, 1), about("shard 1"):
        call_in_worker(logging.getLogger("tasks.other").warning, "other")
        call_in_worker(warn_about, 0, "talk.wav")
    assert lines(our_logs) == ["other", "shard 1 · talk.wav: 7 of it is odd"]
