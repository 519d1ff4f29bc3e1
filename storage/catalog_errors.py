"""Tell a query that is wrong from a storage that fails: DuckDB passes on what libraries of storage raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from storage.addresses import public_url
from storage.errors import StorageError
from storage.lake import Lake


@contextmanager
def asking(lake_url: str) -> Iterator[None]:
    """Say of queries over a lake's catalog that its storage failed, where it did.

    Raises:
        StorageError: a file of the lake is gone, as it may be once the connection is older than the grace time of
            maintenance, or cannot be read.
        duckdb.Error: a query is wrong.
    """
    try:
        yield
    except duckdb.Error as cause:
        is_foreign = type(cause) is duckdb.Error  # what Python raised inside of DuckDB; its own errors have a kind
        is_file = isinstance(cause, duckdb.IOException) and Lake(lake_url).store.path("published/") in str(cause)
        if not is_foreign and not is_file:
            raise
        problem = f"a published file cannot be read ({str(cause).splitlines()[0]})"
        raise StorageError(f"lake {public_url(lake_url)!r}", problem, "ask again, or check the storage") from cause
