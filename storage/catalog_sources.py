"""What the catalog's views are made of: for each table of a publication the files that hold its rows, once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb
import pyarrow as pa

from storage.lake import Lake
from storage.lake_records import Part, Publication
from storage.packs import PACKED, Pack, Served, Serving, serve
from storage.parquet_sql import PART_NUMBER, quoted, rows_of
from storage.schemas import PARTS, WHOLES
from storage.terms import TERM_MACROS, terms_sql

_NO_POSTINGS = """SELECT '' AS term, 0::BIGINT AS part, 0 AS row, 0::BIGINT AS file, 0 AS place, 0 AS n, 0 AS n_words,
                         0::UBIGINT AS followers WHERE false"""
_NOTHING_PLACED = "SELECT *, 0::BIGINT AS place, 0::BIGINT AS file FROM published.transcripts WHERE false"


def create_sources(
    connection: duckdb.DuckDBPyConnection, lake: Lake, publication: Publication | None, packs: Sequence[Pack]
) -> None:
    """Create a view of each table in the schema ``published``, and what search needs.

    Args:
        connection: With the schema.
        lake: The lake.
        publication: What to show; nothing if None.
        packs: Copies to read instead of parts, where they hold them as they are published.

    Raises:
        duckdb.IOException: the file of a pack is gone.
    """
    serving = serve(publication.parts if publication else (), packs)
    for table, schema in PARTS.items():
        if table != "terms":
            create_source(connection, table, schema, _part_rows(lake, serving, table))
    for table, schema in WHOLES.items():
        keys = [publication.wholes[table]] if publication and table in publication.wholes else []
        create_source(connection, table, schema, file_rows(lake, keys))
    for macro in TERM_MACROS:
        connection.execute(macro)
    for name, queries in {
        "postings": _postings(lake, serving),
        "placed": _placed(lake, serving),
        "counted": _counted(lake, serving),
    }.items():
        connection.execute(f"CREATE VIEW published.{name} AS {' UNION ALL BY NAME '.join(queries)}")


def create_source(connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, queries: Sequence[str]) -> None:
    """Create a view over queries of a table's rows; over none, an empty table of the same columns.

    Columns that came after the files were written are null.
    """
    if not queries:
        create_table(connection, table, schema.empty_table())
        return
    rows = " UNION ALL BY NAME ".join(queries)
    connection.execute(f"CREATE VIEW published.{table} AS {rows}")
    present = connection.execute(f"DESCRIBE published.{table}").fetchall()
    if not {column for column, *_ in present}.issuperset(schema.names):
        create_table(connection, f"all_of_{table}", schema.empty_table())
        rows += f" UNION ALL BY NAME SELECT * FROM published.all_of_{table}"
        connection.execute(f"CREATE OR REPLACE VIEW published.{table} AS {rows}")


def file_rows(lake: Lake, keys: Sequence[str]) -> list[str]:
    """Return a query of the rows of all these files; none without files."""
    return [f"SELECT * FROM {rows_of(lake, keys)}"] if keys else []


def create_table(connection: duckdb.DuckDBPyConnection, name: str, data: pa.Table) -> None:
    """Create a table in memory in the schema ``published``."""
    connection.register("incoming", data)
    connection.execute(f"CREATE TABLE published.{name} AS SELECT * FROM incoming")
    connection.unregister("incoming")


def _part_rows(lake: Lake, serving: Serving, table: str) -> list[str]:
    """Return queries of a table's rows, as parts have them."""
    if table not in PACKED:
        return file_rows(lake, [part.files[table] for part in serving.parts])
    packed = [
        f"SELECT * EXCLUDE (part_id) FROM {rows_of(lake, [served.pack.files[table]])}{_mask(served)}"
        for served in serving.packs
    ]
    return packed + file_rows(lake, [part.files[table] for part in serving.loose])


def _postings(lake: Lake, serving: Serving) -> list[str]:
    """Return queries of which term is in which row of which part, and the file and place where that row is read.

    Files are counted from 0: the packs, then the parts, those without an index last.
    """
    queries = [
        f"SELECT *, {number}::BIGINT AS file FROM {rows_of(lake, [served.pack.files['terms']])}"
        f"{_mask(served, lambda part_id: str(int(part_id, 16)), 'part')}"
        for number, served in enumerate(serving.packs)
    ]
    if serving.loose:
        columns = f"* REPLACE (file + {len(serving.packs)} AS file), row AS place, NULL::UBIGINT AS followers"
        queries.append(f"SELECT {columns} FROM ({_part_postings(lake, serving.loose)})")
    return queries or [_NO_POSTINGS]


def _part_postings(lake: Lake, parts: Sequence[Part]) -> str:
    """Return a query of part (a number), term, row, n and n_words; parts without an index are indexed as read.

    ``file`` is the place of the part among them, those with an index first.
    """
    indexed = [part.files["terms"] for part in parts if "terms" in part.files]
    others = [part.files["transcripts"] for part in parts if "terms" not in part.files]
    queries = []
    if indexed:
        rows = rows_of(lake, indexed, "filename = true")
        queries.append(f"SELECT {PART_NUMBER} AS part, term, row, n, n_words, file_index::BIGINT AS file FROM {rows}")
    if others:
        rows = f"""SELECT {PART_NUMBER} AS part, file_row_number::INTEGER AS row, text, n_words,
                   file_index::BIGINT + {len(indexed)} AS file
                   FROM {rows_of(lake, others, "filename = true", "file_row_number = true")}"""
        queries.append(f"SELECT part, term, row, n, n_words, file FROM ({terms_sql(rows)})")
    return " UNION ALL ".join(queries)


def _indexed_first(parts: Sequence[Part]) -> list[Part]:
    """Return the parts in the order of their ``file`` in postings."""
    return sorted(parts, key=lambda part: "terms" not in part.files)


def _placed(lake: Lake, serving: Serving) -> list[str]:
    """Return queries of transcripts with the file, as postings have it, and the place in it where each row is."""
    columns = "file_row_number), file_row_number AS place"
    queries = [
        f"SELECT * EXCLUDE (part_id, {columns}, {number}::BIGINT AS file "
        f"FROM {rows_of(lake, [served.pack.files['transcripts']], 'file_row_number = true')}"
        for number, served in enumerate(serving.packs)
    ]
    if serving.loose:
        keys = [part.files["transcripts"] for part in _indexed_first(serving.loose)]
        rows = rows_of(lake, keys, "file_row_number = true")
        queries.append(f"SELECT * EXCLUDE ({columns}, {len(serving.packs)} + file_index AS file FROM {rows}")
    return queries or [_NOTHING_PLACED]


def _counted(lake: Lake, serving: Serving) -> list[str]:
    """Return queries that add up to the number of utterances and of their words; packs have been counted."""
    packed = [served.pack.parts[part_id] for served in serving.packs for part_id in served.part_ids]
    n_utterances, n_words = sum(part.n_utterances for part in packed), sum(part.n_words for part in packed)
    queries = [f"SELECT {n_utterances}::BIGINT AS n_utterances, {n_words}::BIGINT AS n_words"]
    if serving.loose:
        rows = rows_of(lake, [part.files["transcripts"] for part in serving.loose])
        queries.append(f"SELECT count(*), sum(n_words)::BIGINT FROM {rows}")
    return [" UNION ALL ".join(queries)]


def _mask(served: Served, literal: Callable[[str], str] = quoted, column: str = "part_id") -> str:
    """Return the condition that hides what the pack holds of parts that have changed since."""
    return f" WHERE {column} NOT IN ({', '.join(map(literal, served.masked))})" if served.masked else ""
