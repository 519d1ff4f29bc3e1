"""Objects under one root, on any filesystem that fsspec reaches, with atomic writes.

Two writes exist: ``put`` replaces, ``create`` refuses to. Both leave either the whole object or nothing, whenever
the process dies. On a local disk that takes a temporary file and a link or rename (``storage.local_files``); object
stores give it by nature, with a conditional write for ``create`` (``storage.conditional_writes``).
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from storage.addresses import public_url
from storage.conditional_writes import create_object
from storage.deleting import delete_together
from storage.errors import ConfigError
from storage.filesystems import is_s3, open_filesystem
from storage.listings import Entry, entries_of, written_at
from storage.local_files import TEMPORARY, delete_leftovers, flushed_temporary
from storage.parquet_files import Chooser, parquet_bytes, parquet_table
from storage.reaching import reaching, reading_table, writing

_READS_AT_ONCE = 8
_DELETES_AT_ONCE = 8
_BLOCK_BYTES = 1 << 20
"""Read at once of an object far away of which only parts are wanted."""


class Store:
    """Verbs over the objects below one root URL; keys are relative, '/'-separated."""

    def __init__(self, url: str) -> None:
        """Resolve the URL; nothing is created or contacted yet.

        Raises:
            ConfigError: no filesystem is installed for the URL's protocol.
        """
        try:
            self.fs, self.root = open_filesystem(url)
        except (ValueError, ImportError) as cause:
            raise ConfigError(f"location {public_url(url)!r}", str(cause), "check the URL's protocol") from cause
        self.url = url
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def path(self, key: str) -> str:
        """Return the key's path inside the filesystem."""
        return f"{self.root.rstrip('/')}/{key}"

    def exists(self, key: str) -> bool:
        """Return whether an object or folder stands under the key."""
        with reaching(self._place(key)):
            self.fs.invalidate_cache(self.path(key))
            try:
                self.fs.info(self.path(key))  # fs.exists says no to whatever went wrong
            except (FileNotFoundError, NotADirectoryError):
                return False
            return True

    def list(self, prefix: str) -> list[str]:
        """Return the names directly under a folder, sorted; an absent folder is empty."""
        with reaching(self._place(prefix)):
            self.fs.invalidate_cache(self.path(prefix))
            try:
                names = self.fs.ls(self.path(prefix), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        leaves = (str(name).rstrip("/").rsplit("/", 1)[-1] for name in names)
        return sorted(leaf for leaf in leaves if not leaf.startswith(TEMPORARY))

    def entries(self, prefix: str) -> dict[str, Entry]:
        """Return the objects directly under a folder, by name, sorted; an absent folder is empty."""
        with reaching(self._place(prefix)):
            self.fs.invalidate_cache()
            try:
                found = self.fs.ls(self.path(prefix), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
            return {name: one for name, one in entries_of(self.fs, found).items() if not name.startswith(TEMPORARY)}

    def now(self) -> datetime:
        """Return the time by the clock that ``entries`` tells times by; writes an object and removes it."""
        key = f"{TEMPORARY}{uuid.uuid4().hex}"
        self.put(key, b"")
        found = self.modified(key)
        self.delete(key)
        return found or datetime.now(UTC)

    def modified(self, key: str) -> datetime | None:
        """Return when an object was written, by the clock of the storage; None where there is none."""
        with reaching(self._place(key)), suppress(FileNotFoundError):
            self.fs.invalidate_cache()
            return written_at(self.fs, self.fs.info(self.path(key)))
        return None

    def read(self, key: str, *, start: int | None = None, end: int | None = None) -> bytes:
        """Return the object's bytes, or those from ``start`` up to ``end``.

        Raises:
            FileNotFoundError: no such object.
            StoreUnreachable: the storage failed.
        """
        with reaching(self._place(key)):
            data: bytes = self.fs.cat_file(self.path(key), start=start, end=end)
            return data

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing what was there.

        Raises:
            StorageError: it cannot be written.
        """
        with writing(self._place(key)):
            if not self.is_local:
                self.fs.pipe_file(self.path(key), data)
                return
            with flushed_temporary(self.path(key), data) as temporary:
                temporary.replace(self.path(key))

    def put_file(self, key: str, path: Path) -> None:
        """Write a local file as an object, a piece at a time, replacing what was there."""
        with reaching(self._place(key)):
            if not self.is_local:
                self.fs.put_file(str(path), self.path(key))
                return
            with flushed_temporary(self.path(key), b"") as temporary:
                shutil.copyfile(path, temporary)
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
                temporary.replace(self.path(key))

    def create(self, key: str, data: bytes) -> bool:
        """Write the object unless one is there; return whether it was written. Decides races.

        Raises:
            StorageError: it cannot be written.
        """
        with writing(self._place(key)):
            try:
                if not self.is_local:
                    return create_object(self.fs, self.path(key), data)
                with flushed_temporary(self.path(key), data) as temporary:
                    os.link(temporary, self.path(key))
            except FileExistsError:
                return False
            return True

    def check_conditions(self, key: str) -> None:
        """Make sure that the storage leaves alone an object that is there when it is told to create it.

        Raises:
            ConfigError: it wrote over the object; no race would be decided there.
        """
        if self.create(key, b""):
            problem = "its storage ignores the condition of a write (If-None-Match), so two runs could undo each other"
            raise ConfigError(public_url(self.url), problem, "use storage that keeps it: see docs/storage.md")

    def learn_names(self, prefix: str) -> None:
        """Have the filesystem know the objects anywhere below a folder, for who will ask it of each many times over."""
        if not self.is_local:
            with reaching(self._place(prefix)):
                self.fs.invalidate_cache()  # s3fs keeps what it knew of a folder, whatever it finds there now
                self.fs.find(self.path(prefix))

    def delete(self, key: str) -> None:
        """Remove the object if it is there."""
        with reaching(self._place(key)), suppress(FileNotFoundError):
            self.fs.rm_file(self.path(key))

    def delete_all(self, keys: Iterable[str]) -> None:
        """Remove objects, many at a time; those that are gone already do not matter.

        Raises:
            StorageError: one of them cannot be removed; others may be gone.
            StoreUnreachable: the storage failed.
        """
        left = list(keys)
        if is_s3(self.fs) and left:
            with reaching(self._place("")):
                paths = delete_together(self.fs, [self.path(key) for key in left])
            left = [key for key in left if self.path(key) in paths]
        with ThreadPoolExecutor(_DELETES_AT_ONCE) as pool:
            list(pool.map(self.delete, left))  # what S3 left; its error says why

    def delete_leftovers(self, prefix: str) -> None:
        """Remove what writers that were killed have left directly under a folder of a local disk."""
        if not self.is_local:
            return
        with reaching(self._place(prefix)):
            delete_leftovers(self.path(prefix))

    def read_json(self, key: str) -> Any:
        """Return the decoded JSON object."""
        return json.loads(self.read(key))

    def read_jsons(self, prefix: str, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Return the decoded JSON objects directly under a folder, by name, sorted; not what vanishes meanwhile.

        Args:
            prefix: The folder.
            names: Only these, in this order.

        Raises:
            StoreUnreachable: the storage failed.
        """

        def read(name: str) -> Any:
            with suppress(FileNotFoundError):
                return self.read_json(f"{prefix}/{name}")
            return None

        names = self.list(prefix) if names is None else names
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:  # objects far away take long to come, and come side by side
            values = list(pool.map(read, names))
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    def put_json(self, key: str, value: object) -> None:
        """Write a JSON object, replacing what was there."""
        self.put(key, json_bytes(value))

    def write_table(self, key: str, table: pa.Table, *, group_rows: int | None = None) -> None:
        """Write a Parquet file; the write is also the check that no required value is missing.

        Args:
            key: Where to.
            table: What.
            group_rows: Most rows of a row group; as many as Arrow likes by default.

        Raises:
            SchemaMismatch: a null stands where the schema allows none.
        """
        self.put(key, parquet_bytes(key, table, group_rows=group_rows))

    def read_table(self, key: str, schema: pa.Schema | None = None) -> pa.Table:
        """Return a Parquet file of that schema; without one, as it is.

        Columns that it lacks are null, where they may be.

        Raises:
            SchemaMismatch: the file was written with other columns.
            TableGone: there is no such file.
        """
        with reading_table(self._place(key)):
            return parquet_table(key, pa.BufferReader(self.read(key)), schema)

    def read_groups(self, key: str, schema: pa.Schema, chosen: Chooser) -> pa.Table:
        """Return the row groups of a Parquet file that are chosen by its metadata; the others are not fetched.

        Raises:
            SchemaMismatch: the file was written with other columns.
            TableGone: there is no such file.
        """
        with reading_table(self._place(key)), reaching(self._place(key)), self._open(key) as source:
            return parquet_table(key, source, schema, chosen)

    def _open(self, key: str) -> Any:
        """Return a file that can be read anywhere in it."""
        if self.is_local:
            return pa.OSFile(self.path(key))
        return self.fs.open(self.path(key), "rb", block_size=_BLOCK_BYTES)

    def _place(self, key: str) -> str:
        """Return what errors call an object."""
        return f"{public_url(self.url)}/{key}"


def json_bytes(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
