"""What the operating system is told of a worker process: it holds other people's voices, and may go first."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

_GOES_FIRST: Final = "500"
"""Of 1000; see proc_pid_oom_score_adj(5). Raising it takes no rights."""


def limit_this_process() -> None:
    """Leave no core dump, and be what the kernel ends when memory runs out, before whoever waits for the result.

    Where there is no such thing, as on macOS, nothing is done.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_GOES_FIRST)
