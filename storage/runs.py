"""The record of a run: one object in the lake, renewed while the run goes, so that one that ends badly is seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

RunOutcome = Literal["done", "failed", "stopped"]
RunStatus = Literal["running", "done", "done_with_failures", "failed", "stopped"]

SILENT_AFTER = timedelta(minutes=5)
"""A record that was not renewed for so long is of a run that is not there any more; it is renewed every 10 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, as the view `runs` shows it. What 0.4 did not write has a default."""

    run_id: str
    started_at: datetime
    ended_at: datetime | None = None
    profile: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    counts: Mapping[str, int] = field(default_factory=dict)
    audio_ms: int = 0
    """Audio that was worked on; while the run goes, what of it is committed, as headers claim it."""
    wall_ms: int = 0
    renewed_at: datetime | None = None
    outcome: RunOutcome | None = None
    """How it ended; None while it goes, and for ever if it was killed."""
    error: str | None = None
    """Why it failed, or what stopped it."""
    runner: str | None = None
    """Who takes its shards."""
    n_shards: int = 0
    n_shards_done: int = 0
    audio_left_ms: int = 0
    """Audio still to be worked on, as headers claim it."""
    stage_ms: Mapping[str, int] = field(default_factory=dict)
    """Wall time of all workers, by stage."""
    n_failures: int = 0
    """Recordings of which something failed in this run."""
    publication: int | None = None
    changes: Mapping[str, int] = field(default_factory=dict)
    """What the run changed in the lake, in numbers."""


def run_status(record: RunRecord, now: datetime) -> RunStatus:
    """Return how a run stands.

    A run that does not say so itself has stopped when it was silent for too long: killed, or its machine is gone.
    """
    if record.outcome in {"failed", "stopped"}:
        return "failed" if record.outcome == "failed" else "stopped"
    if record.ended_at:
        return "done_with_failures" if record.n_failures or record.counts.get("n_failed") else "done"
    return "running" if now - (record.renewed_at or record.started_at) <= SILENT_AFTER else "stopped"


def run_record(plain: Mapping[str, Any]) -> RunRecord:
    """Return the record from its JSON, also of an earlier or a later version."""
    known = {one.name for one in dataclasses.fields(RunRecord)}
    values = {name: value for name, value in plain.items() if name in known}
    moments = ("started_at", "ended_at", "renewed_at")
    return RunRecord(**values | {name: _moment(values.get(name)) for name in moments})


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
