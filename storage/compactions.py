"""Compactions: the facts of many small commits again, in few large files.

    compactions/<compaction>.json          which commits it holds; written last: it counts from here on
    facts/<table>/<compaction>.parquet     their facts, each row with its commit, by run and recording
    facts/done/<compaction>.parquet        what these commits said was done
    facts/sightings/<compaction>.parquet   what they saw of archives

A compaction changes where facts are and nothing else: every row still belongs to the commit that wrote it, so whose
facts count is decided as before. Where several hold a commit, the last by name is read; any would do. The files that
it replaces stay until nobody reads them any more (``tasks.maintenance``).

Runs are one after the other, and a run's recordings are in the order in which they are published, so that a part finds
its facts in few row groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.schemas import FACTS, SIGHTINGS, WHOLES
from storage.store import Store, json_bytes

FOLDER = "compactions"
INDEX: Mapping[str, pa.Schema] = {"done": WHOLES["done"], "sightings": SIGHTINGS}
"""What a compaction holds besides facts, so that it can stand for its commits alone."""

LONGEST_WRITE = timedelta(days=1)
"""After which files that no manifest names are nobody's any more."""

_COMMIT = pa.field("commit_id", pa.string(), nullable=False)
_GROUP_ROWS = 16_384
_GROUP_VECTORS = 1_024

RowKey = tuple[str, str, str]
"""commit_id, recording_id, recipe: what tells the rows of one fact from others in a file."""
_KEY_COLUMNS = ("commit_id", "recording_id", "recipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """Where the facts of some commits are."""

    compaction_id: str
    commits: Mapping[str, str]
    """The run that made each commit, by commit."""
    files: Mapping[str, str]
    """Key of the file of each table, facts and ``INDEX``."""


def compaction_key(compaction_id: str) -> str:
    """Return the key of a compaction's manifest."""
    return f"{FOLDER}/{compaction_id}.json"


def read_compactions(store: Store) -> list[Compaction]:
    """Return all compactions, oldest first by name."""
    return [Compaction(**one) for one in store.read_jsons(FOLDER).values()]


def write_compaction(store: Store, compaction: Compaction) -> None:
    """Make a compaction count; its files are there."""
    store.create(compaction_key(compaction.compaction_id), json_bytes(asdict(compaction)))


def compaction_of(compactions: Sequence[Compaction]) -> dict[str, Compaction]:
    """Return the compaction in which each commit is read, by commit."""
    return {commit_id: one for one in compactions for commit_id in one.commits}


def compacted_schema(table: str, columns: Collection[str] | None = None) -> pa.Schema:
    """Return the schema of a fact table whose rows say their commit; of some columns, with what tells rows apart."""
    return fact_schema(table, columns).append(_COMMIT)


def fact_schema(table: str, columns: Collection[str] | None = None) -> pa.Schema:
    """Return the schema of a fact table; of some columns, with what tells rows apart."""
    wanted = None if columns is None else {*columns, "recording_id", "recipe"}
    return pa.schema([field for field in FACTS[table] if wanted is None or field.name in wanted])


def with_commit(rows: pa.Table, commit_id: str) -> pa.Table:
    """Return the facts of one commit with its name on each row."""
    return rows.append_column(_COMMIT, pa.array([commit_id], pa.string()).take(pa.array(np.zeros(len(rows), np.int64))))


def in_reading_order(table: str, rows: pa.Table) -> pa.Table:
    """Return rows as a compaction keeps them; of one recording and commit they stay in order."""
    names = ("commit_id",) if table in INDEX else ("run_id", "recording_id")
    return rows.take(pc.sort_indices(rows, [(name, "ascending") for name in names])).combine_chunks()


def write_compacted(store: Store, key: str, table: str, rows: pa.Table) -> None:
    """Write a file of a compaction, in row groups that can be read alone."""
    store.write_table(key, in_reading_order(table, rows), group_rows=group_rows(table))


def group_rows(table: str) -> int:
    """Return the most rows of a row group."""
    return _GROUP_VECTORS if table == "fingerprints" else _GROUP_ROWS


def read_facts(
    store: Store, key: str, table: str, wanted: Collection[RowKey], columns: Sequence[str] | None, *, is_compacted: bool
) -> pa.Table:
    """Return the rows of some facts out of a file, in their order.

    Args:
        store: Where the file is.
        key: The file.
        table: Of which fact table.
        wanted: Which rows.
        columns: Which columns, at least; all by default.
        is_compacted: Whether it is a compaction's, else all rows are of one commit.

    Raises:
        TableGone: there is no such file.
        SchemaMismatch: the file was written with other columns.
    """
    if is_compacted:
        rows = store.read_groups(key, compacted_schema(table, columns), lambda metadata: _groups(metadata, wanted))
    else:
        rows = store.read_table(key, fact_schema(table, columns))
    names = _KEY_COLUMNS if is_compacted else _KEY_COLUMNS[1:]
    chosen = rows.filter(_is_wanted(rows, dict(zip(_KEY_COLUMNS, zip(*wanted, strict=True), strict=True)), names))
    return chosen.select(FACTS[table].names if columns is None else list(columns))


def _is_wanted(rows: pa.Table, wanted: Mapping[str, Sequence[str]], names: Sequence[str]) -> pa.Array:
    """Return which rows have, in all columns together, what one of the wanted has."""
    code = np.zeros(len(rows), np.int64)
    wanted_code = np.zeros(len(next(iter(wanted.values()))), np.int64)
    is_known = np.ones(len(rows), np.bool_)
    for name in names:
        values = pa.array(wanted[name], pa.string()).dictionary_encode()
        place = pc.index_in(rows[name], value_set=values.dictionary).fill_null(-1).to_numpy()
        is_known &= place >= 0
        code = code * len(values.dictionary) + place
        wanted_code = wanted_code * len(values.dictionary) + values.indices.to_numpy()
    return pa.array(is_known & np.isin(code, wanted_code))


def _groups(metadata: pq.FileMetaData, wanted: Collection[RowKey]) -> list[int]:
    """Return the row groups that may hold wanted rows, by the least and the greatest of their values."""
    leaves = {metadata.schema.column(at).path: at for at in range(len(metadata.schema))}
    at = [leaves[name] for name in _KEY_COLUMNS[:2]]

    def may_hold(group: int) -> bool:
        found = [metadata.row_group(group).column(one).statistics for one in at]
        if not all(one is not None and one.has_min_max for one in found):
            return True
        commits, recordings = found
        return any(
            commits.min <= commit_id <= commits.max and recordings.min <= recording_id <= recordings.max
            for commit_id, recording_id, _ in wanted
        )

    return [group for group in range(metadata.num_row_groups) if may_hold(group)]
