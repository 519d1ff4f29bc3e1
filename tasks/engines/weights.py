"""Digests of weights, which tell one model from another in a recipe.

Weights of real size are gigabytes, and a plan asks for their digest on every run. The hub's cache names large files
by their SHA-256, so there the name is taken; what else is large is read once and remembered by path, size and time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

_LARGE_BYTES = 16 * 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REMEMBERED = "weights.json"


def weights_digest(paths: Iterable[Path]) -> str:
    """Return 16 hex digits of a SHA-256 over the names and contents of files and folders, whatever their order.

    Of a file only the last part of its name counts, of a folder the names below it, so that the digest is the same
    wherever weights lie. Hidden files do not count.

    Raises:
        OSError: a file cannot be read.
    """
    named = sorted((name, path) for given in paths for name, path in _named_files(given))
    whole = hashlib.sha256()
    for name, path in named:
        whole.update(name.encode() + b"\0" + bytes.fromhex(_sha256(path)))
    return whole.hexdigest()[:16]


def _named_files(given: Path) -> list[tuple[str, Path]]:
    if given.is_file():
        return [(given.name, given)]
    names = {path: path.relative_to(given).as_posix() for path in given.rglob("*") if path.is_file()}
    return [(name, path) for path, name in names.items() if not name.startswith(".")]


def _sha256(path: Path) -> str:
    """Return the hex digest of a file, from where it is known if possible."""
    real = path.resolve()
    if real.parent.name == "blobs" and _SHA256.fullmatch(real.name):
        return real.name
    stat = real.stat()
    return _of_content(real, stat.st_size, stat.st_mtime_ns)


@cache
def _of_content(path: Path, size: int, mtime_ns: int) -> str:
    key = f"{path} {size} {mtime_ns}"
    remembered = _recall() if size > _LARGE_BYTES else {}
    if key in remembered:
        return remembered[key]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size > _LARGE_BYTES:
        _remember({**_recall(), key: digest})
    return digest


def _memory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voxlake" / _REMEMBERED


def _recall() -> dict[str, str]:
    try:
        known = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}
    return (
        {key: value for key, value in known.items() if _SHA256.fullmatch(str(value))} if isinstance(known, dict) else {}
    )


def _remember(known: dict[str, str]) -> None:
    """Keep the digests for the next process; where nothing can be written, it reads the weights again."""
    path = _memory()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as part:
            json.dump(known, part)
        Path(part.name).replace(path)
