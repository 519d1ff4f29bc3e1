"""Where an archive's objects are: a filesystem and a path, without a name ever being read as a URL.

Only the archive's root may be a URL. A source is a plain path below it, so ``100%?#1.wav`` means itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from storage.errors import ConfigError


class Location(NamedTuple):
    """A place in a filesystem."""

    fs: AbstractFileSystem
    path: str

    @property
    def is_local(self) -> bool:
        """Whether the path is one of this machine's."""
        return isinstance(self.fs, LocalFileSystem)


def locate(url: str) -> Location:
    """Return where a local path or fsspec URL points; nothing is read.

    Raises:
        ConfigError: no filesystem of that protocol is known or installed.
    """
    if "://" not in url:
        return Location(LocalFileSystem(), str(Path(url).expanduser().absolute()))
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as cause:
        protocol = url.partition("://")[0]
        raise ConfigError(
            url, f"the package for {protocol}:// is missing ({cause})", f'try: pip install "voxlake[{protocol}]"'
        ) from cause
    except ValueError as cause:
        raise ConfigError(url, str(cause), "use a local path, s3:// or another fsspec URL") from cause
    return Location(fs, path)


def locate_source(archive: str, source: str) -> Location:
    """Return where a source of an archive is; an archive that is one file is its own only source."""
    fs, root = locate(archive)
    if os.path.basename(root.rstrip("/")) == source and fs.isfile(root):  # noqa: PTH119 - not only local paths
        return Location(fs, root)
    return Location(fs, f"{root.rstrip('/')}/{source}")
