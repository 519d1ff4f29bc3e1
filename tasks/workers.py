"""Worker processes that take calls one at a time; one that dies takes nothing with it but the call it had.

A process pool of the standard library is broken for good as soon as one of its processes is killed, and every call
in it is lost; so is Prefect's runner on top of it. Here the next call simply gets a new process. Workers start from
nothing (no fork, no import of the caller's main module), end when their parent does, however that ends, and send
what they log to the thread that waits for them, where it belongs to the right task run.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any, ParamSpec, TypeVar

from storage.errors import WorkerDied, WorkerHung
from storage.secrets import hide_secrets_in_logs, without_secrets
from tasks.engines.devices import gpu_of_worker
from tasks.limits import limit_this_process
from tasks.threads import limit_threads

P = ParamSpec("P")
T = TypeVar("T")

Reserve = Callable[[int], AbstractContextManager[object]]
"""What a call waits for before the worker of that number gets it, and gives back afterwards."""

OUR_LOGGERS = ("flows", "tasks", "storage")

_COMMAND = "from tasks.workers import serve; serve({})"
_pool: ContextVar[WorkerPool | None] = ContextVar("voxlake_workers", default=None)
_residents: list[WorkerPool] = []
"""Workers that stay as long as this process does, for where calls come from outside of any block."""


@contextmanager
def open_workers(n_workers: int, n_threads: int, reserve: Reserve = nullcontext) -> Iterator[WorkerPool]:
    """Let ``call_in_worker`` use up to so many processes, started when first needed, until the block ends.

    Inside another such block the workers of that one are used. ``reserve`` is entered around every call.
    """
    if already := _pool.get():
        yield already
        return
    pool = WorkerPool(n_workers, n_threads, reserve)
    token = _pool.set(pool)
    try:
        yield pool
    finally:
        _pool.reset(token)
        pool.close()


def call_in_worker(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a module-level function in a free worker, or here where no workers are open.

    Raises:
        WorkerDied: the process was killed while it had the call.
        Exception: whatever the function raises.
    """
    return call_within(None, function, *args, **kwargs)


