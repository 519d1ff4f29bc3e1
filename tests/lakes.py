"""Small archives of tones, and the whole way of the data over them, for tests."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from storage.catalog import VIEWS, open_catalog
from storage.lake import new_run_id
from storage.records import Clip
from tasks.linking.lake import LinkReport, link_lake
from tasks.planning.plan import RunPlan, plan_run
from tasks.planning.plan_files import write_plan
from tasks.planning.spec import EngineChoice, RunSpec
from tasks.publishing.publish import PublishReport, publish_lake
from tasks.stages.run_shard import run_shard
from tasks.stages.shard_report import ShardReport
from tests.tones import spoken, tone_clip

FAKE = EngineChoice(name="fake")
VOICES_HZ = (300, 900, 1500, 2100, 2700)
PASSING = frozenset({"run_id", "at", "first_seen", "last_seen", "mark", "recipe", "since"})
"""Columns that may differ between two lakes of the same archive."""

SHOWN_VIEWS = (*(view for view in VIEWS if view not in {"runs", "speaker_lineage"}), "links")


def write_wav(path: Path, *channels: Clip, rate_hz: int = 16_000) -> Path:
    """Write clips as the channels of a 16-bit file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.stack(channels, axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


def conversation(*voices_hz: int, n_words: int = 8, pause_ms: int = 1_500) -> Clip:
    """Return a clip in which the voices speak one after the other."""
    sounds: list[tuple[int, int, int]] = []
    at_ms = 500
    for voice_hz in voices_hz:
        turn = spoken(at_ms, voice_hz, n_words)
        sounds += turn
        at_ms = turn[-1][1] + pause_ms
    return tone_clip(at_ms, sounds)


def write_archive(folder: Path, n_recordings: int = 3) -> Path:
    """Write recordings of which each has two of the voices, so that every voice recurs."""
    for index in range(n_recordings):
        first, second = VOICES_HZ[index % 5], VOICES_HZ[(index + 1) % 5]
        write_wav(folder / f"rec {index}.wav", conversation(first, second, first, n_words=6 + index))
    return folder


def fake_spec(archive: Path | str, lake: Path | str, **changes: Any) -> RunSpec:
    """Return a run with fake engines."""
    at = datetime.now(UTC)
    spec = RunSpec(
        run_id=new_run_id(at),
        started_at=at,
        archive=str(archive),
        lake=str(lake),
        profile="fake",
        detector=FAKE,
        transcriber=FAKE,
        diarizer=FAKE,
        embedder=FAKE,
    )
    return replace(spec, **changes)


@dataclass(frozen=True)
class Ran:
    """What a whole run did."""

    plan: RunPlan
    shards: ShardReport
    link: LinkReport | None = None
    published: PublishReport | None = None


def run_whole(spec: RunSpec) -> Ran:
    """Run everything in this process, unless there is nothing to do."""
    plan = plan_run(spec)
    if plan.is_current:
        return Ran(plan, ShardReport())
    write_plan(plan)
    total = ShardReport()
    for index in range(len(plan.shards)):
        total += run_shard(plan.spec.lake, spec.run_id, index)
    link = link_lake(plan.spec.lake, spec.run_id)
    return Ran(plan, total, link, publish_lake(plan.spec.lake, spec.run_id, link))


def query(lake: Path | str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over a lake."""
    with open_catalog(str(lake)) as catalog:
        return catalog.execute(sql).fetchall()


def lake_rows(
    lake: Path | str, views: Iterable[str] = SHOWN_VIEWS, *, passing: frozenset[str] = PASSING
) -> dict[str, list[str]]:
    """Return all rows of the views without what passes, sorted: equal for two lakes of the same archive."""
    rows: dict[str, list[str]] = {}
    with open_catalog(str(lake)) as catalog:
        for view in views:
            table = catalog.sql(f"SELECT * FROM {view}").to_arrow_table()
            kept = table.select([name for name in table.column_names if name not in passing])
            rows[view] = sorted(map(repr, kept.to_pylist()))
    return rows
