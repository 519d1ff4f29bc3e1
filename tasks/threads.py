"""How many processors there are, and how many threads libraries may start on them."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

_LIMITS = (
    "OMP_NUM_THREADS",  # PyTorch, CTranslate2, Arrow, scikit-learn
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def limit_threads(n: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Allow each library ``n`` threads; libraries read this when they load, so call it before.

    Several workers whose libraries each start a thread per core wait for one another: PyTorch with two threads beside
    a busy process was 14 times slower than with one.
    """
    environment.update(dict.fromkeys(_LIMITS, str(n)))
    environment["TOKENIZERS_PARALLELISM"] = "false"
    environment["OMP_WAIT_POLICY"] = "PASSIVE"


def usable_cpus() -> int:
    """Return the processors this process may use: its affinity, or a container's quota where that is less."""
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text().split()
        n = min(n, max(1, int(quota) // int(period)))
    return n