def call_within(limit_s: float | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call as ``call_in_worker``; a worker that takes longer is killed. Where none are open, nothing is limited.

    Raises:
        WorkerHung: the time was up.
        WorkerDied: the process was killed while it had the call.
        Exception: whatever the function raises.
    """
    pool = _pool.get() or next(iter(_residents), None)
    return pool.call_within(limit_s, function, *args, **kwargs) if pool else function(*args, **kwargs)


def reside(n_workers: int, n_threads: int) -> None:
    """Keep workers for all calls of this process that come from outside of ``open_workers``."""
    leave()
    _residents.append(WorkerPool(n_workers, n_threads))


def leave() -> None:
    """End the workers that ``reside`` keeps."""
    while _residents:
        _residents.pop().close()


def hear_our_loggers() -> None:
    """Let our loggers speak from INFO on, or from DEBUG; Prefect attaches its handlers but leaves their level alone.

    No secret that another library puts into an error passes on.
    """
    hide_secrets_in_logs()
    level = logging.DEBUG if os.environ.get("VOXLAKE_DEBUG") == "1" else logging.INFO
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level)


class WorkerPool:
    """A bounded number of workers; threads wait for a free one."""

    def __init__(self, n_workers: int, n_threads: int, reserve: Reserve = nullcontext) -> None:
        """Start nothing yet."""
        self._n_threads = n_threads
        self._reserve = reserve
        self._is_closed = False
        self._all: set[_Worker] = set()
        self._free: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for number in reversed(range(n_workers)):
            self._free.put(_Slot(number))

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a free worker; raises as ``call_in_worker``."""
        return self.call_within(None, function, *args, **kwargs)

    def call_within(self, limit_s: float | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a free worker once it may be used; raises as ``call_within``."""
        slot = self._free.get()
        try:
            with self._reserve(slot.number):
                result: T = self._call_at(slot, limit_s, function, args, kwargs)
        finally:
            self._free.put(slot)
        return result

    def _call_at(
        self,
        slot: _Slot,
        limit_s: float | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Call in the worker at this place; start one where there is none, and leave none that is dead."""
        if self._is_closed:
            raise _Closed
        if slot.worker is None:
            slot.worker = _Worker(slot.number, self._n_threads)
            self._all.add(slot.worker)
        try:
            return slot.worker.call(limit_s, function, args, kwargs)
        except WorkerDied:
            self._all.discard(slot.worker)
            slot.worker.kill()
            slot.worker = None
            if self._is_closed:
                raise _Closed from None
            raise

    def warm_up(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Start all workers now and have each call a function, without waiting for it; its errors come back later."""

        def call() -> None:
            slot = self._free.get()
            with suppress(Exception):
                self._call_at(slot, None, function, args, kwargs)
            self._free.put(slot)

        for _ in range(self._free.qsize()):
            threading.Thread(target=call, daemon=True).start()

    def close(self) -> None:
        """End all workers, also busy ones."""
        self._is_closed = True
        for worker in list(self._all):
            worker.kill()
        self._all.clear()


class _Closed(Exception):
    """The pool was closed under a call; nobody waits for its result, and it is not to be tried again."""


@dataclass(slots=True)
class _Slot:
    """A place for a worker; whoever comes into it gets the same GPU."""

    number: int
    worker: _Worker | None = None


class _Worker:
    def __init__(self, number: int, n_threads: int) -> None:
        environment = {**os.environ, **gpu_of_worker(number)}
        limit_threads(n_threads, environment)
        self._pipe, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-c", _COMMAND.format(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a number
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
            )

    def call(
        self, limit_s: float | None, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            self._pipe.send((function, args, kwargs))
            kind, value = self._answer(limit_s)
        except (EOFError, OSError) as cause:
            raise WorkerDied(
                f"worker {self._process.pid}", f"ended in the middle of its work ({self._end()})", "it is tried again"
            ) from cause
        if kind == "error":
            raise value
        return value

    def _answer(self, limit_s: float | None) -> tuple[str, Any]:
        """Return the next message that says how it ended; the time runs from when the worker, imports done, began."""
        deadline: float | None = None
        while True:
            if deadline is not None and not self._pipe.poll(max(0.0, deadline - time.monotonic())):
                problem = f"took longer than {limit_s:.0f} s and was ended"
                raise WorkerHung(f"worker {self._process.pid}", problem, "it is tried again")
            kind, value = self._pipe.recv()
            if kind == "begun":
                deadline = None if limit_s is None else time.monotonic() + limit_s
            elif kind == "log":
                logging.getLogger(value.name).handle(value)
            else:
                return kind, value

    def kill(self) -> None:
        """End the process; a call that waits for it then fails, and the pipe closes with its last user."""
        self._process.kill()
        self._process.wait()

    def _end(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return "killed; memory may have run out"
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def serve(descriptor: int) -> None:
    """Answer calls that come through an open pipe, until it closes: the main loop of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    limit_this_process()
    pipe = Connection(descriptor)
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, calls), daemon=True).start()
    sending = _send_logs(pipe)
    while True:
        function, args, kwargs = calls.get()
        with sending:
            pipe.send(("begun", None))
        try:
            answer = ("result", function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - every error belongs to the caller
            answer = ("error", _portable(error))
        with sending:
            pipe.send(answer)


def _receive(pipe: Connection, calls: queue.SimpleQueue[Any]) -> None:
    """Pass calls on; when the parent is gone, end at once, busy or not."""
    while True:
        try:
            calls.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(1)


class _PipeHandler(logging.handlers.QueueHandler):
    """Sends records through the pipe, ready to be pickled."""

    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.send(("log", record))  # type: ignore[attr-defined]


def _send_logs(pipe: Connection) -> threading.RLock:
    """Send what our loggers say; return the lock that keeps messages whole."""
    handler = _PipeHandler(pipe)  # type: ignore[arg-type]
    hear_our_loggers()
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.propagate = False
    return handler.lock  # type: ignore[return-value]


def _portable(error: Exception) -> Exception:
    """Return the error with its traceback as a note; in plain words where it cannot be pickled."""
    error.add_note(without_secrets("".join(traceback.format_exception(error)).rstrip()))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - anything may go wrong in foreign reducers
        plain = RuntimeError(without_secrets(f"{type(error).__name__}: {error}"))
        plain.__notes__ = error.__notes__
        return plain
    return error
