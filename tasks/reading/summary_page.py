"""What came of a run, as a page and as tables of Prefect's UI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from tasks.reading.changes import LakeChanges, Names
from tasks.reading.progress import FAILURE_FIELDS, FailedRecording
from tasks.reading.progress_page import failure_list, retry_in_words, stage_table, two_columns
from tasks.reading.summary import MOST_ROWS, RunSummary
from tasks.wording import counted, lasting, of_audio, plain

_FAILURES_ON_PAGE = 10

Row = dict[str, Any]


def summary_page(summary: RunSummary) -> str:
    """Return the summary for Prefect's UI, in Markdown."""
    parts = [f"# {_title(summary)}"]
    if summary.changes:
        parts += ["## What changed", _changes(summary.changes), *_named(summary.changes)]
    if summary.lost:
        parts += ["## Shards left undone; the next run takes them again", _list(summary.lost)]
    parts += ["## Recordings that stand as failed", _failures(summary)]
    if stages := stage_table(summary.work.stage_ms, summary.work.audio_ms):
        parts += ["## Stages", stages]
    return "\n\n".join([*parts, "## The run", _run(summary)]) + "\n"


def failure_rows(summary: RunSummary) -> list[Row]:
    """Return the first failures that stand, for a table."""
    return [_failure(row) for row in summary.failures]


def recording_rows(lake_url: str, archive: str, most: int = MOST_ROWS) -> list[Row]:
    """Return up to ``most`` recordings of an archive, with the speakers and utterances found in each."""
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute(
            """
            SELECT r.source, round(r.duration_ms / 60000, 1) AS minutes, r.status,
                   count(DISTINCT t.local_speaker) AS speakers, count(t.utterance_index) AS utterances
            FROM recordings r LEFT JOIN transcripts t USING (recording_id)
            WHERE r.archive = ? GROUP BY ALL ORDER BY r.source LIMIT ?""",
            [archive, most],
        )
        return [
            dict(zip(("source", "minutes", "status", "speakers", "utterances"), row, strict=True))
            for row in found.fetchall()
        ]


def _title(summary: RunSummary) -> str:
    if summary.lost:
        return f"{counted(len(summary.lost), 'shard')} left undone"
    done = "Nothing to do" if summary.is_current else "Done"
    return f"{done}; {counted(len(summary.failed), 'recording')} failed" if summary.failed else done


def _changes(changes: LakeChanges) -> str:
    parts = f"{changes.n_parts_written:,} of {counted(changes.n_parts, 'part')} written"
    rows = [(f"recordings {kind}", f"{found.n:,}") for kind, found in _kinds(changes).items()]
    rows += [
        ("recordings that failed before and still do", f"{changes.still_failed:,}"),
        ("audio added", of_audio(changes.added_ms)),
        ("speakers", _speakers(changes)),
        ("publication", f"{changes.publication}; {parts}"),
    ]
    return two_columns("since the publication before", rows)


def _named(changes: LakeChanges) -> list[str]:
    """Return a paragraph of names for each kind of change; in a table they would stand in one endless line."""
    return [f"**{kind.capitalize()}**: {_some(found)}" for kind, found in _kinds(changes).items() if found.n]


def _kinds(changes: LakeChanges) -> dict[str, Names]:
    return {
        "added": changes.added,
        "changed": changes.changed,
        "moved or renamed": changes.moved,
        "gone from the archive": changes.gone,
        "failed, and did not before": changes.failed,
        "failed no longer": changes.recovered,
    }


def _speakers(changes: LakeChanges) -> str:
    kinds = {
        "new": changes.n_speakers_new,
        "grown": changes.n_speakers_grown,
        "merged": changes.n_speakers_merged,
        "split": changes.n_speakers_split,
    }
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())


def _some(found: Names) -> str:
    more = f" and {found.n - len(found.some):,} more" if found.n > len(found.some) else ""
    return f"{', '.join(map(plain, found.some))}{more}"


def _failures(summary: RunSummary) -> str:
    shown = [FailedRecording(**{name: row[name] for name in FAILURE_FIELDS}) for row in summary.failures]
    rest = summary.n_failures - _FAILURES_ON_PAGE
    more = f"\n\nand {counted(rest, 'more failure')}; the view `failures` has all of them." if rest > 0 else ""
    return (failure_list(shown[:_FAILURES_ON_PAGE], len(summary.failed)) or "None.") + more


def _failure(row: Row) -> Row:
    happened, _, remedy = row["message"].rpartition("; ")
    return {
        "recording": row["source"],
        "error": row["error"],
        "since": f"{row['since'] or row['at']:%Y-%m-%d %H:%M}",
        "what to do": remedy if happened else "",
        "what happened": happened or remedy,
        "stage": row["stage"],
        "tried again": retry_in_words(row["is_transient"]),
    }


def _run(summary: RunSummary) -> str:
    link = summary.link
    rows = [
        ("archive", f"`{summary.archive}`"),
        ("lake", f"`{summary.lake}`"),
        ("run", f"`{summary.run_id}`"),
        ("profile", summary.profile),
        ("speakers in the lake", f"{link.n_speakers:,}" if link else "as before"),
        ("recordings listed", f"{summary.n_listed:,}; {counted(summary.n_ignored, 'other file')}"),
        ("recordings worked on", f"{summary.work.n_recordings:,}"),
        ("of these, known bytes under another name", f"{summary.work.n_duplicates:,}"),
        ("audio worked on", of_audio(summary.work.audio_ms)),
        ("wall time", lasting(summary.wall_ms)),
    ]
    if link:
        rows.append(("voices without a speaker", f"{link.n_unlinked:,} of {link.n_local_speakers:,}"))
    return two_columns("what", rows)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines)
