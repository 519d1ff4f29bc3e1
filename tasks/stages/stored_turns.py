"""Turns that the lake has, for the chunks whose fingerprints are made anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.lake import Lake
from storage.lake_records import LakeState
from storage.records import Diarization, Turn
from tasks.stages.facts import RecordingFacts


def stored_turns(
    lake: Lake, state: LakeState, recording_id: str | None, facts: RecordingFacts
) -> Mapping[tuple[int, int], Diarization]:
    """Return the turns of each chunk, by channel and index, in clip time.

    Nothing, unless the recording needs fingerprints and no diarization.
    """
    if "fingerprint" not in facts.stages or "diarize" in facts.stages or recording_id is None:
        return {}
    chunks = lake.facts("chunks", state, [(recording_id, "probe", facts.recipes["probe"])]).to_pylist()
    turns = lake.facts("turns", state, [(recording_id, "diarize", facts.recipes["diarize"])]).to_pylist()
    return {_key(chunk): _in_clip_time(chunk, turns) for chunk in chunks}


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["channel"], row["chunk_index"]


def _in_clip_time(chunk: Mapping[str, Any], turns: list[dict[str, Any]]) -> Diarization:
    own = [turn for turn in turns if _key(turn) == _key(chunk) and not turn["is_exclusive"]]
    at_ms = chunk["start_ms"]
    return Diarization(
        turns=tuple(
            Turn(
                start_ms=turn["start_ms"] - at_ms,
                end_ms=turn["end_ms"] - at_ms,
                speaker=turn["label"],
                confidence=turn["confidence"],
            )
            for turn in own
        )
    )
