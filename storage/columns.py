"""Columns of large tables as Python values, few objects for many rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa


def shared_values(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values; equal ones are one object, for an index of a large lake is mostly repetition."""
    encoded = column.combine_chunks().dictionary_encode()
    values = [*encoded.dictionary.to_pylist(), None]
    return [values[code] for code in encoded.indices.fill_null(len(values) - 1).to_pylist()]


def table_of_columns(of_column: Mapping[str, Iterable[Any]], schema: pa.Schema) -> pa.Table:
    """Return columns of Python values as a table; one after the other, so that no row is ever an object."""
    columns = [pa.array(list(of_column[field.name]), type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
