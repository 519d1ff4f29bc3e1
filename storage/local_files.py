"""Files of a local disk that are there as a whole or not at all, whenever their writer dies."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = ".tmp-"
"""How names begin under which a write is not finished, or never will be."""
_LONGEST_WRITE_S = 3600
"""A temporary file that is older is nobody's any more."""


@contextmanager
def flushed_temporary(path: str, data: bytes) -> Iterator[Path]:
    """Write a file beside the path it is for, flushed to the disk, for the block to rename or link; then remove it."""
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def delete_leftovers(folder: str) -> None:
    """Remove what writers that were killed have left directly under a folder."""
    for path in Path(folder).glob(f"{TEMPORARY}*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LONGEST_WRITE_S:
                path.unlink()
