"""The command that shows the whole job on a small archive."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.cli_options import RunOptions, plan_with
from flows.cli_output import print_rows
from storage.errors import ConfigError

_QUERIES = {
    "Who speaks most, and in how many recordings?": (
        "SELECT speaker_id, count(DISTINCT recording_id) AS recordings, "
        "round(sum(end_ms - start_ms) / 60000, 1) AS minutes FROM transcripts GROUP BY 1 ORDER BY 3 DESC"
    ),
    "Where is the machine least sure of the words?": (
        "SELECT source, start_ms, local_speaker, round(confidence, 2) AS confidence, text "
        "FROM transcripts ORDER BY transcripts.confidence, source, start_ms LIMIT 5"
    ),
}
_SHOWN_UTTERANCES = 12
_EXIT_SOME_FAILED = 1


def demo(*, lake: str = "demo-lake") -> int:
    """Run the samples through Prefect, then show a transcript, the speakers and two queries.

    Args:
        lake: Folder to write the lake to.
    """
    from flows.launch import launch
    from tasks.reading.summary import headline

    plan = plan_with(RunOptions(), str(_samples()), lake)
    summary = launch(plan, is_local=False)
    _say(f"\n{headline(summary)}")
    _show_transcript(lake)
    _show_speakers(lake)
    for question, query in _QUERIES.items():
        _show_query(lake, question, query)
    _show_next(lake)
    return _EXIT_SOME_FAILED if summary.lost else 0


def _samples() -> Path:
    for root in (Path(__file__).parent.parent, Path.cwd()):
        archive = root / "samples" / "archive"
        if archive.is_dir():
            return archive
    raise ConfigError(
        "samples", "are not part of the installed package", "clone the repository and run voxlake demo in it"
    )


def _show_transcript(lake: str) -> None:
    from tasks.reading.answers import query_lake
    from tasks.reading.showing import utterance_lines

    longest = query_lake(
        lake,
        "SELECT source FROM transcripts GROUP BY 1 ORDER BY count(DISTINCT speaker_id) DESC, count(*) DESC, 1 LIMIT 1",
    )
    for source in longest["source"].to_pylist():
        _say(f"\n{source}")
        for line in utterance_lines(lake, source, _SHOWN_UTTERANCES):
            _say(f"  {line}")


def _show_speakers(lake: str) -> None:
    from tasks.people.lists import speaker_rows

    _say("")
    print_rows(speaker_rows(lake), ("speaker_id", "recordings", "minutes", "heard_in"), title="The speakers")


def _show_query(lake: str, question: str, query: str) -> None:
    from tasks.reading.answers import query_lake

    answer = query_lake(lake, query)
    _say(f'\n{question}\n$ voxlake sql {lake} "{query}"')
    print_rows(answer.to_pylist(), answer.column_names)


def _show_next(lake: str) -> None:
    _say(
        f"""
The lake is plain Parquet:    {Path(lake).absolute()}/transcripts/*.parquet
Ask it anything:              voxlake sql {lake} "SELECT * FROM transcripts LIMIT 5"
Captions:                     voxlake export {lake} captions --format srt
The same job, seen in Prefect's UI:
  prefect server start        # in another terminal; open http://127.0.0.1:4200
  PREFECT_API_URL=http://127.0.0.1:4200/api voxlake run ARCHIVE LAKE"""
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
