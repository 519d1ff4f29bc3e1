"""Digests of weight files, which tell one model from another in a recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def digest_files(paths: Iterable[Path]) -> str:
    """Return 16 hex digits of a SHA-256 over the files' names and contents, whatever their order.

    Only the last part of a name counts, so that the digest is the same wherever a package is installed. Read once
    per process.

    Raises:
        OSError: a file cannot be read.
    """
    return _digest(tuple(sorted(paths, key=lambda path: (path.name, str(path)))))


@cache
def _digest(paths: tuple[Path, ...]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        whole.update(path.name.encode() + b"\0" + content)
    return whole.hexdigest()[:16]
