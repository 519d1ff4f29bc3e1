"""What came of a run, in numbers and in words: for its record, for Prefect's artifacts and for the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.catalog import open_catalog
from storage.lake import Lake
from storage.store import public_url
from tasks.linking.lake import LinkReport
from tasks.planning.plan import RunPlan
from tasks.planning.shards import MINUTE_MS
from tasks.publishing.publish import PublishReport
from tasks.stages.run_shard import ShardReport

MOST_ROWS = 200
"""Rows of a table for people; the lake has the rest."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """All that a person wants to know when a run is over."""

    run_id: str
    archive: str
    lake: str
    profile: str
    is_current: bool
    """Whether there was nothing to do."""
    n_listed: int
    n_ignored: int
    n_shards: int
    lost: tuple[str, ...]
    """Why shards stayed undone; the next run takes them again."""
    work: ShardReport
    link: LinkReport | None
    publish: PublishReport | None
    failed: tuple[str, ...]
    """Sources of the archive that stand as failed, from this run or an earlier one."""
    wall_ms: int

    def counts(self) -> dict[str, int]:
        """Return the counts that the view ``runs`` shows."""
        counts = {
            "n_listed": self.n_listed,
            "n_ignored": self.n_ignored,
            "n_shards": self.n_shards,
            "n_shards_lost": len(self.lost),
            "n_recordings": self.work.n_recordings,
            "n_duplicates": self.work.n_duplicates,
            "n_failed": len(self.failed),
        }
        if self.link and self.publish:
            counts |= {"n_speakers": self.link.n_speakers, "n_parts_written": self.publish.n_parts_written}
        return counts


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """Return the summary for programs."""
    return {
        "run_id": summary.run_id,
        "archive": summary.archive,
        "lake": summary.lake,
        "profile": summary.profile,
        "is_current": summary.is_current,
        "counts": summary.counts(),
        "audio_ms": summary.work.audio_ms,
        "wall_ms": summary.wall_ms,
        "stage_ms": dict(summary.work.stage_ms),
        "failed": list(summary.failed),
        "lost": list(summary.lost),
    }


def standing_failures(lake_url: str, archive: str, sources: Sequence[str]) -> list[Row]:
    """Return a row per failure that stands for one of these sources, under every name its bytes have there."""
    lake = Lake(lake_url)
    publication = lake.latest_publication()
    failures = lake.whole(publication, "failures").to_pylist()
    if not failures:
        return []
    names: dict[str, list[str]] = {}
    for row in lake.whole(publication, "sources").select(["archive", "source", "recording_id"]).to_pylist():
        if row["archive"] == archive and row["recording_id"]:
            names.setdefault(row["recording_id"], []).append(row["source"])
    wanted, standing = set(sources), []
    for row in failures:
        nameless = [row["source"]] if row["archive"] == archive else []
        known_as = names.get(row["recording_id"], []) if row["recording_id"] else nameless
        shown = {column: row[column] for column in ("stage", "error", "message", "is_transient")}
        standing += [{"source": name, **shown} for name in known_as if name in wanted]
    return sorted(standing, key=lambda row: (row["source"], row["stage"]))


def recording_rows(lake_url: str, archive: str, most: int = MOST_ROWS) -> list[Row]:
    """Return up to ``most`` recordings of an archive, with the speakers and utterances found in each."""
    with open_catalog(lake_url) as catalog:
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


def archive_name(url: str) -> str:
    """Return the last part of a URL or path, as people call an archive or a lake."""
    return public_url(url).rstrip("/").rsplit("/", 1)[-1] or "archive"


def artifact_key(url: str) -> str:
    """Return what begins the keys of Prefect's artifacts about an archive or a lake.

    >>> artifact_key("s3://bucket/Radio Talks/")
    'radio-talks'
    """
    return re.sub(r"[^a-z0-9]+", "-", archive_name(url).lower()).strip("-") or "archive"


def shard_title(name: str, index: int, plan: RunPlan) -> str:
    """Return what a shard is called in the UI, such as ``samples · shard 2 of 3 · 4 recordings · 12 min``."""
    shard = plan.shards[index]
    size = f"{_n(len(shard.recordings), 'recording')} · {shard.audio_ms / MINUTE_MS:.0f} min"
    return f"{name} · shard {index + 1} of {len(plan.shards)} · {size}"


def plan_line(plan: RunPlan) -> str:
    """Return one line that says what a run is about to do."""
    if plan.is_current:
        return "nothing to do"
    return (
        f"{plan.n_pending:,} of {_n(len(plan.listed), 'recording')} to do, {plan.audio_ms / MINUTE_MS:.0f} min of "
        f"audio in {_n(len(plan.shards), 'shard')}, {_n(plan.spec.workers, 'worker')}"
    )


def headline(summary: RunSummary) -> str:
    """Return one line that says how the run ended."""
    if summary.is_current:
        line = f"nothing to do: the lake has all {_n(summary.n_listed, 'recording')} of the archive"
    else:
        work = summary.work
        line = (
            f"{_n(work.n_recordings, 'recording')}, {work.audio_ms / MINUTE_MS:.1f} min of audio "
            f"in {summary.wall_ms / 1000:.1f} s"
        )
    if summary.link:
        line += f"; {_n(summary.link.n_speakers, 'speaker')} in the lake"
    if summary.failed:
        line += f"; {_n(len(summary.failed), 'recording')} failed"
    if summary.lost:
        line += f"; {_n(len(summary.lost), 'shard')} left undone, run again to continue"
    return line


def markdown(summary: RunSummary) -> str:
    """Return the summary for Prefect's UI."""
    link, publish = summary.link, summary.publish
    rows = [
        ("archive", f"`{summary.archive}`"),
        ("lake", f"`{summary.lake}`"),
        ("run", f"`{summary.run_id}`"),
        ("profile", summary.profile),
        ("recordings listed", summary.n_listed),
        ("recordings worked on", summary.work.n_recordings),
        ("of these, known bytes under another name", summary.work.n_duplicates),
        ("recordings that stand as failed", len(summary.failed)),
        ("audio", f"{summary.work.audio_ms / MINUTE_MS:.1f} min"),
        ("wall time", f"{summary.wall_ms / 1000:.1f} s"),
    ]
    if link and publish:
        rows += [
            ("speakers", f"{link.n_speakers} ({link.n_new} new, {link.n_merged} merged, {link.n_split} split)"),
            ("voices without a speaker", link.n_unlinked),
            ("publication", publish.number),
        ]
    rows += [(f"time in {stage}", f"{ms / 1000:.1f} s") for stage, ms in summary.work.stage_ms.items()]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    lost = "\n".join(f"- {reason}" for reason in summary.lost)
    undone = f"\n\n**Shards left undone; the next run takes them again:**\n\n{lost}" if lost else ""
    return f"# {headline(summary)}\n\n| | |\n| --- | --- |\n{table}{undone}\n"


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
