"""Tell a query that is wrong from a storage that fails: DuckDB passes on what libraries of storage raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from storage.addresses import public_url
from storage.errors import StorageError
from storage.lake import Lake

_IN_SEARCH = "Python exception occurred while executing the UDF: "
"""What DuckDB says before an error of the function that searches, which asks DuckDB in turn."""


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
        words = str(cause).rpartition(_IN_SEARCH)[2].splitlines()[0]
        if not _is_of_storage(cause, words, lake_url):
            raise
        problem = f"a published file cannot be read ({words})"
        raise StorageError(f"lake {public_url(lake_url)!r}", problem, "ask again, or check the storage") from cause


def _is_of_storage(cause: duckdb.Error, words: str, lake_url: str) -> bool:
    """Return whether Python raised it inside of DuckDB, whose own errors have a kind, or a file of the lake is gone."""
    if _IN_SEARCH in str(cause):
        return words.startswith(("Error: ", "IOException: "))
    is_file = isinstance(cause, duckdb.IOException) and Lake(lake_url).store.path("published/") in str(cause)
    return is_file or type(cause) is duckdb.Error
