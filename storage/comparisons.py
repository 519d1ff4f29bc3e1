"""Where two recipes differ: kept beside the publications, since facts never change and neither does what differs.

    disagreements/<batch>.parquet     where, and what each has there
    comparisons/<batch>.parquet       how much, one row per recording and pair; written last: the batch exists from here

Two recipes of a pair are in alphabetical order. What failed and was done again has other commits, and is compared
again: the latest counts. Two commands at once may compare the same; of these the first batch by name counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from storage.lake import Lake
from storage.publishing import inputs_digest
from storage.recipes import Stage
from storage.schemas import table_of

Row = dict[str, Any]


class ComparedKey(NamedTuple):
    """A recording, the two recipes of a stage that are compared in it, and the commits that own their facts."""

    recording_id: str
    stage: Stage
    one_recipe: str
    other_recipe: str
    one_commit: str
    other_commit: str


_WHERE = {"start_ms": pa.int64(), "end_ms": pa.int64(), "one_text": pa.string(), "other_text": pa.string()}
_HOW_MUCH = {"n_compared": pa.int64(), "n_differing": pa.int64()}
_KEY = dict.fromkeys((*ComparedKey._fields, "batch"), pa.string())
COMPARED: Mapping[str, pa.Schema] = {
    table: pa.schema([pa.field(name, kind, nullable=False) for name, kind in {**_KEY, **columns}.items()])
    for table, columns in (("disagreements", _WHERE), ("comparisons", _HOW_MUCH))
}
"""Every value is required."""


def compared_files(lake: Lake) -> Mapping[str, list[str]]:
    """Return the keys of the files of both tables; only of batches that are complete."""
    batches = [name for name in lake.store.list("comparisons") if name.endswith(".parquet")]
    return {table: [f"{table}/{name}" for name in batches] for table in COMPARED}


def compared_keys(lake: Lake) -> set[ComparedKey]:
    """Return what was compared before."""
    keys: set[ComparedKey] = set()
    for file in compared_files(lake)["comparisons"]:
        columns = lake.store.read_table(file, COMPARED["comparisons"]).select(list(ComparedKey._fields)).to_pydict()
        keys |= {ComparedKey(*row) for row in zip(*columns.values(), strict=True)}
    return keys


def write_compared(lake: Lake, comparisons: Iterable[Row], disagreements: Iterable[Row]) -> None:
    """Write a batch; its name says what it compares."""
    rows = {"disagreements": list(disagreements), "comparisons": list(comparisons)}
    batch = inputs_digest(sorted([row[name] for name in ComparedKey._fields] for row in rows["comparisons"]))
    for table, some in rows.items():
        data: pa.Table = table_of([row | {"batch": batch} for row in some], COMPARED[table])
        lake.store.write_table(f"{table}/{batch}.parquet", data)
