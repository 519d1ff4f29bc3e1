"""Columns of large tables as Python values, few objects for many rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def shared_values(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values; equal ones are one object, for an index of a large lake is mostly repetition."""
    encoded = column.combine_chunks().dictionary_encode()
    values = [*encoded.dictionary.to_pylist(), None]
    return [values[code] for code in encoded.indices.fill_null(len(values) - 1).to_pylist()]
