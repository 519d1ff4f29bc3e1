"""The publish stage: attribute what changed and make one consistent set of tables the lake's state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import PublicationRaced
from storage.lake import Lake, LakeState, Part, Publication
from storage.publishing import index_tables, inputs_digest, mirror_transcripts, part_key, write_whole
from storage.recipes import Stage
from storage.schemas import PARTS, SCHEMA_VERSION, WHOLES, table_of
from tasks.attribute_recording import LabelKey, RecordingSpeakers, RecordingTables, attribute_recording
from tasks.failures import present_sources, standing_failures
from tasks.link import LinkReport
from tasks.plan import RunPlan, archive_key, has_same_reduce, read_plan, reduce_options
from tasks.select import SelectedRecording, hint_rows, select_recordings
from tasks.spec import to_plain

Row = dict[str, Any]

_PUBLISH_RULES = 1
"""Raised when the same facts and options are to be published otherwise."""
_PART_RECORDINGS = 200
_PART_MS = 50 * 3_600_000
_STAGE_OF_TABLE: Mapping[str, Stage] = {
    "recordings": "probe",
    "speech": "probe",
    "segments": "transcribe",
    "words": "transcribe",
    "turns": "diarize",
    "fingerprints": "fingerprint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What was published."""

    number: int
    n_recordings: int
    n_failed: int
    """Recordings or sources of the run's archive that stand as failed."""
    n_parts: int
    n_parts_written: int
    """Parts that were made anew; the others stayed as they were."""


def publish_lake(lake_url: str, run_id: str, link: LinkReport) -> PublishReport:
    """Publish the lake as the link stage saw it, with the speakers that it found.

    What others have committed in between has no speakers yet; it is published by whoever links next.

    Raises:
        PublicationRaced: another run published since the link stage read the lake; link again.
        StorageError: the lake cannot be read or written.
    """
    lake, plan = Lake(lake_url), read_plan(lake_url, run_id)
    linked = lake.store.read_table(link.wholes["commits"], WHOLES["commits"])
    state = lake.state(known=frozenset(linked["commit_id"].to_pylist()))
    number = state.publication.number if state.publication else 0
    if number != link.base_number:
        raise PublicationRaced(
            f"publication {number + 1}", "the lake moved on while speakers were linked", "link again"
        )
    selected = select_recordings(lake, state, plan)
    shown = _Shown(lake, state, plan, selected, link)
    parts, written = _write_parts(lake, state, plan, shown)
    publication = Publication(
        number=number + 1,
        run_id=run_id,
        at=plan.spec.started_at,
        parts=tuple(parts),
        wholes={**link.wholes, **_write_wholes(lake, state, plan, shown, written)},
        bases={**_bases_that_hold(state, plan), archive_key(plan.spec): plan.basis},
    )
    if not lake.publish(publication):
        raise PublicationRaced(f"publication {number + 1}", "another run published it first", "link again")
    mirror_transcripts(lake)
    return PublishReport(
        number=publication.number,
        n_recordings=len(selected),
        n_failed=shown.n_failed_sources(state, plan),
        n_parts=len(parts),
        n_parts_written=len(written),
    )


def _bases_that_hold(state: LakeState, plan: RunPlan) -> dict[str, str]:
    """Return the bases of other archives that this publication shows as their own last run would."""
    bases = state.publication.bases if state.publication else {}
    return {
        archive: basis
        for archive, basis in bases.items()
        if archive not in state.unpublished_archives and has_same_reduce(basis, plan.basis)
    }


class _Shown:
    """Everything small that parts and whole tables are made from."""

    def __init__(
        self, lake: Lake, state: LakeState, plan: RunPlan, selected: Sequence[SelectedRecording], link: LinkReport
    ) -> None:
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
        """Return each recording's part: the one it had, or a new one shared with other new recordings."""
        known = lake.whole(state.publication, "selected").select(["recording_id", "part_id"]).to_pydict()
        part_of = dict(zip(known["recording_id"], known["part_id"], strict=True))
        group: list[str] = []
        group_ms = 0
        for recording_id in sorted(self.selected.keys() - part_of.keys()):
            duration_ms = self.recordings.get(recording_id, {}).get("duration_ms") or 0
            if group and (len(group) == _PART_RECORDINGS or group_ms + duration_ms > _PART_MS):
                part_of |= _new_part(group)
                group, group_ms = [], 0
            group.append(recording_id)
            group_ms += duration_ms
        return part_of | _new_part(group)


def _new_part(recording_ids: Sequence[str]) -> dict[str, str]:
    part_id = inputs_digest(list(recording_ids))[:12]
    return dict.fromkeys(recording_ids, part_id)


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


