"""A file of an object store: its errors are those of a disk, and a read that fails for a passing reason is made again.

A recording of hours is hundreds of reads, and all that was made of it is lost with one of them. So each is as patient
as a whole call elsewhere, after what the storage's library tries by itself. The first is not: nothing is lost with it.
"""

from __future__ import annotations

import os
from typing import BinaryIO, cast

from fsspec import AbstractFileSystem

from storage.filesystems import plain_errors
from tasks.retries import call_patiently


class RemoteFile:
    """What a reader needs of a file; nothing is kept, each read is one request."""

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
        """Ask the storage for the object's size.

        Raises:
            OSError: it is not there, may not be read, or the storage does not answer.
            ConfigError: credentials are missing, wrong or have expired.
        """
        self._path = path
        self._has_begun = False
        with plain_errors(path):
            self._file = cast(BinaryIO, fs.open(path, "rb", cache_type="none"))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; nothing is fetched."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            OSError: they cannot be had, or the object is another one by now.
        """
        if self._has_begun:
            return call_patiently(self._read, size)
        piece = self._read(size)
        self._has_begun = True
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, size: int) -> bytes:
        with plain_errors(self._path):
            return self._file.read(size)
