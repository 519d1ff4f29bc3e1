"""Write the published tables that grow with the audio, part by part; parts whose inputs are the same stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.lake import Lake, LakeState, Part
from storage.publishing import inputs_digest, part_key
from storage.recipes import Stage
from storage.schemas import PARTS, SCHEMA_VERSION, WHOLES, table_of
from storage.terms import index_terms
from tasks.attribution.attribute_recording import RecordingTables, attribute_recording
from tasks.planning import rules
from tasks.planning.plan import RunPlan, reduce_options
from tasks.planning.spec import to_plain
from tasks.publishing.select import SelectedRecording
from tasks.publishing.shown import Shown

_STAGE_OF_TABLE: Mapping[str, Stage] = {
    "recordings": "probe",
    "speech": "probe",
    "segments": "transcribe",
    "words": "transcribe",
    "turns": "diarize",
    "fingerprints": "fingerprint",
}


def write_parts(lake: Lake, state: LakeState, plan: RunPlan, shown: Shown) -> tuple[list[Part], frozenset[str]]:
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


def _part_digest(state: LakeState, plan: RunPlan, shown: Shown, members: Sequence[SelectedRecording]) -> str:
    inputs: list[Any] = [
        rules.PUBLISH_RULES,
        SCHEMA_VERSION,
        [to_plain(option) for option in reduce_options(plan.spec)],
    ]
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
    lake: Lake, state: LakeState, plan: RunPlan, shown: Shown, members: Sequence[SelectedRecording]
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
        for table, piece in found.items():
            pieces[table].append(piece)
    tables = {table: pa.concat_tables(some).combine_chunks() for table, some in pieces.items()}
    return tables | {"terms": index_terms(tables["transcripts"])}


def _facts_of_each(
    lake: Lake, state: LakeState, members: Sequence[SelectedRecording], failures: pa.Table
) -> Iterator[tuple[SelectedRecording, RecordingTables]]:
    tables = {
        table: lake.facts(table, state, [key for one in members for key in one.keys(stage)])
        for table, stage in _STAGE_OF_TABLE.items()
    }
    tables["failures"] = failures
    split = {table: split_by_recording(data) for table, data in tables.items()}
    for one in members:
        yield (
            one,
            RecordingTables(
                **{table: split[table].get(one.recording_id, data.slice(0, 0)) for table, data in tables.items()}
            ),
        )


def split_by_recording(table: pa.Table) -> dict[str, pa.Table]:
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
