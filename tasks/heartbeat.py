"""Do something again and again beside the work of a block, such as saying that the work goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context


@contextmanager
def repeating(act: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call a function each so many seconds until the block ends, in a thread with the context of the caller.

    Args:
        act: What it raises would end the thread, so it is not to raise.
        every_s: Seconds; the first call is so long after the beginning. A call that has begun is waited for.
    """
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(every_s):
            act()

    heart = threading.Thread(target=copy_context().run, args=(repeat,), daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
