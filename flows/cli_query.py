"""Commands that read a lake."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from flows.cli_options import RecordingOptions, recording_filter
from flows.cli_output import print_rows, say, wants_json

TextFormat = Literal["srt", "vtt", "rttm", "ctm", "stm", "seglst", "textgrid", "json", "txt"]
TableFormat = Literal["table", "csv", "json", "parquet"]
_ALL = RecordingOptions()


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
    from tasks.reading.answers import query_lake, write_answer

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
    chosen: RecordingOptions = _ALL,
    without_flags: str = "",
) -> int:
    """Write one text file per recording.

    Args:
        lake: Folder or URL of the lake.
        out: Folder or URL to write to; files there are replaced.
        format_name: Captions, annotations for tools, or plain text.
        chosen: Which recordings.
        without_flags: Leave out utterances with any of these flags, separated by commas, such as `loop,fast`.
    """
    from tasks.reading.export import export_lake
    from tasks.wording import counted

    flags = [flag.strip() for flag in without_flags.split(",") if flag.strip()]
    report = export_lake(lake, out, format_name, recording_filter(chosen, lake), without_flags=flags)
    say(f"{counted(report.n_recordings, 'file')} written to {report.out}")
    if flags:
        say(f"{counted(report.n_left_out, 'utterance')} left out for their flags")
    return 0
