"""What the catalog's views are made of: for each table of a publication the files that hold its rows, once each."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from storage.lake import Lake
from storage.lake_records import Publication
from storage.pack_files import postings_sql
from storage.packs import PACKED, PLACES, Pack, Served, Serving, serve
from storage.parquet_sql import PART_ID, quoted, rows_of
from storage.schemas import PARTS, WHOLES
from storage.terms import TERM_MACROS

_NO_POSTINGS = (
    "SELECT ''::VARCHAR AS part_id, ''::VARCHAR AS term, 0 AS row, 0 AS n, 0 AS n_words, false AS is_packed WHERE false"
)
_NOTHING_PLACED = "SELECT *, 0::BIGINT AS place, '' AS file FROM published.transcripts WHERE false"
_NO_PLACES = "SELECT ''::VARCHAR AS part_id, 0 AS row, 0 AS place, ''::VARCHAR AS file WHERE false"


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
        "places": _places(lake, serving),
        "placed_in_packs": _placed_in_packs(lake, serving),
        "placed_in_parts": [_placed_in_parts(lake, [part.files["transcripts"] for part in serving.loose])],
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
    """Return queries of which term is in which row of which part."""
    packed = [
        f"SELECT *, true AS is_packed FROM {rows_of(lake, [served.pack.files['terms']])}{_mask(served)}"
        for served in serving.packs
    ]
    loose = [f"SELECT *, false AS is_packed FROM ({postings_sql(lake, serving.loose)})"] if serving.loose else []
    return [*packed, *loose] or [_NO_POSTINGS]


def _places(lake: Lake, serving: Serving) -> list[str]:
    """Return queries of where in packs the rows of parts are."""
    queries = []
    for served in serving.packs:
        rows = rows_of(lake, [served.pack.files[PLACES]])
        queries.append(f"SELECT *, {quoted(served.pack.pack_id)} AS file FROM {rows}{_mask(served)}")
    return queries or [_NO_PLACES]


def _placed_in_packs(lake: Lake, serving: Serving) -> list[str]:
    """Return queries of transcripts with their pack and the place in its file where each row is."""
    columns = "* EXCLUDE (part_id, file_row_number), file_row_number AS place"
    return [
        f"SELECT {columns}, {quoted(served.pack.pack_id)} AS file FROM "
        f"{rows_of(lake, [served.pack.files['transcripts']], 'file_row_number = true')}"
        for served in serving.packs
    ] or [_NOTHING_PLACED]


def _placed_in_parts(lake: Lake, keys: Sequence[str]) -> str:
    if not keys:
        return _NOTHING_PLACED
    rows = rows_of(lake, keys, "filename = true", "file_row_number = true")
    columns = "* EXCLUDE (filename, file_row_number), file_row_number AS place"
    return f"SELECT {columns}, {PART_ID} AS file FROM {rows}"


def _mask(served: Served) -> str:
    """Return the condition that hides what the pack holds of parts that have changed since."""
    return f" WHERE part_id NOT IN ({', '.join(map(quoted, served.masked))})" if served.masked else ""
