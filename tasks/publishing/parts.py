"""Write the published tables that grow with the audio, part by part; parts whose inputs are the same stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.lake import Lake
from storage.lake_records import LakeState, Part
from storage.publishing import inputs_digest, part_key
from storage.recipes import Stage
from storage.schemas import FACTS, PARTS, SCHEMA_VERSION, WHOLES, table_of
from storage.terms import index_terms
from tasks.attribution.attribute_recording import RecordingTables, attribute_recording
from tasks.planning import rules
from tasks.planning.plan import RunPlan, reduce_options
from tasks.planning.shards import HOUR_MS
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
_BATCH_MS = 50 * HOUR_MS
"""Parts whose facts are read together. A commit has facts of many parts where recordings are short, and is read once
for all of them; where recordings are long, this is one part."""


def write_parts(lake: Lake, state: LakeState, plan: RunPlan, shown: Shown) -> tuple[list[Part], frozenset[str]]:
    """Return all parts, and which of them were made anew."""
    before = {part.part_id: part for part in state.publication.parts} if state.publication else {}
    members = shown.members()
    digests = {part_id: _part_digest(state, plan, shown, some) for part_id, some in members.items()}
    made = {part_id: part for part_id, part in before.items() if part.digest == digests.get(part_id)}
    stale = [part_id for part_id in members if part_id not in made]
    for batch in batches([_audio_ms(shown, members[part_id]) for part_id in stale], _BATCH_MS):
        part_ids = stale[batch]
        facts = _facts_by_recording(lake, state, [one for part_id in part_ids for one in members[part_id]])
        for part_id in part_ids:
            files = {table: part_key(table, part_id, digests[part_id]) for table in PARTS}
            tables = _part_tables(facts, plan, shown, members[part_id])
            for table, key in files.items():
                lake.store.write_table(key, tables[table])
            made[part_id] = Part(part_id=part_id, digest=digests[part_id], files=files)
    return [made[part_id] for part_id in members], frozenset(stale)


def batches(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Yield runs of neighbours whose sizes add up to no more than ``most``, or that are one alone.

    >>> list(batches([3, 3, 9, 1], 6))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    first, total = 0, 0
    for index, size in enumerate(sizes):
        if index > first and total + size > most:
            yield slice(first, index)
            first, total = index, 0
        total += size
    if sizes:
        yield slice(first, len(sizes))


def _audio_ms(shown: Shown, members: Sequence[SelectedRecording]) -> int:
    return sum(shown.recordings.get(one.recording_id, {}).get("duration_ms") or 0 for one in members)


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
    facts: Mapping[str, Mapping[str, pa.Table]], plan: RunPlan, shown: Shown, members: Sequence[SelectedRecording]
) -> dict[str, pa.Table]:
    """Return the published tables of a part; rows are Python objects for one recording at a time."""
    pieces: dict[str, list[pa.Table]] = {table: [PARTS[table].empty_table()] for table in PARTS}
    nothing = {table: FACTS[table].empty_table() for table in _STAGE_OF_TABLE}
    no_failures = WHOLES["failures"].empty_table()
    for one in members:
        identity = {
            "recording_id": one.recording_id,
            "source": one.source,
            "recipe": inputs_digest(sorted(one.recipes.items()))[:16],
            "run_id": shown.run_id,
        }
        failed = shown.failures_of.get(one.recording_id)
        failures = table_of(failed, WHOLES["failures"]) if failed else no_failures
        own = {table: facts[table].get(one.recording_id, nothing[table]) for table in _STAGE_OF_TABLE}
        speakers = shown.speakers_of(one.recording_id)
        found = attribute_recording(
            identity,
            RecordingTables(failures=failures, **own),
            speakers,
            plan.spec.attribution,
            plan.spec.utterances,
        )
        for table, piece in found.items():
            pieces[table].append(piece)
    tables = {table: pa.concat_tables(some).combine_chunks() for table, some in pieces.items()}
    return tables | {"terms": index_terms(tables["transcripts"])}


def _facts_by_recording(
    lake: Lake, state: LakeState, members: Sequence[SelectedRecording]
) -> dict[str, Mapping[str, pa.Table]]:
    """Return each fact table's rows of each recording."""
    return {
        table: split_by_recording(lake.facts(table, state, [key for one in members for key in one.keys(stage)]))
        for table, stage in _STAGE_OF_TABLE.items()
    }


def split_by_recording(table: pa.Table) -> Mapping[str, pa.Table]:
    """Return each recording's rows, in their order."""
    if not len(table):
        return {}
    codes = table["recording_id"].combine_chunks().dictionary_encode()
    order = pc.sort_indices(codes.indices)  # stable
    counts = pc.value_counts(codes.indices.take(order))
    recording_ids = codes.dictionary.take(counts.field("values")).to_pylist()
    ends = np.cumsum(counts.field("counts").to_numpy())
    starts = ends - counts.field("counts").to_numpy()
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    return _Slices(table.take(order), dict(zip(recording_ids, spans, strict=True)))


class _Slices(Mapping[str, pa.Table]):
    """Rows by recording, cut out when they are asked for: ten thousand tables would be larger than what is in them."""

    def __init__(self, ordered: pa.Table, spans: Mapping[str, tuple[int, int]]) -> None:
        self._ordered, self._spans = ordered, spans

    def __getitem__(self, recording_id: str) -> pa.Table:
        start, end = self._spans[recording_id]
        return self._ordered.slice(start, end - start)

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)
