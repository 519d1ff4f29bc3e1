"""Everything small that a publication is made from: what is shown, under which names, in which part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from storage.columns import shared_values
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.recording_rows import RecordingRows
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
        self._labels, self._links = _linked(lake, link)
        self.failures = standing_failures(lake, state, plan, self.selected)
        self.failures_of: dict[str, list[Row]] = defaultdict(list)
        for row in self.failures:
            if row["recording_id"]:
                self.failures_of[row["recording_id"]].append(row)
        keys = [key for one in selected for key in one.keys("probe")]
        self.recordings = RecordingRows(lake.facts("recordings", state, keys)).table
        """What probing found, sorted by recording."""
        names, durations = (shared_values(self.recordings[name]) for name in ("recording_id", "duration_ms"))
        self._duration_ms = dict(zip(names, durations, strict=True))
        self.part_of = self._assign_parts(lake, state)

    def members(self) -> dict[str, list[SelectedRecording]]:
        """Return the recordings of each part."""
        members: dict[str, list[SelectedRecording]] = defaultdict(list)
        for recording_id, one in self.selected.items():
            members[self.part_of[recording_id]].append(one)
        return dict(sorted(members.items()))

    def audio_ms(self, recordings: Iterable[SelectedRecording]) -> int:
        """Return how long recordings are together, as far as that is known."""
        return sum(self._duration_ms.get(one.recording_id) or 0 for one in recordings)

    def speakers_of(self, recordings: Sequence[SelectedRecording]) -> dict[str, RecordingSpeakers]:
        """Return who the labels of recordings are, by recording_id."""
        names = [one.recording_id for one in recordings]
        found = {name: (dict[LabelKey, str](), dict[str, str | None]()) for name in names}
        for name, channel, chunk_index, label, local in _rows(self._labels.of(names)):
            found[name][0][channel, chunk_index, label] = local
        for name, local, speaker_id in _rows(self._links.of(names)):
            found[name][1][local] = speaker_id
        return {
            name: RecordingSpeakers(of_label=of_label, speaker_id=speaker_id)
            for name, (of_label, speaker_id) in found.items()
        }

    def n_failed_sources(self, state: LakeState, plan: RunPlan) -> int:
        """Return how many of the sources that the run met stand as failed, under whatever name that was."""
        failed = {row["recording_id"] for row in self.failures if row["recording_id"]}
        nameless = {(row["archive"], row["source"]) for row in self.failures if not row["recording_id"]}
        met = filter(None, map(state.sightings.get, present_sources(plan)))
        return sum(seen.recording_id in failed or seen.key in nameless for seen in met)

    def _assign_parts(self, lake: Lake, state: LakeState) -> dict[str, str]:
        known = lake.whole(state.publication, "selected")
        part_of = dict(zip(*(shared_values(known[name]) for name in ("recording_id", "part_id")), strict=True))
        durations = {recording_id: lasting or 0 for recording_id, lasting in self._duration_ms.items()}
        return assign_parts(part_of, self.selected.keys() - part_of.keys(), durations)


def _linked(lake: Lake, link: LinkReport) -> tuple[RecordingRows, RecordingRows]:
    """Return local speakers by label, and speakers by local speaker."""
    labels, links = (lake.store.read_table(link.wholes[name], WHOLES[name]) for name in ("local_speakers", "links"))
    return RecordingRows(labels), RecordingRows(links.select(["recording_id", "local_speaker", "speaker_id"]))


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
