"""Write the published tables that are small: each as a whole, unless it is there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow.compute as pc

from storage.lake import Lake
from storage.lake_records import LakeState
from storage.publishing import index_tables, write_whole
from storage.recipe_cards import read_cards
from tasks.planning.plan import RunPlan
from tasks.planning.spec import archive_key
from tasks.publishing.select import hint_rows
from tasks.publishing.shown import Shown

Row = dict[str, Any]


def write_wholes(lake: Lake, state: LakeState, plan: RunPlan, shown: Shown, written: frozenset[str]) -> dict[str, str]:
    """Write the tables and return their keys; ``written`` names the parts that were made anew."""
    selected = [
        {
            "recording_id": one.recording_id,
            "stage": stage,
            "recipe": recipe,
            "part_id": shown.part_of[one.recording_id],
        }
        for one in shown.selected.values()
        for stage, recipe in sorted(one.recipes.items())
    ]
    tables: dict[str, Iterable[Row]] = {
        "recordings": _recording_rows(shown, _languages(lake, state, shown, written)),
        "hints": hint_rows(list(shown.selected.values())),
        "selected": selected,
        "cards": [asdict(card) for _, card in sorted(read_cards(lake).items())],
        "failures": shown.failures,
        "sources": _source_rows(lake, state, plan),
        **index_tables(state),
    }
    return {table: write_whole(lake, table, list(rows)) for table, rows in tables.items()}


def _recording_rows(shown: Shown, languages: Mapping[str, str | None]) -> Iterator[Row]:
    for one in shown.selected.values():
        fact = shown.recordings.get(one.recording_id)
        if fact is None:
            continue
        yield fact | {
            "archive": one.archive,
            "source": one.source,
            "collection": one.hints.collection,
            "language": languages.get(one.recording_id) or one.hints.language,
            "title": one.hints.title or fact["title"],
            "recorded_at": one.hints.recorded_at or fact["recorded_at"],
        }


def _languages(lake: Lake, state: LakeState, shown: Shown, written: frozenset[str]) -> dict[str, str | None]:
    """Return the language that most of each recording's segments are in, by time; of parts that stay, as published."""
    published = lake.whole(state.publication, "recordings").select(["recording_id", "language"]).to_pydict()
    before = dict(zip(published["recording_id"], published["language"], strict=True))
    fresh = [one for one in shown.selected.values() if shown.part_of[one.recording_id] in written]
    segments = lake.facts("segments", state, [key for one in fresh for key in one.keys("transcribe")])
    known = segments.filter(segments["language"].is_valid())
    lasting = known.append_column("lasting_ms", pc.subtract(known["end_ms"], known["start_ms"]))
    totals = lasting.group_by(["recording_id", "language"]).aggregate([("lasting_ms", "sum")])
    most: dict[str, tuple[int, str]] = {}
    for row in totals.to_pylist():
        claim = (row["lasting_ms_sum"], row["language"])
        most[row["recording_id"]] = max(claim, most.get(row["recording_id"], claim))
    kept = before.keys() - {one.recording_id for one in fresh}
    found = {recording_id: language for recording_id, (_, language) in most.items()}
    return {recording_id: before[recording_id] for recording_id in kept} | found


def _source_rows(lake: Lake, state: LakeState, plan: RunPlan) -> Iterator[Row]:
    before = {(row["archive"], row["source"]): row for row in lake.whole(state.publication, "sources").to_pylist()}
    archive = archive_key(plan.spec)
    listed = {(archive, source.obj.source) for source in plan.listed}
    for key, sighting in sorted(state.sightings.items()):
        known = before.get(key)
        last_seen = plan.spec.started_at if key in listed else sighting.at
        yield {
            "archive": sighting.archive,
            "source": sighting.source,
            "size_bytes": sighting.size_bytes,
            "mark": sighting.mark,
            "recording_id": sighting.recording_id,
            "first_seen": known["first_seen"] if known else sighting.at,
            "last_seen": max(last_seen, sighting.at, known["last_seen"] if known else sighting.at),
            "run_id": plan.spec.run_id,
        }
