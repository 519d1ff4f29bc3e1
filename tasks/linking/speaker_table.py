"""Everybody whom a lake has an ID for: how much is heard of them, and what became of those who are heard no more."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from storage.schemas import WHOLES, table_of
from tasks.linking.ids import LineageEvent

Status = Literal["person", "fragment", "merged", "forgotten", "gone"]
"""What an ID stands for: somebody; too little to tell; somebody who has another ID now; somebody whom nobody may know;
nobody who is still heard."""


def speaker_table(
    links: pa.Table,
    recorded_at: pa.Table,
    before: pa.Table,
    events: Sequence[LineageEvent],
    *,
    number: int,
    forgotten: frozenset[str],
    fragment_ms: int,
) -> pa.Table:
    """Return every ID ever published; one that nobody bears any more says whom it was merged into.

    Args:
        links: who each local speaker is.
        recorded_at: columns recording_id and recorded_at, of recordings whose date is known.
        before: the table as it was published last.
        events: what happened since.
        number: of the publication that is being made.
        forgotten: IDs of people who are to be forgotten.
        fragment_ms: as in ``LinkOptions``.
    """
    counts = {row["speaker_id"]: row for row in _counts(links, recorded_at).to_pylist()}
    known = {row["speaker_id"]: row for row in before.to_pylist()}
    merged = {row["speaker_id"]: row["merged_into"] for row in known.values() if row["merged_into"]}
    merged |= {one.speaker_id: one.other_id for one in events if one.change == "merged_into" and one.other_id}
    rows = []
    for speaker_id in sorted({*counts, *known, *merged}):
        heard, was = counts.get(speaker_id), known.get(speaker_id, {})
        merged_into = None if heard else _last(speaker_id, merged, counts.keys())
        rows.append(
            {
                "speaker_id": speaker_id,
                "status": _status(heard, merged_into, fragment_ms, is_forgotten=speaker_id in forgotten),
                "n_recordings": heard["recording_id_count_distinct"] if heard else 0,
                "speech_ms": heard["speech_ms_sum"] if heard else 0,
                "since": was.get("since", number),
                "first_seen": heard["recorded_at_min"] if heard else None,
                "last_seen": heard["recorded_at_max"] if heard else None,
                "merged_into": merged_into,
            }
        )
    return table_of(rows, WHOLES["speakers"])


def lineage_table(before: pa.Table, events: Sequence[LineageEvent], number: int) -> pa.Table:
    """Return what ever happened to IDs, but for growth, which every night brings."""
    rows = [
        {"publication": number, "speaker_id": one.speaker_id, "change": one.change, "other_id": one.other_id}
        for one in events
        if one.change != "grown"
    ]
    return pa.concat_tables([before, table_of(rows, WHOLES["lineage"])])


def _last(speaker_id: str, merged: Mapping[str, str], heard: Container[str]) -> str | None:
    """Return whom an ID was merged into, through all merges since, up to somebody who is heard."""
    passed = {speaker_id}
    while (other := merged.get(speaker_id)) is not None and other not in passed:
        passed.add(other)
        speaker_id = other
        if other in heard:
            break
    return speaker_id if len(passed) > 1 else None


def _counts(links: pa.Table, recorded_at: pa.Table) -> pa.Table:
    linked = links.filter(links["speaker_id"].is_valid()).select(["recording_id", "speaker_id", "speech_ms"])
    dated = linked.join(recorded_at, "recording_id", join_type="left outer")
    return dated.group_by("speaker_id").aggregate(
        [("recording_id", "count_distinct"), ("speech_ms", "sum"), ("recorded_at", "min"), ("recorded_at", "max")]
    )


def _status(
    heard: Mapping[str, Any] | None, merged_into: str | None, fragment_ms: int, *, is_forgotten: bool
) -> Status:
    if heard:
        is_little = heard["speech_ms_sum"] < fragment_ms and heard["recording_id_count_distinct"] == 1
        return "fragment" if is_little else "person"
    if is_forgotten:
        return "forgotten"
    return "merged" if merged_into else "gone"
