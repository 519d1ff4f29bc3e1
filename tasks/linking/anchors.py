"""Find voices again: from a local speaker to a moment in which it is heard, and from the moment to a label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.decisions import VoiceAnchor
from storage.lake import Lake
from storage.lake_records import LakeState

Row = Mapping[str, Any]
VoiceKey = tuple[str, int, int, str]
"""recording_id, channel, chunk_index, label: the voice of one chunk."""

NEAR_MS = 1_000
"""A turn that begins or ends this near to a moment may still be the one that was meant."""


def voice_key(row: Row) -> VoiceKey:
    """Return the key of a row of turns, fingerprints or ``local_speakers``."""
    return row["recording_id"], row["channel"], row["chunk_index"], row["label"]


def anchor_of(turns: Sequence[Row]) -> VoiceAnchor:
    """Return the middle of the longest turn, of those in which nobody else talks if there are any.

    Args:
        turns: facts of one voice, all of one recording, channel and recipe; at least one.
    """
    turn = min(turns, key=lambda row: (not row["is_exclusive"], row["start_ms"] - row["end_ms"], row["start_ms"]))
    return VoiceAnchor(
        recording_id=turn["recording_id"],
        channel=turn["channel"],
        at_ms=(turn["start_ms"] + turn["end_ms"]) // 2,
        chunk_index=turn["chunk_index"],
        label=turn["label"],
        recipe=turn["recipe"],
    )


def voice_at(anchor: VoiceAnchor, turns: Iterable[Row]) -> VoiceKey | None:
    """Return the voice that is meant by an anchor, in turns that were made otherwise; None if nobody is heard there.

    A turn that covers the moment comes before one that is near, and one in which nobody else talks before others.

    Args:
        anchor: the moment.
        turns: all facts of the recording by one recipe.
    """
    near = [
        ((distance_ms, not row["is_exclusive"], row["start_ms"], row["label"]), row)
        for row in turns
        if row["channel"] == anchor.channel and (distance_ms := _distance_ms(row, anchor.at_ms)) <= NEAR_MS
    ]
    return voice_key(min(near, key=lambda one: one[0])[1]) if near else None


def own_key(anchor: VoiceAnchor) -> VoiceKey:
    """Return the voice that an anchor was made of, by its own recipe."""
    return anchor.recording_id, anchor.channel, anchor.chunk_index, anchor.label


def find_voices(
    lake: Lake, state: LakeState, recipes: Mapping[str, str], anchors: Collection[VoiceAnchor]
) -> dict[VoiceAnchor, VoiceKey]:
    """Return the voice of each anchor; those that are lost have none.

    Args:
        lake: The lake.
        state: What is known of it.
        recipes: recording_id → recipe of the turns by which the recording is shown.
        anchors: What to find.
    """
    found, moved = {}, defaultdict(list)
    for anchor in anchors:
        if recipes.get(anchor.recording_id) == anchor.recipe:
            found[anchor] = own_key(anchor)
        elif anchor.recording_id in recipes:
            moved[anchor.recording_id].append(anchor)
    turns = turns_of(lake, state, {recording_id: recipes[recording_id] for recording_id in moved})
    for recording_id, some in moved.items():
        found |= {anchor: key for anchor in some if (key := voice_at(anchor, turns.get(recording_id, ())))}
    return found


def turns_of(lake: Lake, state: LakeState, recipes: Mapping[str, str]) -> dict[str, list[Row]]:
    """Return the turns of recordings as facts, by recording_id.

    Args:
        lake: The lake.
        state: What is known of it.
        recipes: recording_id → recipe of its turns.
    """
    turns: dict[str, list[Row]] = defaultdict(list)
    for row in lake.facts("turns", state, [(one, "diarize", recipe) for one, recipe in recipes.items()]).to_pylist():
        if row["recipe"] == recipes[row["recording_id"]]:
            turns[row["recording_id"]].append(row)
    return turns


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVoices:
    """The voices of the latest publication."""

    recipes: Mapping[str, str]
    """recording_id → recipe of its turns."""
    local_of: Mapping[VoiceKey, tuple[str, str]]
    """(recording_id, local_speaker) of each voice of a chunk."""
    speaker_of: Mapping[tuple[str, str], str | None]
    """speaker_id of each local speaker."""

    def heard_as(self, speaker_id: str) -> list[tuple[str, str]]:
        """Return the local speakers of a speaker, sorted."""
        return sorted(local for local, one in self.speaker_of.items() if one == speaker_id)


def published_voices(lake: Lake, state: LakeState) -> PublishedVoices:
    """Return the voices as they are published."""
    selected = lake.whole(state.publication, "selected").to_pylist()
    labels = lake.whole(state.publication, "local_speakers").to_pylist()
    links = lake.whole(state.publication, "links").to_pylist()
    return PublishedVoices(
        recipes={row["recording_id"]: row["recipe"] for row in selected if row["stage"] == "diarize"},
        local_of={voice_key(row): (row["recording_id"], row["local_speaker"]) for row in labels},
        speaker_of={(row["recording_id"], row["local_speaker"]): row["speaker_id"] for row in links},
    )


def anchors_of(
    lake: Lake, state: LakeState, voices: PublishedVoices, locals_: Collection[tuple[str, str]]
) -> tuple[VoiceAnchor, ...]:
    """Return an anchor for each of some published local speakers, sorted."""
    turns = _turns_by_voice(lake, state, voices, locals_)
    of_local: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for key, rows in turns.items():
        of_local[voices.local_of[key]] += rows
    return tuple(sorted(anchor_of(rows) for rows in of_local.values()))


def anchors_of_chunks(
    lake: Lake, state: LakeState, voices: PublishedVoices, locals_: Collection[tuple[str, str]]
) -> tuple[VoiceAnchor, ...]:
    """Return an anchor for each chunk in which one of some published local speakers is heard, sorted."""
    return tuple(sorted(anchor_of(rows) for rows in _turns_by_voice(lake, state, voices, locals_).values()))


def _turns_by_voice(
    lake: Lake, state: LakeState, voices: PublishedVoices, locals_: Collection[tuple[str, str]]
) -> dict[VoiceKey, list[Row]]:
    wanted = set(locals_)
    recordings = {recording_id for recording_id, _ in wanted}
    turns: dict[VoiceKey, list[Row]] = defaultdict(list)
    for rows in turns_of(lake, state, {one: voices.recipes[one] for one in recordings}).values():
        for row in rows:
            if voices.local_of.get(voice_key(row)) in wanted:
                turns[voice_key(row)].append(row)
    return turns


def _distance_ms(turn: Row, at_ms: int) -> int:
    start_ms, end_ms = int(turn["start_ms"]), int(turn["end_ms"])
    return max(start_ms - at_ms, at_ms - end_ms + 1, 0)