def _write_parts(lake: Lake, state: LakeState, plan: RunPlan, shown: _Shown) -> tuple[list[Part], frozenset[str]]:
    """Return all parts, and which of them were made anew."""
    before = {part.part_id: part for part in state.publication.parts} if state.publication else {}
    parts, written = [], set()
    for part_id, members in shown.members().items():
        digest = _part_digest(state, plan, shown, members)
        if part_id in before and before[part_id].digest == digest:
            parts.append(before[part_id])
            continue
        files = {table: part_key(table, part_id, digest) for table in PARTS}
        tables = _part_tables(lake, state, plan, shown, members)
        for table, key in files.items():
            lake.store.write_table(key, tables[table])
        parts.append(Part(part_id=part_id, digest=digest, files=files))
        written.add(part_id)
    return parts, frozenset(written)


def _part_digest(state: LakeState, plan: RunPlan, shown: _Shown, members: Sequence[SelectedRecording]) -> str:
    inputs: list[Any] = [_PUBLISH_RULES, SCHEMA_VERSION, [to_plain(option) for option in reduce_options(plan.spec)]]
    for one in members:
        speakers = shown.speakers_of(one.recording_id)
        owners = [state.done[one.recording_id, stage, recipe] for stage, recipe in sorted(one.recipes.items())]
        failures = shown.failures_of.get(one.recording_id, [])
        spans = [[row["stage"], row["start_ms"], row["end_ms"]] for row in failures]
        labels = sorted([*key, local] for key, local in speakers.of_label.items())
        identity = [one.recording_id, one.source, sorted(one.recipes.items()), owners]
        inputs.append([identity, labels, sorted(speakers.speaker_id.items()), spans])
    return inputs_digest(inputs)


def _part_tables(
    lake: Lake, state: LakeState, plan: RunPlan, shown: _Shown, members: Sequence[SelectedRecording]
) -> dict[str, pa.Table]:
    """Return the published tables of a part; rows are Python objects for one recording at a time."""
    pieces: dict[str, list[pa.Table]] = {table: [PARTS[table].empty_table()] for table in PARTS}
    failures = table_of(
        [row for one in members for row in shown.failures_of.get(one.recording_id, [])], WHOLES["failures"]
    )
    for one, facts in _facts_of_each(lake, state, members, failures):
        identity = {
            "recording_id": one.recording_id,
            "source": one.source,
            "recipe": inputs_digest(sorted(one.recipes.items()))[:16],
            "run_id": shown.run_id,
        }
        speakers = shown.speakers_of(one.recording_id)
        found = attribute_recording(identity, facts, speakers, plan.spec.attribution, plan.spec.utterances)
        for table, rows in found.items():
            pieces[table].append(table_of(rows, PARTS[table]))
    return {table: pa.concat_tables(some).combine_chunks() for table, some in pieces.items()}


def _facts_of_each(
    lake: Lake, state: LakeState, members: Sequence[SelectedRecording], failures: pa.Table
) -> Iterator[tuple[SelectedRecording, RecordingTables]]:
    tables = {
        table: lake.facts(table, state, [key for one in members for key in one.keys(stage)])
        for table, stage in _STAGE_OF_TABLE.items()
    }
    tables["failures"] = failures
    split = {table: _split_by_recording(data) for table, data in tables.items()}
    for one in members:
        yield (
            one,
            RecordingTables(
                **{table: split[table].get(one.recording_id, data.slice(0, 0)) for table, data in tables.items()}
            ),
        )


def _split_by_recording(table: pa.Table) -> dict[str, pa.Table]:
    """Return each recording's rows, in their order."""
    if not len(table):
        return {}
    codes = table["recording_id"].combine_chunks().dictionary_encode()
    order = pc.sort_indices(codes.indices)  # stable
    ordered, counts = table.take(order), pc.value_counts(codes.indices.take(order))
    split, start = {}, 0
    for entry in counts.to_pylist():
        recording_id = codes.dictionary[entry["values"]].as_py()
        split[recording_id] = ordered.slice(start, entry["counts"])
        start += entry["counts"]
    return split


def _write_wholes(
    lake: Lake, state: LakeState, plan: RunPlan, shown: _Shown, written: frozenset[str]
) -> dict[str, str]:
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
        "failures": shown.failures,
        "sources": _source_rows(lake, state, plan),
        **index_tables(state),
    }
    return {table: write_whole(lake, table, list(rows)) for table, rows in tables.items()}


def _recording_rows(shown: _Shown, languages: Mapping[str, str | None]) -> Iterator[Row]:
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


def _languages(lake: Lake, state: LakeState, shown: _Shown, written: frozenset[str]) -> dict[str, str | None]:
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
