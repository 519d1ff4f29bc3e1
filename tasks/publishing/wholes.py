"""Write the published tables that are small: each as a whole, unless it is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from itertools import repeat
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.columns import shared_values, table_of_columns
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.publishing import commit_table, done_table, write_whole
from storage.recipe_cards import read_cards
from storage.schemas import WHOLES, table_of
from tasks.planning.plan import RunPlan
from tasks.planning.spec import archive_key
from tasks.publishing.parts import PartsWritten
from tasks.publishing.select import hint_table
from tasks.publishing.shown import Shown


def write_wholes(lake: Lake, state: LakeState, plan: RunPlan, shown: Shown, written: PartsWritten) -> dict[str, str]:
    """Write the tables and return their keys, one after the other; none is ever in memory as rows."""
    made: dict[str, Callable[[], pa.Table]] = {
        "recordings": lambda: _recordings(shown, _languages(lake, state, shown, written)),
        "hints": lambda: hint_table(list(shown.selected.values())),
        "selected": lambda: _selected(shown),
        "cards": lambda: table_of([asdict(card) for _, card in sorted(read_cards(lake).items())], WHOLES["cards"]),
        "failures": lambda: table_of(shown.failures, WHOLES["failures"]),
        "sources": lambda: _sources(lake, state, plan),
        "done": lambda: done_table(state),
        "commits": lambda: commit_table(state),
    }
    return {table: write_whole(lake, table, make()) for table, make in made.items()}


def _selected(shown: Shown) -> pa.Table:
    """Return the recipes by which recordings are shown, and their parts."""
    stages = [(one, stage) for one in shown.selected.values() for stage in sorted(one.recipes)]
    of_column: Mapping[str, Iterable[Any]] = {
        "recording_id": (one.recording_id for one, _ in stages),
        "stage": (stage for _, stage in stages),
        "recipe": (one.recipes[stage] for one, stage in stages),
        "part_id": (shown.part_of[one.recording_id] for one, _ in stages),
    }
    return table_of_columns(of_column, WHOLES["selected"])


def _recordings(shown: Shown, languages: Mapping[str, str | None]) -> pa.Table:
    """Return what is known of recordings; what the manifest says goes before what their headers say."""
    facts = shown.recordings
    recordings = [shown.selected[recording_id] for recording_id in facts["recording_id"].to_pylist()]
    said: Mapping[str, Iterable[Any]] = {
        "archive": (one.archive for one in recordings),
        "source": (one.source for one in recordings),
        "collection": (one.hints.collection for one in recordings),
        "language": (languages.get(one.recording_id) or one.hints.language for one in recordings),
        "title": (one.hints.title or None for one in recordings),
        "recorded_at": (one.hints.recorded_at or None for one in recordings),
    }
    columns = {name: pa.array(list(values), pa.string()) for name, values in said.items()}
    columns |= {name: pc.coalesce(columns[name], facts[name]) for name in ("title", "recorded_at")}
    columns = dict(zip(facts.column_names, facts.columns, strict=True)) | columns
    return pa.Table.from_arrays([columns[name] for name in WHOLES["recordings"].names], schema=WHOLES["recordings"])


def _languages(lake: Lake, state: LakeState, shown: Shown, written: PartsWritten) -> Mapping[str, str | None]:
    """Return the language of each recording, as it was found or, of parts that stay, published."""
    published = lake.whole(state.publication, "recordings")
    before = zip(*(shared_values(published[name]) for name in ("recording_id", "language")), strict=True)
    kept = {name: language for name, language in before if shown.part_of.get(name) not in written.fresh}
    return {**kept, **written.languages}


def _sources(lake: Lake, state: LakeState, plan: RunPlan) -> pa.Table:
    """Return every name under which something was found, and when."""
    before = lake.whole(state.publication, "sources")
    names = ("archive", "source", "first_seen", "last_seen")
    known = {
        (archive, source): (first, last)
        for archive, source, first, last in zip(*(shared_values(before[name]) for name in names), strict=True)
    }
    ours, started_at = archive_key(plan.spec), plan.spec.started_at
    listed = {(ours, source.obj.source) for source in plan.listed}
    sightings = sorted(state.sightings, key=attrgetter("key"))
    of_column: Mapping[str, Iterable[Any]] = {
        "archive": (one.archive for one in sightings),
        "source": (one.source for one in sightings),
        "size_bytes": (one.size_bytes for one in sightings),
        "mark": (one.mark for one in sightings),
        "recording_id": (one.recording_id for one in sightings),
        "first_seen": (known[one.key][0] if one.key in known else one.at for one in sightings),
        "last_seen": (
            max(
                one.at,
                started_at if one.key in listed else one.at,
                known[one.key][1] if one.key in known else one.at,
            )
            for one in sightings
        ),
        "run_id": repeat(plan.spec.run_id, len(sightings)),
    }
    return table_of_columns(of_column, WHOLES["sources"])
