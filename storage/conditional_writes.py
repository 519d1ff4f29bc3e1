"""Writes of which the storage lets one succeed: an object is made only where none is.

S3 has ``If-None-Match: *`` for it, other object stores what fsspec's ``pipe_file(mode="create")`` asks them for.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import nullcontext

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from storage.filesystems import is_s3, plain_errors

_ATTEMPTS = 2
_WRITER = "voxlake-writer"
"""Under this name an object of S3 says which call made it."""
_memory = threading.Lock()
"""fsspec's memory looks whether an object is there, and then writes it."""


def create_object(fs: AbstractFileSystem, path: str, data: bytes) -> bool:
    """Write an object unless one is there; return whether this call wrote it.

    One whose answer was lost on the way, and which then was found there, is this call's too.

    Raises:
        OSError: it cannot be written; as ``plain_errors`` says.
    """
    writer = {_WRITER: uuid.uuid4().hex} if is_s3(fs) else {}
    marks = {"Metadata": writer} if writer else {}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with plain_errors(path), _memory if isinstance(fs, MemoryFileSystem) else nullcontext():
                fs.pipe_file(path, data, mode="create", **marks)
        except FileExistsError:
            return bool(writer) and fs.metadata(path, refresh=True).get(_WRITER) == writer[_WRITER]
        except (ConnectionError, TimeoutError):
            if attempt == _ATTEMPTS:
                raise
        else:
            break
    return True
