"""Find everything that is one person's in turns that were made otherwise: other chunks, another diarizer.

A moment finds one voice of a chunk, which is enough where the voices of a recording are joined by how they sound. Of
somebody who was forgotten nothing may be left to compare, so all of their time is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from storage.decisions import VoiceAnchor
from storage.lake import Lake
from storage.lake_records import LakeState
from tasks.linking.anchors import Row, VoiceKey, own_key, turns_of, voice_key

_MOST = 0.5
"""Share of a voice's time that makes it somebody's."""


def voices_within(turns: Iterable[Row], theirs: Iterable[Row]) -> set[VoiceKey]:
    """Return the voices that are somebody's: at least half of their time is that person's, by other turns.

    Time in which nobody else talks counts; of voices that never talk alone, all of it.

    Args:
        turns: all facts of a recording by one recipe.
        theirs: facts of the person in the same recording by another.
    """
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in _alone(theirs):
        spans[row["channel"]].append((row["start_ms"], row["end_ms"]))
    time_of = {channel: _elapsed(some) for channel, some in spans.items()}
    voices: dict[VoiceKey, list[Row]] = defaultdict(list)
    for row in turns:
        if row["channel"] in spans:
            voices[voice_key(row)].append(row)
    return {key for key, rows in voices.items() if _share(_alone(rows), *time_of[key[1]]) >= _MOST}


def all_voices(
    lake: Lake, state: LakeState, recipes: Mapping[str, str], anchors: Collection[VoiceAnchor]
) -> set[VoiceKey]:
    """Return every voice of the person whom anchors mean, also in chunks that none of them lies in.

    Args:
        lake: The lake.
        state: What is known of it.
        recipes: recording_id → recipe of the turns by which the recording is shown.
        anchors: One for each voice of the person when they were made; of each recording by one recipe.
    """
    moved = [one for one in anchors if recipes.get(one.recording_id) not in {None, one.recipe}]
    now = turns_of(lake, state, {one.recording_id: recipes[one.recording_id] for one in moved})
    found = {own_key(one) for one in anchors if recipes.get(one.recording_id) == one.recipe}
    for recording_id, theirs in turns_then(lake, state, moved).items():
        found |= voices_within(now.get(recording_id, ()), theirs)
    return found


def turns_then(lake: Lake, state: LakeState, anchors: Collection[VoiceAnchor]) -> dict[str, list[Row]]:
    """Return the turns of the very voices that anchors were made of, by recording_id."""
    keys = {own_key(one) for one in anchors}
    turns = turns_of(lake, state, {one.recording_id: one.recipe for one in anchors})
    return {recording_id: [row for row in rows if voice_key(row) in keys] for recording_id, rows in turns.items()}


def _alone(turns: Iterable[Row]) -> list[Row]:
    rows = list(turns)
    return [row for row in rows if row["is_exclusive"]] or rows


def _elapsed(spans: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return edges of the spans' union, and how much of it lies before each."""
    edges, before = [], []
    covered_ms, until_ms = 0, -1
    for start_ms, end_ms in sorted(spans):
        if end_ms > until_ms:
            edges += [max(start_ms, until_ms), end_ms]
            before += [covered_ms, covered_ms + end_ms - edges[-2]]
            covered_ms, until_ms = before[-1], end_ms
    return edges, before


def _share(turns: Sequence[Row], edges: Sequence[int], before: Sequence[int]) -> float:
    """Return which share of the turns lies in the union that the edges are of."""
    starts, ends = ([row[name] for row in turns] for name in ("start_ms", "end_ms"))
    inside_ms = float(np.sum(np.interp(ends, edges, before) - np.interp(starts, edges, before)))
    return inside_ms / max(int(np.sum(ends) - np.sum(starts)), 1)
