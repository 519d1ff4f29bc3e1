"""What log lines are about: the shard and the recording that is worked on, said at the beginning of each line.

The words are put into the message itself, so that every reader of logs has them: a terminal, a file, Prefect's UI.
They are put there once, where the line is written, and stay when a worker process sends it to its parent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_subjects: ContextVar[tuple[str, ...]] = ContextVar("voxlake_about", default=())


@contextmanager
def about(*subjects: str) -> Iterator[None]:
    """Let log lines of this block begin with these subjects too, such as ``shard 2`` or a recording's source."""
    said = _subjects.get()
    token = _subjects.set((*said, *(subject for subject in subjects if subject not in said)))
    try:
        yield
    finally:
        _subjects.reset(token)


def shard_name(shard_index: int) -> str:
    """Return what log lines call a shard; people count from 1."""
    return f"shard {shard_index + 1}"


def logger(name: str) -> logging.Logger:
    """Return a module's logger, whose lines say what they are about."""
    found = logging.getLogger(name)
    if _say_what_about not in found.filters:
        found.addFilter(_say_what_about)
    return found


def _say_what_about(record: logging.LogRecord) -> bool:
    """Put the subjects before the message, unless the record comes from a worker that did."""
    if "about" not in vars(record):
        vars(record)["about"] = subjects = _subjects.get()
        if subjects:
            record.msg, record.args = f"{' · '.join(subjects)}: {record.getMessage()}", None
    return True
