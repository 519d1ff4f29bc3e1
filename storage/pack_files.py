"""Write the files of a pack: rows of many parts, sorted, in memory of a fixed size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from storage.errors import StorageError
from storage.lake import Lake
from storage.lake_records import Part
from storage.packs import PACKED, PLACES
from storage.parquet_sql import PART_ID, connect, quoted, rows_of
from storage.terms import TERM_MACROS, terms_sql

_MEMORY = "2GB"
"""For sorting 1.2 million utterances and 12 million words 1.3 GB were enough."""
_BY_SPEAKER = "speaker_id, recording_id, utterance_index"
_ORDER: Mapping[str, str] = {
    "transcripts": _BY_SPEAKER,
    "words": "recording_id, word_index",
    "turns": "recording_id, start_ms, end_ms, local_speaker, is_exclusive",
    "coverage": "recording_id, start_ms",
    "terms": "term, part_id, row",
    PLACES: "part_id, row",
}
_GROUP_ROWS: Mapping[str, int] = {"transcripts": 8_192, PLACES: 8_192}
"""Rows of a row group, from which single utterances are fetched; of other tables more are read at a time."""
_USUAL_GROUP_ROWS = 61_440


def write_pack_tables(lake: Lake, parts: Sequence[Part], folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the pack's tables and the local file of each; the caller takes a file away before the next is written.

    Raises:
        StorageError: the storage failed, or there was no room to sort.
    """
    with connect(lake) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET temp_directory = {quoted(str(folder / 'sorting'))}")
        connection.execute("CREATE SCHEMA published")
        for macro in TERM_MACROS:
            connection.execute(macro)
        for table in (*PACKED, PLACES):
            path = folder / f"{table}.parquet"
            try:
                _copy(connection, table, _rows(lake, table, parts), path)
            except duckdb.Error as cause:
                remedy = "check free space in the temporary folder, then maintain the lake again"
                raise StorageError(f"pack of {len(parts)} parts, table {table}", str(cause), remedy) from cause
            yield table, path


def _copy(connection: duckdb.DuckDBPyConnection, table: str, rows: str, path: Path) -> None:
    group_rows = _GROUP_ROWS.get(table, _USUAL_GROUP_ROWS)
    options = f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE {group_rows}"
    connection.execute(f"COPY ({rows} ORDER BY {_ORDER[table]}) TO {quoted(str(path))} ({options})")


def _rows(lake: Lake, table: str, parts: Sequence[Part]) -> str:
    """Return a query of the parts' rows of a table, with their part_id."""
    if table == "terms":
        return postings_sql(lake, parts)
    if table == PLACES:
        place = f"row_number() OVER (ORDER BY {_BY_SPEAKER})::INTEGER - 1"
        return (
            f"SELECT {PART_ID} AS part_id, file_row_number::INTEGER AS row, {place} AS place FROM {_texts(lake, parts)}"
        )
    keys = [part.files[table] for part in parts]
    return f"SELECT * EXCLUDE (filename), {PART_ID} AS part_id FROM {rows_of(lake, keys, 'filename = true')}"


def postings_sql(lake: Lake, parts: Sequence[Part]) -> str:
    """Return a query of part_id, term, row, n and n_words of some parts; parts without an index are indexed as read."""
    indexed = [part.files["terms"] for part in parts if "terms" in part.files]
    others = [part for part in parts if "terms" not in part.files]
    queries = []
    if indexed:
        rows = rows_of(lake, indexed, "filename = true")
        queries.append(f"SELECT {PART_ID} AS part_id, term, row, n, n_words FROM {rows}")
    if others:
        rows = (
            f"SELECT {PART_ID} AS part_id, file_row_number::INTEGER AS row, text, n_words FROM {_texts(lake, others)}"
        )
        queries.append(f"SELECT part_id, term, row, n, n_words FROM ({terms_sql(rows)})")
    return f"SELECT * FROM ({' UNION ALL '.join(queries)})"


def _texts(lake: Lake, parts: Sequence[Part]) -> str:
    keys = [part.files["transcripts"] for part in parts]
    return rows_of(lake, keys, "filename = true", "file_row_number = true")
