"""SQL that reads objects of a lake; what DuckDB cannot open by itself it opens through fsspec."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from storage.lake import Lake

PART_ID = "regexp_extract(parse_filename(filename), '^[^-.]+')"
"""Part of a row, where the name of its file is read: part_ids have no hyphen."""
PART_NUMBER = f"('0x' || {PART_ID})::BIGINT"
"""The same as a number, which is quicker to compare: part_ids are hexadecimal digits, as many in each."""


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection in memory that reads the lake's files and shows instants in UTC."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # on its cursors, too
    connection.execute("SET enable_progress_bar = false")  # in a notebook it would stand among the output
    if not lake.store.is_local:
        lake.store.learn_names("published")  # DuckDB asks a dozen times what each file is, at every query
        connection.register_filesystem(lake.store.fs)
    return connection


def rows_of(lake: Lake, keys: Sequence[str], *options: str) -> str:
    """Return ``read_parquet(…)`` of these objects, in this order; options as DuckDB has them."""
    paths = [lake.store.path(key) for key in keys]
    if not lake.store.is_local:
        paths = [lake.store.fs.unstrip_protocol(path) for path in paths]
    listed = ", ".join(quoted(_literal(path)) for path in paths)
    return f"read_parquet({', '.join([f'[{listed}]', 'hive_partitioning = false', *options])})"


def quoted(text: str) -> str:
    """Return a text as a literal."""
    return "'" + text.replace("'", "''") + "'"


def _literal(path: str) -> str:
    """Return a pattern that means this very path, whatever its folders are called."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)
