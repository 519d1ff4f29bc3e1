"""Tables as bytes of a Parquet file, and back, in the columns of a schema."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import SchemaMismatch

Chooser = Callable[[pq.FileMetaData], Sequence[int]]
"""Says by a file's metadata which row groups are wanted."""


def parquet_bytes(key: str, table: pa.Table, *, group_rows: int | None = None) -> bytes:
    """Return a table as a Parquet file; writing it is also the check that no required value is missing.

    Raises:
        SchemaMismatch: a null stands where the schema allows none.
    """
    buffer = io.BytesIO()
    try:
        pq.write_table(table, buffer, compression="zstd", row_group_size=group_rows)
    except pa.ArrowInvalid as cause:
        raise SchemaMismatch(f"table {key}", str(cause), "this is a defect; please report it") from cause
    return buffer.getvalue()


def parquet_table(key: str, source: Any, schema: pa.Schema | None, chosen: Chooser | None = None) -> pa.Table:
    """Return the rows of a Parquet file.

    Args:
        key: What to call it in errors.
        source: The file, as Arrow reads it.
        schema: Of these columns, those that the file lacks null where they may be; None for the file's own.
        chosen: Only those row groups; all by default.

    Raises:
        SchemaMismatch: the file was written with other columns.
    """
    file = pq.ParquetFile(source)  # read_table loads pyarrow.dataset
    columns = _present(file, schema) if schema else None
    data = file.read_row_groups(list(chosen(file.metadata)), columns=columns) if chosen else file.read(columns=columns)
    return _of_schema(data, schema, key) if schema else data


def _present(file: pq.ParquetFile, schema: pa.Schema) -> list[str]:
    there = set(file.schema_arrow.names)
    return [name for name in schema.names if name in there]


def _of_schema(table: pa.Table, schema: pa.Schema, key: str) -> pa.Table:
    """Return a table with the columns of a schema, those that it lacks null where they may be."""
    try:
        for field in schema:
            if field.nullable and field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(schema.names).cast(schema)
    except (KeyError, pa.ArrowInvalid) as cause:
        raise SchemaMismatch(f"table {key}", str(cause), "read it with the version that wrote it") from cause
