"""Choose what is published: for each recording its name and the recipes whose facts are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storage.lake import FactKey, Lake, LakeState, Sighting
from storage.recipes import STAGES, Stage
from storage.records import SourceHints
from tasks.plan import RunPlan, archive_key
from tasks.recipes import RecipeBook


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedRecording:
    """One recording as it will be shown."""

    recording_id: str
    archive: str
    source: str
    """Of several names the first by archive and path."""
    hints: SourceHints
    recipes: Mapping[Stage, str]
    """Only stages that are done."""

    def keys(self, stage: Stage) -> list[FactKey]:
        """Return the key of the stage's facts, if the stage is done."""
        return [(self.recording_id, stage, self.recipes[stage])] if stage in self.recipes else []


def select_recordings(lake: Lake, state: LakeState, plan: RunPlan) -> list[SelectedRecording]:
    """Return every recording of the lake, sorted by recording_id.

    Recordings of the plan's archive are shown by the plan's recipes once all their stages are done so; until then,
    and in other archives, they stay as they were published.
    """
    recipes = RecipeBook(plan.spec)
    published = _published(lake, state)
    sightings = _first_sightings(state)
    wanted: dict[str, SourceHints] = {}
    archive = archive_key(plan.spec)
    for source in plan.listed:
        sighting = state.sightings.get((archive, source.obj.source))
        if sighting is not None and sighting.recording_id is not None:
            wanted.setdefault(sighting.recording_id, source.hints)
    selected = []
    for recording_id, sighting in sorted(sightings.items()):
        before = published.get(recording_id)
        hints = wanted.get(recording_id, before.hints if before else SourceHints())
        chosen = _done(recording_id, recipes.of(hints), state)
        if before is not None and (recording_id not in wanted or len(chosen) < len(before.recipes)):
            chosen = dict(before.recipes)
        selected.append(
            SelectedRecording(
                recording_id=recording_id,
                archive=sighting.archive,
                source=sighting.source,
                hints=hints,
                recipes=chosen,
            )
        )
    return selected


def _done(recording_id: str, recipes: Mapping[Stage, str], state: LakeState) -> dict[Stage, str]:
    """Return the stages that can be shown; turns only with the fingerprints that say whose they are."""
    done = {stage: recipes[stage] for stage in STAGES if (recording_id, stage, recipes[stage]) in state.done}
    together = {"diarize", "fingerprint"}
    return done if together <= done.keys() else {stage: done[stage] for stage in done if stage not in together}


def _first_sightings(state: LakeState) -> dict[str, Sighting]:
    first: dict[str, Sighting] = {}
    for key in sorted(state.sightings):
        sighting = state.sightings[key]
        if sighting.recording_id is not None:
            first.setdefault(sighting.recording_id, sighting)
    return first


def _published(lake: Lake, state: LakeState) -> dict[str, SelectedRecording]:
    recipes: dict[str, dict[Stage, str]] = {}
    for row in lake.whole(state.publication, "selected").to_pylist():
        recipes.setdefault(row["recording_id"], {})[row["stage"]] = row["recipe"]
    return {
        row["recording_id"]: SelectedRecording(
            recording_id=row["recording_id"],
            archive=row["archive"],
            source=row["source"],
            hints=SourceHints(
                collection=row["collection"],
                title=row["title"],
                recorded_at=row["recorded_at"],
            ),
            recipes=recipes.get(row["recording_id"], {}),
        )
        for row in lake.whole(state.publication, "recordings").to_pylist()
    }
