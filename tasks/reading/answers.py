"""Answer a query about a lake, and write the answer in a format that other programs read."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from storage.addresses import absolute_url
from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.errors import ConfigError
from storage.store import Store


def query_lake(lake_url: str, query: str) -> pa.Table:
    """Return what a query gives.

    Raises:
        ConfigError: there is no lake, or the query is wrong.
        StorageError: a file of the lake cannot be read.
    """
    with open_catalog(lake_url) as catalog:
        try:
            with asking(lake_url):
                answer = catalog.execute(query)
                return answer.to_arrow_table() if answer.description else pa.table({})
        except duckdb.Error as cause:
            problem = str(cause).strip().splitlines()[0]
            raise ConfigError("query", problem, "docs/tables.md lists every view and column") from cause


def write_answer(answer: pa.Table, format_name: str, out: str | None) -> None:
    """Write an answer as csv, json or parquet to a file, which is whole or not there, or to standard output.

    Raises:
        ConfigError: Parquet cannot go to standard output.
        StorageError: the file cannot be written.
    """
    if format_name == "parquet" and out is None:
        raise ConfigError("format 'parquet'", "is not for standard output", "say where with --out FILE")
    data = _encode(answer, format_name)
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        folder, _, name = absolute_url(out).rpartition("/")
        Store(folder or "/").put(name, data)


def _encode(answer: pa.Table, format_name: str) -> bytes:
    if format_name == "json":
        return (json.dumps(answer.to_pylist(), ensure_ascii=False, indent=1, default=_as_json) + "\n").encode()
    sink = pa.BufferOutputStream()
    if format_name == "parquet":
        pq.write_table(answer, sink, compression="zstd")
    else:
        pa_csv.write_csv(_flat(answer), sink)
    return bytes(sink.getvalue())


def _as_json(value: object) -> object:
    """Return what JSON has no type for; DuckDB's sums of whole numbers are decimals."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _flat(answer: pa.Table) -> pa.Table:
    """Return the table with lists and maps as JSON text, which CSV can hold."""
    for index, field in enumerate(answer.schema):
        if pa.types.is_nested(field.type):
            texts = [
                None if value is None else json.dumps(value, default=_as_json) for value in answer[index].to_pylist()
            ]
            answer = answer.set_column(index, field.name, pa.array(texts, pa.string()))
    return answer
