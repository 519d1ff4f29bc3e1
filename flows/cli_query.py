"""Commands that read a lake."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from flows.cli_output import print_rows, say, wants_json

TextFormat = Literal["srt", "vtt", "rttm", "ctm", "stm", "seglst", "textgrid", "json", "txt"]
TableFormat = Literal["table", "csv", "json", "parquet"]


def sql(
    lake: str,
    query: str,
    *,
    format_name: Annotated[TableFormat | None, Parameter(name="--format")] = None,
    out: str | None = None,
) -> int:
    """Query the lake with DuckDB: recordings, sources, transcripts, words, turns, speakers, coverage, failures, runs.

    Args:
        lake: Folder or URL of the lake.
        query: What to ask.
        format_name: How to give the answer; by default a table on a terminal, JSON elsewhere.
        out: File to write the answer to.
    """
    from tasks.answers import query_lake, write_answer

    answer = query_lake(lake, query)
    chosen = format_name or ("json" if wants_json(None) or out else "table")
    if chosen == "table" and not out:
        print_rows(answer.to_pylist(), answer.column_names)
    else:
        write_answer(answer, chosen, out)
    return 0


def export(
    lake: str,
    out: str,
    *,
    format_name: Annotated[TextFormat, Parameter(name="--format")],
    collection: str | None = None,
    source: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> int:
    """Write one text file per recording.

    Args:
        lake: Folder or URL of the lake.
        out: Folder or URL to write to; files there are replaced.
        format_name: Captions, annotations for tools, or plain text.
        collection: Only recordings of this collection.
        source: Only this recording; may be given several times.
    """
    from tasks.export import export_lake

    report = export_lake(lake, out, format_name, sources=source, collection=collection)
    say(f"{report.n_recordings} files written to {report.out}")
    return 0
