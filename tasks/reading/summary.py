"""What came of a run, in numbers and in one line: for its record, for logs and for the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from storage.addresses import public_url
from tasks.linking.lake import LinkReport
from tasks.planning.plan import RunPlan
from tasks.planning.shards import MINUTE_MS
from tasks.publishing.publish import PublishReport
from tasks.reading.changes import LakeChanges
from tasks.stages.shard_report import ShardReport
from tasks.wording import counted, lasting

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
    """Sources of the archive that stand as failed, since this run or an earlier one."""
    n_failures: int
    """Failures that stand in the archive; a recording may have several."""
    failures: tuple[Row, ...]
    """The first of these by source and stage, for people; Prefect looks into every value that a flow returns."""
    changes: LakeChanges | None
    """What the run changed; None where it published nothing."""
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
        "changes": summary.changes.counts() if summary.changes else {},
        "failed": list(summary.failed),
        "lost": list(summary.lost),
    }


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
    size = f"{counted(len(shard.recordings), 'recording')} · {shard.audio_ms / MINUTE_MS:.0f} min"
    return f"{name} · shard {index + 1} of {len(plan.shards)} · {size}"


def plan_line(plan: RunPlan) -> str:
    """Return one line that says what a run is about to do."""
    if plan.is_current:
        return "nothing to do"
    return (
        f"{plan.n_pending:,} of {counted(len(plan.listed), 'recording')} to do, {plan.audio_ms / MINUTE_MS:.0f} min of "
        f"audio in {counted(len(plan.shards), 'shard')}, {counted(plan.spec.workers, 'worker')}"
    )


def headline(summary: RunSummary) -> str:
    """Return one line that says how the run ended."""
    if summary.is_current:
        line = f"nothing to do: the lake has all {counted(summary.n_listed, 'recording')} of the archive"
    else:
        work = summary.work
        line = (
            f"{counted(work.n_recordings, 'recording')}, {work.audio_ms / MINUTE_MS:.1f} min of audio "
            f"in {lasting(summary.wall_ms)}"
        )
    if summary.link:
        line += f"; {counted(summary.link.n_speakers, 'speaker')} in the lake"
    if summary.failed:
        line += f"; {counted(len(summary.failed), 'recording')} failed"
    if summary.lost:
        line += f"; {counted(len(summary.lost), 'shard')} left undone, run again to continue"
    return line
