"""Where an archive's objects are: a filesystem and a path, without a name ever being read as a URL.

Only the archive's root may be a URL. A source is a plain path below it, so ``100%?#1.wav`` means itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from storage.errors import ConfigError
from storage.filesystems import open_filesystem, plain_errors


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
        fs, path = open_filesystem(url)
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
    if os.path.basename(root.rstrip("/")) == source and is_file(Location(fs, root)):  # noqa: PTH119 - not only local
        return Location(fs, root)
    return Location(fs, f"{root.rstrip('/')}/{source}")


def is_file(location: Location) -> bool:
    """Return whether an object stands there; fsspec's own ``isfile`` says no to whatever goes wrong.

    Raises:
        ConfigError: credentials are missing or wrong.
        OSError: the storage does not say.
    """
    with plain_errors(location.path):
        try:
            return bool(location.fs.info(location.path)["type"] == "file")
        except (FileNotFoundError, NotADirectoryError):
            return False
