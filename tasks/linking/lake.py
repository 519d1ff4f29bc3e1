"""The link stage: fingerprints of a lake become local speakers, and these become speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from storage.choices import choices_table, read_choices
from storage.decisions import is_all_erased
from storage.enrolled import enrolled_voices
from storage.fact_owners import FactKey
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.memory import write_memory
from storage.publishing import commit_table, inputs_digest, write_whole
from storage.records import SpeakerBounds
from storage.schemas import SCHEMA_VERSION, WHOLES
from tasks.linking.addition import Additions
from tasks.linking.constraints import SetAside
from tasks.linking.decided import read_decided
from tasks.linking.forgotten import erase_forgotten
from tasks.linking.labels import by_model
from tasks.linking.outcome import Outcome
from tasks.linking.published import PublishedLinks
from tasks.linking.speaker_table import lineage_table, speaker_table
from tasks.linking.whole import WholeLink
from tasks.planning import rules
from tasks.planning.plan import RunPlan
from tasks.planning.plan_files import read_listing
from tasks.planning.spec import to_plain
from tasks.publishing.select import select_recordings

Extent = Literal["whole", "addition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """What linking made, for the publish stage and for people."""

    base_number: int
    """The publication whose IDs were kept; 0 in a new lake."""
    wholes: Mapping[str, str]
    """Keys of the tables written; among them the commits that were linked and the choices that counted, so that no
    others are published."""
    extent: Extent
    """Whether everything was linked, or only what is new with what is known."""
    n_speakers: int
    n_fragments: int
    """Among the speakers those of whom too little is heard to count as people."""
    n_local_speakers: int
    n_unlinked: int
    n_new: int
    n_grown: int
    n_merged: int
    n_split: int
    n_lost_anchors: int
    """Voices that people decided about and that are not heard any more where they were."""
    n_set_aside: int
    """Decisions that contradict earlier ones."""


def link_lake(lake_url: str, run_id: str) -> LinkReport:
    """Link all fingerprints that are to be published; publishes nothing itself.

    Where only a little is new since a large lake was last linked as a whole, that little is linked with the people
    known; the others stay as they are.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    lake, plan = Lake(lake_url), read_listing(lake_url, run_id)
    state = lake.state()
    stage = _Stage(lake, plan, state)
    outcome, set_aside = stage.link()
    wholes = stage.write(outcome, set_aside)
    return stage.report(outcome, set_aside, wholes)


