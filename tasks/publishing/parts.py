"""Write the published tables that grow with the audio, part by part; parts whose inputs are the same stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.columns import shared_values
from storage.lake import Lake
from storage.lake_records import LakeState, Part
from storage.publishing import inputs_digest, part_key
from storage.recipes import Stage
from storage.recording_rows import RecordingRows, split_by_recording
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsWritten:
    """What came of all parts."""

    parts: tuple[Part, ...]
    fresh: frozenset[str]
    """part_ids of those that were made anew."""
    languages: Mapping[str, str]
    """What most of each recording's segments are in, by time; of recordings in these parts, if it is known."""


def write_parts(lake: Lake, state: LakeState, plan: RunPlan, shown: Shown) -> PartsWritten:
    """Return all parts; those whose inputs changed are made anew, with the facts of a few in memory at a time."""
    before = {part.part_id: part for part in state.publication.parts} if state.publication else {}
    members = shown.members()
    digests = {part_id: _part_digest(state, plan, shown, some) for part_id, some in members.items()}
    made = {part_id: part for part_id, part in before.items() if part.digest == digests.get(part_id)}
    stale = [part_id for part_id in members if part_id not in made]
    languages: dict[str, str] = {}
    for batch in batches([shown.audio_ms(members[part_id]) for part_id in stale], _BATCH_MS):
        part_ids = stale[batch]
        facts = _facts(lake, state, [one for part_id in part_ids for one in members[part_id]])
        languages |= main_languages(facts["segments"].table)
        for part_id in part_ids:
            files = {table: part_key(table, part_id, digests[part_id]) for table in PARTS}
            tables = _part_tables(facts, plan, shown, members[part_id])
            for table, key in files.items():
                lake.store.write_table(key, tables[table])
            made[part_id] = Part(part_id=part_id, digest=digests[part_id], files=files)
        del facts  # before those of the next parts are read
    return PartsWritten(parts=tuple(made[part_id] for part_id in members), fresh=frozenset(stale), languages=languages)


def main_languages(segments: pa.Table) -> dict[str, str]:
    """Return the language that most of each recording's segments are in, by time, where that is known of any."""
    known = segments.filter(segments["language"].is_valid())
    lasting = known.append_column("lasting_ms", pc.subtract(known["end_ms"], known["start_ms"]))
    totals = lasting.group_by(["recording_id", "language"]).aggregate([("lasting_ms", "sum")])
    most: dict[str, tuple[int, str]] = {}
    columns = (shared_values(totals[name]) for name in ("recording_id", "lasting_ms_sum", "language"))
    for recording_id, *found in zip(*columns, strict=True):
        claim = (found[0], found[1])
        most[recording_id] = max(claim, most.get(recording_id, claim))
    return {recording_id: language for recording_id, (_, language) in most.items()}


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


def _part_digest(state: LakeState, plan: RunPlan, shown: Shown, members: Sequence[SelectedRecording]) -> str:
    inputs: list[Any] = [
        rules.PUBLISH_RULES,
        SCHEMA_VERSION,
        [to_plain(option) for option in reduce_options(plan.spec)],
    ]
    speakers_of = shown.speakers_of(members)
    for one in members:
        speakers = speakers_of[one.recording_id]
        owners = [state.done[one.recording_id, stage, recipe] for stage, recipe in sorted(one.recipes.items())]
        failures = shown.failures_of.get(one.recording_id, [])
        spans = [[row["stage"], row["start_ms"], row["end_ms"]] for row in failures]
        labels = sorted([*key, local] for key, local in speakers.of_label.items())
        identity = [one.recording_id, one.source, sorted(one.recipes.items()), owners]
        inputs.append([identity, labels, sorted(speakers.speaker_id.items()), spans])
    return inputs_digest(inputs)


def _part_tables(
    facts: Mapping[str, RecordingRows], plan: RunPlan, shown: Shown, members: Sequence[SelectedRecording]
) -> dict[str, pa.Table]:
    """Return the published tables of a part; rows are Python objects for one recording at a time."""
    pieces: dict[str, list[pa.Table]] = {table: [PARTS[table].empty_table()] for table in PARTS}
    nothing = {table: FACTS[table].empty_table() for table in _STAGE_OF_TABLE}
    recording_ids, speakers_of = [one.recording_id for one in members], shown.speakers_of(members)
    theirs = {table: split_by_recording(rows.of(recording_ids)) for table, rows in facts.items()}
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
        own = {table: theirs[table].get(one.recording_id, nothing[table]) for table in _STAGE_OF_TABLE}
        found = attribute_recording(
            identity,
            RecordingTables(failures=failures, **own),
            speakers_of[one.recording_id],
            plan.spec.attribution,
            plan.spec.utterances,
        )
        for table, piece in found.items():
            pieces[table].append(piece)
    tables = {table: pa.concat_tables(some).combine_chunks() for table, some in pieces.items()}
    return tables | {"terms": index_terms(tables["transcripts"])}


def _facts(lake: Lake, state: LakeState, members: Sequence[SelectedRecording]) -> dict[str, RecordingRows]:
    return {
        table: RecordingRows(lake.facts(table, state, [key for one in members for key in one.keys(stage)]))
        for table, stage in _STAGE_OF_TABLE.items()
    }
