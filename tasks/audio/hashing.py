"""Read a file for a demuxer and take its hash in the same pass."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import Protocol

RECORDING_ID_DIGITS = 32
BLOCK_BYTES = 1 << 18
STORE_BYTES = 1 << 24
_READ_THROUGH_BYTES = STORE_BYTES // 2
_FLAG_FORCE = 0x20000
"""libav's AVSEEK_FORCE, which may come mixed into ``whence``."""


def recording_id_of(data: bytes) -> str:
    """Return the identity of a recording of those bytes."""
    return hashlib.sha256(data).hexdigest()[:RECORDING_ID_DIGITS]


class SeekableFile(Protocol):
    """What is asked of a file that is read."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Move the position."""
        ...

    def tell(self) -> int:
        """Return the position."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; fewer only where the file ends."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class HashingReader:
    """A seekable binary file that hashes all its bytes while somebody reads it in whatever order.

    Bytes are fetched in blocks and hashed in order. A block that is read before its turn (the index at the end of
    an MP4) stays in a store of at most ``store_bytes`` until its turn comes, and so do recent blocks, for the
    demuxer that steps back. Each byte is therefore fetched once, unless the reader jumps about further than
    the store reaches; then the hash is still right.
    """

    def __init__(
        self, file: SeekableFile, size_bytes: int, *, block_bytes: int = BLOCK_BYTES, store_bytes: int = STORE_BYTES
    ) -> None:
        """Take over a file opened for reading; ``size_bytes`` is where it ends."""
        self.size_bytes = size_bytes
        self.fetched_bytes = 0
        self.error: OSError | None = None
        """What the file itself raised; libav may have swallowed it."""
        self._file = file
        self._block_bytes = block_bytes
        self._store_blocks = max(2, store_bytes // block_bytes)
        self._read_through_blocks = min(_READ_THROUGH_BYTES, store_bytes // 2) // block_bytes
        self._n_blocks = -(-size_bytes // block_bytes)
        self._store: OrderedDict[int, bytes] = OrderedDict()
        self._sha = hashlib.sha256()
        self._n_hashed = 0
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position as files do; nothing is fetched."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence & ~_FLAG_FORCE]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; fewer at the end of a block, none only at the end of the file.

        Raises:
            OSError: the file cannot be read; kept in ``error``.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(self._block_bytes), b""))
        index, start = divmod(self._position, self._block_bytes)
        if index >= self._n_blocks or size == 0:
            return b""
        block = self._block(index)
        piece = block if start == 0 and size >= len(block) else block[start : start + size]
        self._position += len(piece)
        return piece

    def digest(self) -> str:
        """Return the recording_id: the first 32 hex digits of the SHA-256 of all bytes, fetching what is missing.

        Raises:
            OSError: the file cannot be read.
        """
        while self._n_hashed < self._n_blocks:
            self._block(self._n_hashed)
        return self._sha.hexdigest()[:RECORDING_ID_DIGITS]

    def close(self) -> None:
        """Close the file."""
        self._store.clear()
        self._file.close()

    def _block(self, index: int) -> bytes:
        if index in self._store:
            self._store.move_to_end(index)
        elif self._n_hashed <= index <= self._n_hashed + self._read_through_blocks:
            for gap in range(self._n_hashed, index + 1):
                if gap not in self._store:
                    self._keep(gap, self._fetch(gap))
        else:
            self._keep(index, self._fetch(index))
        return self._store[index]

    def _fetch(self, index: int) -> bytes:
        start = index * self._block_bytes
        wanted = min(self._block_bytes, self.size_bytes - start)
        try:
            if self._file.tell() != start:
                self._file.seek(start)
            block = self._file.read(wanted)
        except OSError as cause:
            self.error = cause
            raise
        if len(block) != wanted:
            self.error = OSError("it became shorter while it was read")
            raise self.error
        self.fetched_bytes += wanted
        return block

    def _keep(self, index: int, block: bytes) -> None:
        self._store[index] = block
        while self._n_hashed in self._store:
            self._sha.update(self._store[self._n_hashed])
            self._store.move_to_end(self._n_hashed)
            self._n_hashed += 1
        while len(self._store) > self._store_blocks:
            done = (kept for kept in self._store if kept < self._n_hashed and kept != index)
            self._store.pop(next(done, next(iter(self._store))))
