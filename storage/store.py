"""Objects under one root, on any filesystem that fsspec reaches, with atomic writes.

Two writes exist: ``put`` replaces, ``create`` refuses to. Both leave either the whole object or nothing, whenever
the process dies. On a local disk that takes a temporary file and a link or rename; object stores give it by nature,
with a conditional write for ``create``.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from storage.errors import ConfigError, SchemaMismatch, StorageError, StoreUnreachable

_TEMPORARY = ".tmp-"
_READS_AT_ONCE = 8
_LONGEST_WRITE_S = 3600
"""A temporary file that is older is nobody's any more."""
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""What filesystems call the time at which an object was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object as its folder lists it."""

    size_bytes: int
    modified: datetime
    """By the clock of the storage."""


class Store:
    """Verbs over the objects below one root URL; keys are relative, '/'-separated."""

    def __init__(self, url: str) -> None:
        """Resolve the URL; nothing is created or contacted yet.

        Raises:
            ConfigError: no filesystem is installed for the URL's protocol.
        """
        try:
            self.fs, self.root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as cause:
            raise ConfigError(f"location {public_url(url)!r}", str(cause), "check the URL's protocol") from cause
        self.url = url
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def path(self, key: str) -> str:
        """Return the key's path inside the filesystem."""
        return f"{self.root.rstrip('/')}/{key}"

    def exists(self, key: str) -> bool:
        """Return whether an object or folder stands under the key."""
        with self._reaching(key):
            return bool(self.fs.exists(self.path(key)))

    def list(self, prefix: str) -> list[str]:
        """Return the names directly under a folder, sorted; an absent folder is empty."""
        with self._reaching(prefix):
            self.fs.invalidate_cache()
            try:
                names = self.fs.ls(self.path(prefix), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        leaves = (str(name).rstrip("/").rsplit("/", 1)[-1] for name in names)
        return sorted(leaf for leaf in leaves if not leaf.startswith(_TEMPORARY))

    def entries(self, prefix: str) -> dict[str, Entry]:
        """Return the objects directly under a folder, by name, sorted; an absent folder is empty."""
        with self._reaching(prefix):
            self.fs.invalidate_cache()
            try:
                found = self.fs.ls(self.path(prefix), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
            named = {str(one["name"]).rsplit("/", 1)[-1]: one for one in found if one["type"] == "file"}
            return {
                name: Entry(size_bytes=one["size"] or 0, modified=self._modified(one))
                for name, one in sorted(named.items())
                if name and not name.startswith(_TEMPORARY)
            }

    def read(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            FileNotFoundError: no such object.
            StoreUnreachable: the storage failed.
        """
        with self._reaching(key):
            data: bytes = self.fs.cat_file(self.path(key))
            return data

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing what was there."""
        with self._reaching(key):
            if not self.is_local:
                self.fs.pipe_file(self.path(key), data)
                return
            with _local_temporary(self.path(key), data) as temporary:
                temporary.replace(self.path(key))

    def put_file(self, key: str, path: Path) -> None:
        """Write a local file as an object, a piece at a time, replacing what was there."""
        with self._reaching(key):
            if not self.is_local:
                self.fs.put_file(str(path), self.path(key))
                return
            with _local_temporary(self.path(key), b"") as temporary:
                shutil.copyfile(path, temporary)
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
                temporary.replace(self.path(key))

    def create(self, key: str, data: bytes) -> bool:
        """Write the object unless one is there; return whether it was written. Decides races."""
        with self._reaching(key):
            try:
                if not self.is_local:
                    self.fs.pipe_file(self.path(key), data, mode="create")
                    return True
                with _local_temporary(self.path(key), data) as temporary:
                    os.link(temporary, self.path(key))
            except FileExistsError:
                return False
            return True

    def delete(self, key: str) -> None:
        """Remove the object if it is there."""
        with self._reaching(key), suppress(FileNotFoundError):
            self.fs.rm_file(self.path(key))

    def delete_leftovers(self, prefix: str) -> None:
        """Remove what writers that were killed have left directly under a folder of a local disk."""
        if not self.is_local:
            return
        with self._reaching(prefix):
            for path in Path(self.path(prefix)).glob(f"{_TEMPORARY}*"):
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _LONGEST_WRITE_S:
                        path.unlink()

    def read_json(self, key: str) -> Any:
        """Return the decoded JSON object."""
        return json.loads(self.read(key))

    def read_jsons(self, prefix: str) -> dict[str, Any]:
        """Return the decoded JSON objects directly under a folder, by name, sorted; not what vanishes meanwhile.

        Raises:
            StoreUnreachable: the storage failed.
        """

        def read(name: str) -> Any:
            with suppress(FileNotFoundError):
                return self.read_json(f"{prefix}/{name}")
            return None

        names = self.list(prefix)
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:  # objects far away take long to come, and come side by side
            values = list(pool.map(read, names))
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    def put_json(self, key: str, value: object) -> None:
        """Write a JSON object, replacing what was there."""
        self.put(key, json_bytes(value))

    def write_table(self, key: str, table: pa.Table) -> None:
        """Write a Parquet file; the write is also the check that no required value is missing.

        Raises:
            SchemaMismatch: a null stands where the schema allows none.
        """
        buffer = io.BytesIO()
        try:
            pq.write_table(table, buffer, compression="zstd")
        except pa.ArrowInvalid as cause:
            raise SchemaMismatch(f"table {key}", str(cause), "this is a defect; please report it") from cause
        self.put(key, buffer.getvalue())

    def read_table(self, key: str, schema: pa.Schema | None = None) -> pa.Table:
        """Return a Parquet file of that schema; without one, as it is.

        Columns that it lacks are null, where they may be.

        Raises:
            SchemaMismatch: the file was written with other columns.
        """
        table = pq.ParquetFile(pa.BufferReader(self.read(key))).read()  # read_table loads pyarrow.dataset
        if schema is None:
            return table
        try:
            lacking = [field for field in schema if field.nullable and field.name not in table.column_names]
            for field in lacking:
                table = table.append_column(field, pa.nulls(len(table), field.type))
            return table.select(schema.names).cast(schema)
        except (KeyError, pa.ArrowInvalid) as cause:
            raise SchemaMismatch(f"table {key}", str(cause), "read it with the version that wrote it") from cause

    def _modified(self, info: Mapping[str, Any]) -> datetime:
        """Return when an object was written, from its listing if that says so."""
        found = next((info[name] for name in _TIMES if info.get(name) is not None), None)
        if isinstance(found, (int, float)):
            return datetime.fromtimestamp(found, UTC)
        if not isinstance(found, datetime):
            found = self.fs.modified(info["name"])
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @contextmanager
    def _reaching(self, key: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except (ConnectionError, TimeoutError) as cause:
            raise StoreUnreachable(f"{public_url(self.url)}/{key}", str(cause), "it is tried again") from cause
        except OSError as cause:
            raise StorageError(
                f"{public_url(self.url)}/{key}", str(cause), "check permission and free space, then run again"
            ) from cause


def json_bytes(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def public_url(url: str) -> str:
    """Return the URL without user, password and query, for messages and the lake itself."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path, "", ""))


def absolute_url(url: str) -> str:
    """Return a URL that means the same in every process: local paths made absolute, no trailing slash."""
    if "://" in url or "::" in url:
        return url if url.endswith("://") else url.rstrip("/")
    return str(Path(url).expanduser().absolute())


@contextmanager
def _local_temporary(path: str, data: bytes) -> Iterator[Path]:
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{_TEMPORARY}{uuid.uuid4().hex}"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
