"""Choose what is published: for each recording its name and the recipes whose facts are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from storage.choices import RecipeChoice
from storage.columns import shared_values, table_of_columns
from storage.fact_owners import FactKey
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.recipes import STAGES, Stage
from storage.records import SourceHints, SpeakerBounds
from storage.schemas import WHOLES
from storage.sightings import Sighting
from tasks.planning.plan import RunPlan
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import archive_key
from tasks.publishing.chosen_recipes import with_choices


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRecording:
    """One recording as it will be shown."""

    recording_id: str
    archive: str
    source: str
    """Of several names the first by archive and path among those that are still there."""
    hints: SourceHints
    recipes: Mapping[Stage, str]
    """Only stages that are done."""
    wanted: Mapping[Stage, str] | None
    """What the plan asks for; None where the recording is none of its archive."""

    def keys(self, stage: Stage) -> list[FactKey]:
        """Return the key of the stage's facts, if the stage is done."""
        return [(self.recording_id, stage, self.recipes[stage])] if stage in self.recipes else []


def select_recordings(
    lake: Lake, state: LakeState, plan: RunPlan, choices: Sequence[RecipeChoice] = ()
) -> list[SelectedRecording]:
    """Return every recording of the lake, sorted by recording_id.

    Recordings of the plan's archive are shown by the plan's recipes once all their stages are done so; until then,
    and in other archives, they stay as they were published. So do those whose bytes cannot be read at the moment.
    Over all that go the choices, oldest first, for the recordings that have what was chosen.
    """
    recipes = RecipeBook(plan.spec)
    published = _published(lake, state)
    hints_of = _hints_of_plan(state, plan)
    names = _names(lake, state, plan, published)
    selected = []
    same: dict[tuple[tuple[Stage, str], ...], Mapping[Stage, str]] = {}
    for recording_id, (archive, source) in sorted(names.items()):
        before = published.get(recording_id)
        hints = hints_of.get(recording_id, before.hints if before else SourceHints())
        wanted = recipes.of(hints)
        chosen = _done(recording_id, wanted, state)
        if before is not None and (recording_id not in hints_of or len(chosen) < len(before.recipes)):
            chosen = dict(before.recipes)
        shown = with_choices(recording_id, chosen, state, choices, recipes)
        selected.append(
            SelectedRecording(
                recording_id=recording_id,
                archive=archive,
                source=source,
                hints=hints,
                recipes=same.setdefault(tuple(shown.items()), shown),
                wanted=wanted if recording_id in hints_of else None,
            )
        )
    return selected


def hint_table(selected: Sequence[SelectedRecording]) -> pa.Table:
    """Return the names and hints by which recordings are shown, for whoever publishes next without their plan."""
    of_column: Mapping[str, Iterable[Any]] = {
        "recording_id": (one.recording_id for one in selected),
        "archive": (one.archive for one in selected),
        "source": (one.source for one in selected),
        "language": (one.hints.language for one in selected),
        "min_speakers": (one.hints.speakers.min_speakers for one in selected),
        "max_speakers": (one.hints.speakers.max_speakers for one in selected),
        "channel_mode": (one.hints.channel_mode for one in selected),
        "collection": (one.hints.collection for one in selected),
        "title": (one.hints.title for one in selected),
        "recorded_at": (one.hints.recorded_at for one in selected),
    }
    return table_of_columns(of_column, WHOLES["hints"])


def _hints_of_plan(state: LakeState, plan: RunPlan) -> dict[str, SourceHints]:
    """Return what the plan knows of its recordings; of several names of one, what it knows of the first."""
    hints: dict[str, SourceHints] = {}
    archive = archive_key(plan.spec)
    for source in plan.listed:
        sighting = state.sightings.get((archive, source.obj.source))
        if sighting is not None and sighting.recording_id is not None:
            hints.setdefault(sighting.recording_id, source.hints)
    return hints


def _done(recording_id: str, recipes: Mapping[Stage, str], state: LakeState) -> dict[Stage, str]:
    """Return the stages that can be shown; turns only with the fingerprints that say whose they are."""
    done = {stage: recipes[stage] for stage in STAGES if (recording_id, stage, recipes[stage]) in state.done}
    together = {"diarize", "fingerprint"}
    return done if together <= done.keys() else {stage: done[stage] for stage in done if stage not in together}


def _names(
    lake: Lake, state: LakeState, plan: RunPlan, published: Mapping[str, SelectedRecording]
) -> dict[str, tuple[str, str]]:
    """Return archive and source of each recording."""
    archive = archive_key(plan.spec)
    listed = {(archive, source.obj.source) for source in plan.listed}
    last_run = _last_run_of_archives(lake, state)

    def is_gone(sighting: Sighting) -> bool:
        if sighting.archive == archive:
            return (sighting.archive, sighting.source) not in listed
        return sighting.archive in last_run and sighting.at < last_run[sighting.archive]

    ranked = sorted((is_gone(seen), seen.key, seen.recording_id) for seen in state.sightings if seen.recording_id)
    names: dict[str, tuple[str, str]] = {}
    for _, key, recording_id in ranked:
        names.setdefault(recording_id, key)
    for recording_id, before in published.items():
        seen = state.sightings.get((before.archive, before.source))
        if seen is not None and seen.recording_id is None:
            names.setdefault(recording_id, (before.archive, before.source))
    return names


def _last_run_of_archives(lake: Lake, state: LakeState) -> dict[str, Any]:
    """Return when each archive was last listed, as far as that is published."""
    sources = lake.whole(state.publication, "sources").select(["archive", "last_seen"])
    latest = sources.group_by("archive").aggregate([("last_seen", "max")]).to_pydict()
    return dict(zip(latest["archive"], latest["last_seen_max"], strict=True))


def _published(lake: Lake, state: LakeState) -> dict[str, SelectedRecording]:
    recipes: dict[str, dict[Stage, str]] = {}
    rows = lake.whole(state.publication, "selected").select(["recording_id", "stage", "recipe"])
    for recording_id, stage, recipe in zip(*map(shared_values, rows.columns), strict=True):
        recipes.setdefault(recording_id, {})[stage] = recipe
    same_hints: dict[SourceHints, SourceHints] = {}
    same_recipes: dict[tuple[tuple[Stage, str], ...], Mapping[Stage, str]] = {}
    return {
        recording_id: SelectedRecording(
            recording_id=recording_id,
            archive=archive,
            source=source,
            hints=same_hints.setdefault(hints, hints),
            recipes=same_recipes.setdefault(tuple(some.items()), some),
            wanted=None,
        )
        for recording_id, archive, source, hints in _published_hints(lake, state)
        for some in [recipes.pop(recording_id, {})]
    }


def _published_hints(lake: Lake, state: LakeState) -> Iterator[tuple[str, str, str, SourceHints]]:
    rows = lake.whole(state.publication, "hints")
    for recording_id, archive, source, language, least, most, mode, collection, title, recorded_at in zip(
        *map(shared_values, rows.columns), strict=True
    ):
        hints = SourceHints(
            language=language,
            speakers=SpeakerBounds(min_speakers=least, max_speakers=most),
            channel_mode=mode,
            collection=collection,
            title=title,
            recorded_at=recorded_at,
        )
        yield recording_id, archive, source, hints
