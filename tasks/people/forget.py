"""Forget somebody: remove their fingerprints and their name everywhere; what they said stays, as said by nobody."""

from __future__ import annotations

from dataclasses import dataclass

from storage.decisions import Decision, new_decision, read_log, record_decision
from storage.lake import Lake
from storage.lake_records import LakeState
from tasks.linking.anchors import anchors_of_chunks, published_voices
from tasks.linking.forgotten import Erased, also_known_as, erase_forgotten
from tasks.people.who import known_speakers


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Who was forgotten, and what was removed."""

    decision: Decision
    """What stays of them: in which moments they are heard, so that later runs leave these alone."""
    erased: Erased
    namesakes: tuple[str, ...]
    """Other speakers with the same name, who were not forgotten."""


def forget_speaker(lake_url: str, who: str) -> Forgotten:
    """Forget a speaker, also under all IDs that were merged into theirs, or are to be. This cannot be undone.

    What is removed is gone when this returns; transcripts show it from the next publication on.

    Args:
        lake_url: The lake.
        who: ID or name.

    Raises:
        ConfigError: the speaker is not known.
        StorageError: the lake cannot be written; forget them again, by ID, to remove what is left.
    """
    lake = Lake(lake_url)
    state = lake.state()
    known = known_speakers(lake, state.publication)
    speaker_id = known.find_ever(who)
    decision = known.forgotten.get(speaker_id) or _record(lake, state, speaker_id)
    name = known.names.get(speaker_id)
    namesakes = {known.current(one) for one, theirs in known.names.items() if name is not None and theirs == name}
    return Forgotten(
        decision=decision,
        erased=erase_forgotten(lake, state),
        namesakes=tuple(sorted(namesakes - {speaker_id})),
    )


def _record(lake: Lake, state: LakeState, speaker_id: str) -> Decision:
    voices = published_voices(lake, state)
    ids = also_known_as(lake, state, read_log(lake), {speaker_id})
    anchors = anchors_of_chunks(lake, state, voices, [local for one in sorted(ids) for local in voices.heard_as(one)])
    decision = new_decision("forget", speaker_id, ours=anchors)
    record_decision(lake, decision)
    return decision
