"""A Prefect server for one run that ends when the run does, however that ends.

Without an address Prefect starts a server of its own beside a run and ends it when the interpreter exits; a run that is
killed leaves it behind. This one is the same application with the same database, and watches a pipe whose other end
only the run holds: the kernel closes it with the process. It loads no types of blocks, which no run needs.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from storage.errors import ConfigError

_HOST = "127.0.0.1"
_COMMAND = "from flows.temporary_server import serve; serve({}, {})"
_QUICKER = {
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}
_TEMPORARY: ContextVar[bool] = ContextVar("voxlake_temporary_server", default=False)
_GRACE_S = 5.0
"""How long a server may take to end by itself."""
_ASK_EVERY_S = 0.1


@contextmanager
def some_server(meanwhile: Callable[[], object] | None = None) -> Iterator[None]:
    """Have flows report to the server that is configured, or start one where Prefect would.

    It ends with this process, and serves the blocks that come later as well.

    Args:
        meanwhile: Called while a server starts, where one does.

    Raises:
        ConfigError: the server did not start.
    """
    from prefect.client.base import ServerType, determine_server_type
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, get_current_settings, temporary_settings

    if determine_server_type() is not ServerType.EPHEMERAL:
        yield
        return
    server = _started()
    if meanwhile:
        meanwhile()
    server.wait(get_current_settings().server.ephemeral.startup_timeout_seconds)
    token = _TEMPORARY.set(True)
    try:
        # It has no pages, so that no link to one is to be told.
        with temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_UI_URL: ""}):
            yield
    finally:
        _TEMPORARY.reset(token)


@cache
def _started() -> TemporaryServer:
    """Return the server of this process, to be stopped at its end."""
    server = TemporaryServer()
    atexit.register(server.stop)  # before Prefect registers its own, which then send the last logs and events first
    return server


def is_temporary() -> bool:
    """Return whether flows report to a server that ends with this run."""
    return _TEMPORARY.get()


class TemporaryServer:
    """A server process on a free port of this machine."""

    def __init__(self) -> None:
        """Start the process; it listens already, and answers once it has loaded."""
        theirs, self._lifeline = os.pipe()
        with socket.create_server((_HOST, 0)) as listener:
            self._port = listener.getsockname()[1]
            descriptors = [listener.fileno(), theirs]
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and two numbers
                [sys.executable, "-c", _COMMAND.format(*descriptors)],
                pass_fds=descriptors,
                env={**_QUICKER, **os.environ},
                stdin=subprocess.DEVNULL,
                process_group=0,  # an interrupt is for the run, which then tells the server how it ended
            )
        os.close(theirs)

    @property
    def api_url(self) -> str:
        """The address for ``PREFECT_API_URL``."""
        return f"http://{_HOST}:{self._port}/api"

    def wait(self, timeout_s: float) -> None:
        """Wait until the server answers.

        Raises:
            ConfigError: it ended, or took longer.
        """
        deadline = time.monotonic() + timeout_s
        while not self._is_healthy():
            if (code := self.process.poll()) is not None or time.monotonic() > deadline:
                problem = f"did not answer in {timeout_s} s" if code is None else f"ended with exit status {code}"
                self.stop()
                raise ConfigError(
                    "temporary Prefect server", problem, "set PREFECT_API_URL to a server of yours, or use --local"
                )
            time.sleep(_ASK_EVERY_S)

    def stop(self) -> None:
        """Let go of the server, and wait until it has ended."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        try:
            self.process.wait(2 * _GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_healthy(self) -> bool:
        connection = HTTPConnection(_HOST, self._port, timeout=_GRACE_S)
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def serve(listener: int, lifeline: int) -> None:
    """Serve until the pipe closes: the main function of the server process."""
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True, final=True)
    config = uvicorn.Config(app, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listener)])


def _end_with(lifeline: int) -> None:
    """End this process when nobody holds the other end of the pipe any more; at once if it is busy."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)
