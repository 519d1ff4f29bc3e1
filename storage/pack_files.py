"""Write the files of a pack: rows of many parts, sorted, in memory of a fixed size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from storage.errors import StorageError
from storage.lake import Lake
from storage.lake_records import Part
from storage.packs import PACKED
from storage.parquet_sql import PART_ID, PART_NUMBER, connect, quoted, rows_of
from storage.terms import TERM_MACROS, followed_terms_sql

_MEMORY = "1500MB"
"""For sorting. Of 1.2 million utterances with 14 million words the process took 1.7 GB, and with 1 GB here 1.3."""
_BY_SPEAKER = "speaker_id, recording_id, utterance_index"
_ORDER: Mapping[str, str] = {
    "transcripts": _BY_SPEAKER,
    "words": "recording_id, word_index",
    "turns": "recording_id, start_ms, end_ms, local_speaker, is_exclusive",
    "coverage": "recording_id, start_ms",
    "terms": "term, part, row",
}
_USUALLY = "COMPRESSION zstd, ROW_GROUP_SIZE 61440"
_LAYOUT: Mapping[str, str] = {
    # Single utterances are fetched, so that what is read with each is to be little and quickly unpacked.
    "transcripts": "COMPRESSION lz4_raw, ROW_GROUP_SIZE 8192",
    # Each query looks at what is known of every row group; that is most of the time of one for a rare word.
    "terms": "COMPRESSION zstd, ROW_GROUP_SIZE 122880",
}


class PackTables:
    """The tables of a pack while they are made; to be entered."""

    def __init__(self, lake: Lake, parts: Sequence[Part], folder: Path) -> None:
        """Files are written into a folder, which is used for sorting as well."""
        self._lake, self._parts, self._folder = lake, parts, folder

    def __enter__(self) -> Self:
        """Find out where each utterance will be.

        Raises:
            StorageError: the storage failed, or there was no room to sort.
        """
        self._connection = connect(self._lake)
        for statement in (
            f"SET memory_limit = '{_MEMORY}'",
            f"SET temp_directory = {quoted(str(self._folder / 'sorting'))}",
            "CREATE SCHEMA published",
            *TERM_MACROS,
        ):
            self._connection.execute(statement)
        self._execute(
            "transcripts",
            f"""CREATE TABLE published.places AS
            SELECT {PART_NUMBER} AS part, file_row_number::INTEGER AS row, n_words,
                   row_number() OVER (ORDER BY {_BY_SPEAKER})::INTEGER - 1 AS place
            FROM {_texts(self._lake, self._parts)}""",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget everything."""
        self._connection.close()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return how many utterances each part has, and words in them."""
        by_number = {int(part.part_id, 16): part.part_id for part in self._parts}
        counted = "SELECT part, count(*), coalesce(sum(n_words), 0) FROM published.places GROUP BY part"
        found = self._connection.execute(counted).fetchall()
        return dict.fromkeys(by_number.values(), (0, 0)) | {
            by_number[number]: (n_utterances, n_words) for number, n_utterances, n_words in found
        }

    def write(self) -> Iterator[tuple[str, Path]]:
        """Yield each table and its local file; the caller takes a file away before the next is written.

        Raises:
            StorageError: the storage failed, or there was no room to sort.
        """
        for table in PACKED:
            path = self._folder / f"{table}.parquet"
            options = f"FORMAT parquet, PARQUET_VERSION v2, {_LAYOUT.get(table, _USUALLY)}"
            self._execute(
                table, f"COPY ({self._rows(table)} ORDER BY {_ORDER[table]}) TO {quoted(str(path))} ({options})"
            )
            yield table, path

    def _rows(self, table: str) -> str:
        """Return a query of the parts' rows of a table; of all but the index with their part_id."""
        if table == "terms":
            numbered = f"SELECT {PART_NUMBER} AS part, file_row_number::INTEGER AS row, text"
            texts = f"{numbered} FROM {_texts(self._lake, self._parts)}"
            placed = followed_terms_sql(f"SELECT * FROM ({texts}) JOIN published.places USING (part, row)")
            return f"SELECT term, part, row, place, n, n_words, followers FROM ({placed})"
        keys = [part.files[table] for part in self._parts]
        return f"SELECT * EXCLUDE (filename), {PART_ID} AS part_id FROM {rows_of(self._lake, keys, 'filename = true')}"

    def _execute(self, table: str, statement: str) -> None:
        try:
            self._connection.execute(statement)
        except duckdb.Error as cause:
            remedy = "check free space in the temporary folder, then maintain the lake again"
            raise StorageError(f"pack of {len(self._parts)} parts, table {table}", str(cause), remedy) from cause


def _texts(lake: Lake, parts: Sequence[Part]) -> str:
    keys = [part.files["transcripts"] for part in parts]
    return rows_of(lake, keys, "filename = true", "file_row_number = true")
