"""Bound what libav takes: a file of a kilobyte can claim an index of gigabytes, and libav would build it.

Two bounds, because each has a gap: libav's own holds for one piece of memory, wherever it is asked for; that of the
process holds for all of them together, but only while a container is opened, when nobody else needs much.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

import av

MAX_PIECE_BYTES: Final = 1 << 28
"""The index of a recording takes 24 bytes for each packet: this is enough for 60 hours of AAC."""
MAX_OPENING_BYTES: Final = 1 << 30
"""Address space that opening containers may take beyond what the process has."""
_PLACES: Final = ("../av.libs/libavutil*", ".dylibs/libavutil*")
"""Where PyAV's wheels keep libraries, seen from the package; elsewhere it uses those of the system."""
_MAPPED: Final = Path("/proc/self/statm")


@cache
def limit_pieces() -> bool:
    """Have libav refuse to allocate more than ``MAX_PIECE_BYTES`` at once, in this process; return whether it will.

    Of libav's own means (``av_max_alloc`` in libavutil/mem.h), PyAV hands none on.
    """
    for path in _loaded_libraries():
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)  # the one that PyAV loaded, or none
            library.av_max_alloc(ctypes.c_size_t(MAX_PIECE_BYTES))
        except (OSError, AttributeError):
            continue
        return True
    return False


def _loaded_libraries() -> Iterator[str]:
    package = Path(av.__file__).parent
    yield from (str(path) for place in _PLACES for path in sorted(package.glob(place)))
    if found := ctypes.util.find_library("avutil"):
        yield found


class _Ceiling:
    """The process's limit of address space, lowered while anybody is inside. Linux alone keeps count of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._before = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    @contextmanager
    def lowered(self) -> Iterator[None]:
        with self._lock:
            if not self._n_inside and _MAPPED.exists():
                self._lower()
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if not self._n_inside and _MAPPED.exists():
                    resource.setrlimit(resource.RLIMIT_AS, self._before)

    def _lower(self) -> None:
        self._before = soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        mapped_bytes = int(_MAPPED.read_bytes().split()[0]) * resource.getpagesize()
        allowed = mapped_bytes + MAX_OPENING_BYTES
        if soft == resource.RLIM_INFINITY or allowed < soft:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


_ceiling = _Ceiling()


@contextmanager
def limited_memory() -> Iterator[None]:
    """Let what is opened inside take no more than ``MAX_OPENING_BYTES``; more raises ``MemoryError``."""
    limit_pieces()
    with _ceiling.lowered():
        yield
