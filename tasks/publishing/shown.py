"""Everything small that a publication is made from: what is shown, under which names, in which part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from storage.lake import Lake
from storage.lake_records import LakeState
from storage.schemas import WHOLES
from tasks.attribution.attribute_recording import LabelKey, RecordingSpeakers
from tasks.linking.lake import LinkReport
from tasks.planning.plan import RunPlan
from tasks.publishing.assign import assign_parts
from tasks.publishing.failures import present_sources, standing_failures
from tasks.publishing.select import SelectedRecording

Row = dict[str, Any]


class Shown:
    """Read once, before anything is written."""

    def __init__(
        self, lake: Lake, state: LakeState, plan: RunPlan, selected: Sequence[SelectedRecording], link: LinkReport
    ) -> None:
        """Read what was linked, what failed, and where each recording belongs."""
        self.run_id = plan.spec.run_id
        self.selected = {one.recording_id: one for one in selected}
        self.speakers = _speakers_by_recording(lake, link)
        self.failures = standing_failures(lake, state, plan, self.selected)
        self.failures_of: dict[str, list[Row]] = defaultdict(list)
        for row in self.failures:
            if row["recording_id"]:
                self.failures_of[row["recording_id"]].append(row)
        keys = [key for one in selected for key in one.keys("probe")]
        recordings = lake.facts("recordings", state, keys).to_pylist()
        self.recordings: dict[str, Row] = {row["recording_id"]: row for row in recordings}
        self.part_of = self._assign_parts(lake, state)

    def members(self) -> dict[str, list[SelectedRecording]]:
        """Return the recordings of each part."""
        members: dict[str, list[SelectedRecording]] = defaultdict(list)
        for recording_id, one in self.selected.items():
            members[self.part_of[recording_id]].append(one)
        return dict(sorted(members.items()))

    def speakers_of(self, recording_id: str) -> RecordingSpeakers:
        """Return who the labels of a recording are."""
        return self.speakers.get(recording_id, RecordingSpeakers(of_label={}, speaker_id={}))

    def n_failed_sources(self, state: LakeState, plan: RunPlan) -> int:
        """Return how many of the sources that the run met stand as failed, under whatever name that was."""
        failed = {row["recording_id"] for row in self.failures if row["recording_id"]}
        nameless = {(row["archive"], row["source"]) for row in self.failures if not row["recording_id"]}
        seen = {key: state.sightings[key].recording_id for key in present_sources(plan) if key in state.sightings}
        return sum(recording_id in failed or key in nameless for key, recording_id in seen.items())

    def _assign_parts(self, lake: Lake, state: LakeState) -> dict[str, str]:
        known = lake.whole(state.publication, "selected").select(["recording_id", "part_id"]).to_pydict()
        part_of = dict(zip(known["recording_id"], known["part_id"], strict=True))
        durations = {recording_id: row["duration_ms"] or 0 for recording_id, row in self.recordings.items()}
        return assign_parts(part_of, self.selected.keys() - part_of.keys(), durations)


def _speakers_by_recording(lake: Lake, link: LinkReport) -> dict[str, RecordingSpeakers]:
    labels: dict[str, dict[LabelKey, str]] = defaultdict(dict)
    for row in lake.store.read_table(link.wholes["local_speakers"], WHOLES["local_speakers"]).to_pylist():
        labels[row["recording_id"]][row["channel"], row["chunk_index"], row["label"]] = row["local_speaker"]
    ids: dict[str, dict[str, str | None]] = defaultdict(dict)
    for row in lake.store.read_table(link.wholes["links"], WHOLES["links"]).to_pylist():
        ids[row["recording_id"]][row["local_speaker"]] = row["speaker_id"]
    return {
        recording_id: RecordingSpeakers(of_label=of_label, speaker_id=ids[recording_id])
        for recording_id, of_label in labels.items()
    }
