"""Read a part's published tables recording by recording, in the order they were written, few rows at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.errors import SchemaMismatch
from storage.lake import Lake

Row = dict[str, Any]

_BATCH_ROWS = 4096
"""Rows that are Python objects at a time, besides those of the recording in hand."""


def rows_by_recording(
    lake: Lake, key: str, columns: Sequence[str], wanted: Collection[str]
) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each wanted recording that has some, sorted by recording_id as the file is.

    Args:
        lake: The lake.
        key: A published file of a table in ``storage.schemas.PARTS`` that is sorted by recording.
        columns: What is read, besides recording_id, which rows do not carry.
        wanted: recording_ids.

    Raises:
        SchemaMismatch: the file is not sorted.
        StorageError: the file cannot be read.
    """
    value_set = pa.array(sorted(wanted), pa.string())
    file = pq.ParquetFile(pa.BufferReader(lake.store.read(key)))
    batches = file.iter_batches(_BATCH_ROWS, columns=["recording_id", *columns])
    kept = (batch.filter(pc.is_in(batch["recording_id"], value_set=value_set)) for batch in batches)
    rows = chain.from_iterable(batch.to_pylist() for batch in kept)
    before = ""
    for recording_id, group in groupby(rows, key=lambda row: row.pop("recording_id")):
        if recording_id <= before:
            raise SchemaMismatch(f"table {key}", "is not sorted by recording", "publish the lake again with a run")
        before = recording_id
        yield recording_id, list(group)
