"""How a lake stands: what is done, what the latest run has still to do, and what failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from storage.addresses import public_url
from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.runs import RunRecord, run_status
from tasks.planning.plan import PlannedRecording, RunPlan
from tasks.planning.plan_files import read_plan
from tasks.planning.shards import HOUR_MS, MINUTE_MS
from tasks.planning.spec import archive_key
from tasks.wording import counted

_LATEST_RUNS = 5
_FAILURE_COLUMNS = ("source", "stage", "error", "message", "is_transient")

Row = dict[str, Any]


def lake_status(lake_url: str) -> dict[str, Any]:
    """Return counts, the failures that stand and the latest runs, ready to be shown.

    Raises:
        ConfigError: there is no lake at the URL.
    """
    lake = Lake(lake_url)
    runs = lake.runs()
    with open_catalog(lake_url) as catalog, asking(lake_url):
        done = catalog.execute("SELECT status, count(*), coalesce(sum(duration_ms), 0) FROM recordings GROUP BY 1")
        by_status = {status: (n, float(ms) / HOUR_MS) for status, n, ms in done.fetchall()}
        failed = catalog.execute(f"SELECT {', '.join(_FAILURE_COLUMNS)} FROM failures ORDER BY source, stage")
        failures = [dict(zip(_FAILURE_COLUMNS, row, strict=True)) for row in failed.fetchall()]
        speakers = catalog.execute("SELECT count(*) FROM speakers WHERE n_recordings > 0").fetchone()
    pending = pending_recordings(lake, lake.state())
    counts: Row = {"lake": public_url(lake_url)}
    for status in ("done", "partial", "failed"):
        n, hours = by_status.get(status, (0, 0.0))
        counts[status] = f"{counted(n, 'recording')}, {hours:.2f} h"
    counts["pending"] = (
        f"{counted(len(pending), 'recording')}, {sum(one.duration_ms for one in pending) / HOUR_MS:.2f} h"
    )
    counts["speakers"] = speakers[0] if speakers else 0
    return {"counts": counts, "failures": failures, "runs": [_run_row(run) for run in runs[-_LATEST_RUNS:][::-1]]}


def pending_recordings(lake: Lake, state: LakeState) -> list[PlannedRecording]:
    """Return what the latest plan wanted done and nothing committed says is."""
    names = lake.store.list("plans")
    if not names:
        return []
    plan = read_plan(lake.url, names[-1].removesuffix(".json"))
    planned = (recording for shard in plan.shards for recording in shard.recordings)
    return [recording for recording in planned if not _is_taken(recording, plan, state)]


def _is_taken(recording: PlannedRecording, plan: RunPlan, state: LakeState) -> bool:
    seen = state.sightings.get((archive_key(plan.spec), recording.obj.source))
    return seen is not None and seen.at >= plan.spec.started_at


def _run_row(run: RunRecord) -> Row:
    return {
        "run_id": run.run_id,
        "profile": run.profile,
        "audio_min": round(run.audio_ms / MINUTE_MS, 1),
        "audio_left_min": round(run.audio_left_ms / MINUTE_MS, 1),
        "shards": f"{run.n_shards_done} of {run.n_shards}",
        "wall_s": round(run.wall_ms / 1000, 1),
        "failed": run.n_failures,
        "status": run_status(run, datetime.now(UTC)),
    }