class _Stage:
    """Everything that is read once."""

    def __init__(self, lake: Lake, plan: RunPlan, state: LakeState) -> None:
        self._lake, self._plan, self._state = lake, plan, state
        self._choices = read_choices(lake)
        self._selected = select_recordings(lake, state, plan, self._choices)
        self._decided = read_decided(lake, state, self._selected)
        self._published = PublishedLinks(lake, state)
        self._bounds = {
            one.recording_id: one.hints.speakers for one in self._selected if one.hints.speakers != SpeakerBounds()
        }
        self._extent: Extent = "whole"

    def link(self) -> tuple[Outcome, tuple[SetAside, ...]]:
        """Return the links, and the decisions that could not count."""
        keys = [key for one in self._selected for key in one.keys("fingerprint")]
        known = self._published.keys
        if known and known <= set(keys):
            added = self._link_addition(known, [key for key in keys if key not in known])
            if added is not None:
                self._extent = "addition"
                return added, ()
        return self._link_whole(self._lake.facts("fingerprints", self._state, keys))

    def _link_addition(self, known: frozenset[FactKey], fresh: list[FactKey]) -> Outcome | None:
        """Return the links of everything, where what is new can be added to what is known."""
        news = self._lake.facts("fingerprints", self._state, fresh)
        if self._decided.has_forgotten(news):
            return None
        spec = self._plan.spec
        return Additions(
            published=self._published,
            decided=self._decided,
            bounds=self._bounds,
            local_options=spec.local_linking,
            options=spec.linking,
            basis_before=self._basis({recording_id for recording_id, *_ in known}),
            basis=self._basis(),
        ).link(news)

    def _link_whole(self, labels: pa.Table) -> tuple[Outcome, tuple[SetAside, ...]]:
        labels, n_forgotten = self._decided.forget(labels)
        if n_forgotten or not is_all_erased(self._lake, self._decided.log):
            erase_forgotten(self._lake, self._state)
        spec, models = self._plan.spec, by_model(labels)
        del labels  # their vectors are most of the memory
        return WholeLink(
            published=self._published,
            decided=self._decided,
            enrolled=enrolled_voices(self._lake, self._decided.log),
            bounds=self._bounds,
            local_options=spec.local_linking,
            options=spec.linking,
            basis=self._basis(),
        ).link(models)

    def write(self, outcome: Outcome, set_aside: Sequence[SetAside]) -> dict[str, str]:
        """Write the tables and return their keys."""
        number = self._published.number + 1
        tables = {
            "local_speakers": _by_recording(outcome.local_speakers),
            "links": _by_recording(outcome.links),
            "neighbours": outcome.neighbours,
            "scores": outcome.scores,
            "speakers": speaker_table(
                outcome.links,
                self._recorded_at(),
                self._published.speakers,
                outcome.events,
                number=number,
                forgotten=frozenset(one.speaker_id for one in self._decided.log.of_kind("forget")),
                fragment_ms=self._plan.spec.linking.fragment_ms,
            ),
            "lineage": lineage_table(self._published.table("lineage"), outcome.events, number),
            "decided": self._decided.rows(set_aside),
            "choices": choices_table(self._choices),
            "commits": commit_table(self._state),
        }
        keys = {name: write_whole(self._lake, name, table) for name, table in tables.items()}
        return keys | write_memory(self._lake, outcome.memory)

    def report(self, outcome: Outcome, set_aside: Sequence[SetAside], wholes: Mapping[str, str]) -> LinkReport:
        """Return what happened, in numbers."""
        speakers = self._lake.store.read_table(wholes["speakers"], WHOLES["speakers"])
        status = Counter(speakers["status"].to_pylist())
        events = Counter(event.change for event in outcome.events)
        return LinkReport(
            base_number=self._published.number,
            wholes=wholes,
            extent=self._extent,
            n_speakers=status["person"] + status["fragment"],
            n_fragments=status["fragment"],
            n_local_speakers=len(outcome.links),
            n_unlinked=outcome.links["speaker_id"].null_count,
            n_new=events["new"],
            n_grown=events["grown"],
            n_merged=events["merged_into"],
            n_split=events["split"],
            n_lost_anchors=self._decided.n_lost,
            n_set_aside=len(set_aside),
        )

    def _basis(self, recordings: Container[str] | None = None) -> str:
        """Return a digest of all that links of recordings, by default of all, follow from besides fingerprints."""
        spec = self._plan.spec
        bounds = [
            [recording_id, to_plain(some)]
            for recording_id, some in sorted(self._bounds.items())
            if recordings is None or recording_id in recordings
        ]
        decided = sorted(self._decided.event_ids)
        options = [to_plain(spec.local_linking), to_plain(spec.linking)]
        return inputs_digest([rules.LINK_RULES, SCHEMA_VERSION, options, bounds, decided])

    def _recorded_at(self) -> pa.Table:
        """Return when recordings were made, as the manifest says, or else their headers."""
        keys = [key for one in self._selected for key in one.keys("probe")]
        published = self._published.table("recordings").select(["recording_id", "recorded_at"])
        known = set(published["recording_id"].to_pylist())
        fresh = [key for key in keys if key[0] not in known]
        facts = self._lake.facts("recordings", self._state, fresh, columns=["recording_id", "recorded_at"])
        dates = dict(zip(*pa.concat_tables([published, facts]).to_pydict().values(), strict=True))
        dates |= {one.recording_id: one.hints.recorded_at for one in self._selected if one.hints.recorded_at}
        dated = {recording_id: date for recording_id, date in dates.items() if date}
        columns = [pa.array(list(dated), pa.string()), pa.array(list(dated.values()), pa.string())]
        return pa.Table.from_arrays(columns, names=["recording_id", "recorded_at"])


def _by_recording(table: pa.Table) -> pa.Table:
    """Return rows sorted by recording; of one recording they stay in order."""
    return table.take(pc.sort_indices(table["recording_id"]))
