"""Decide who is who: merge, split, forbid, and take a decision back.

Each function only records the decision. It counts from the next link on, in this lake, whatever becomes of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.decisions import Decision, DecisionKind, new_decision, read_log, record_decision, record_undo
from storage.errors import ConfigError
from storage.lake import Lake
from storage.lake_records import LakeState
from tasks.linking.anchors import PublishedVoices, anchors_of, own_key, published_voices
from tasks.linking.constraints import DecidedRows, constrain
from tasks.linking.decided import decided_rows, find_decided
from tasks.people.who import known_speakers

_Local = tuple[str, str]


def merge_speakers(lake_url: str, one: str, other: str) -> Decision:
    """Decide that two speakers are one person. If only one has a name, it becomes the name of both.

    Args:
        lake_url: The lake.
        one: ID or name; where both have a name, this one's stays.
        other: ID or name.

    Raises:
        ConfigError: a speaker is not known or not heard, both are one already, or another decision stands against it.
    """
    lake, state, voices = _read(lake_url)
    ids = _two_speakers(lake, state, one, other)
    decision = _allowed(lake, state, voices, "merge", ids, [voices.heard_as(speaker_id) for speaker_id in ids])
    names = lake.names()
    name = names.get(ids[0]) or names.get(ids[1])
    for speaker_id in ids:
        if names.get(speaker_id) != name:
            lake.name_speaker(speaker_id, name)
    record_decision(lake, decision)  # last: whoever is killed before it has lost no name, and may say it again
    return decision


def forbid_speakers(lake_url: str, one: str, other: str) -> Decision:
    """Decide that two speakers are different people, whatever more is heard of them.

    Raises:
        ConfigError: a speaker is not known or not heard, both are one already, or another decision stands against it.
    """
    lake, state, voices = _read(lake_url)
    ids = _two_speakers(lake, state, one, other)
    decision = _allowed(lake, state, voices, "forbid", ids, [voices.heard_as(speaker_id) for speaker_id in ids])
    record_decision(lake, decision)
    return decision


def split_speaker(lake_url: str, who: str, sources: Sequence[str], local_speakers: Sequence[str] = ()) -> Decision:
    """Decide that a speaker's voices in some recordings are somebody else's: one other person's.

    Args:
        lake_url: The lake.
        who: ID or name.
        sources: Recordings, by any of their names.
        local_speakers: Only these local speakers of the recordings; all by default.

    Raises:
        ConfigError: the speaker or a recording is not known, nothing or everything would be taken out, or another
            decision stands against it.
    """
    lake, state, voices = _read(lake_url)
    speaker_id = known_speakers(lake, state.publication).find(who)
    recordings = _recordings(lake_url, sources)
    heard = voices.heard_as(speaker_id)
    taken = [one for one in heard if one[0] in recordings and (not local_speakers or one[1] in local_speakers)]
    stay = sorted(set(heard) - set(taken))
    if not taken or not stay:
        what = "is not heard there" if not taken else "is heard nowhere else, so nobody would be left"
        raise ConfigError(f"speaker {who!r}", what, f"see: voxlake speakers show LAKE {speaker_id}")
    decision = _allowed(lake, state, voices, "split", (speaker_id, None), [stay, taken])
    record_decision(lake, decision)
    return decision


def undo_decision(lake_url: str, decision_id: str) -> Decision:
    """Take a decision back and return it. A name that it gave stays.

    Raises:
        ConfigError: there is no such decision that counts, or what it did cannot be undone.
    """
    lake = Lake(lake_url)
    log = read_log(lake)
    found = {one.decision_id: one for one in log.decisions}.get(decision_id)
    if found is None or decision_id in log.undone:
        problem = "is not in the lake" if found is None else "was taken back already"
        raise ConfigError(f"decision {decision_id!r}", problem, "see: voxlake speakers decisions LAKE")
    if found.kind == "forget":
        raise ConfigError(f"decision {decision_id!r}", "cannot be taken back", "what was forgotten is gone")
    record_undo(lake, decision_id)
    return found


def _read(lake_url: str) -> tuple[Lake, LakeState, PublishedVoices]:
    lake = Lake(lake_url)
    state = lake.state()
    return lake, state, published_voices(lake, state)


def _two_speakers(lake: Lake, state: LakeState, one: str, other: str) -> tuple[str, str]:
    known = known_speakers(lake, state.publication)
    first, second = known.find(one), known.find(other)
    if first == second:
        raise ConfigError(
            f"speakers {one!r} and {other!r}",
            f"are one speaker, {first}",
            f"to make them two: voxlake speakers split LAKE {first} --source SOURCE",
        )
    return first, second


def _recordings(lake_url: str, sources: Sequence[str]) -> set[str]:
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute("SELECT source, recording_id FROM sources WHERE source IN ?", [list(sources)])
        rows = found.fetchall()  # two archives may have a source of the same name
    unknown = sorted(set(sources) - {source for source, _ in rows})
    if unknown:
        raise ConfigError(f"recording {unknown[0]!r}", "is not in the lake", "see the view sources")
    return {recording_id for _, recording_id in rows}


def _allowed(
    lake: Lake,
    state: LakeState,
    voices: PublishedVoices,
    kind: DecisionKind,
    ids: tuple[str, str | None],
    sides: Sequence[Collection[_Local]],
) -> Decision:
    """Return a decision against which nothing stands; it is not recorded yet."""
    for speaker_id, side in zip(ids, sides, strict=True):
        if not side:
            raise ConfigError(
                f"speaker {speaker_id!r}",
                "is heard in no recording",
                "voices that you bring are given to somebody with: voxlake speakers enroll LAKE NAME CLIP --speaker ID",
            )
    ours, theirs = (anchors_of(lake, state, voices, side) for side in sides)
    decision = new_decision(kind, ids[0], other_id=ids[1], ours=ours, theirs=theirs)
    _refuse_contradiction(lake, state, voices, decision)
    return decision


def _refuse_contradiction(lake: Lake, state: LakeState, voices: PublishedVoices, new: Decision) -> None:
    decided = find_decided(lake, state, voices.recipes)
    number = {local: row for row, local in enumerate(voices.speaker_of)}
    row = {key: number[local] for key, local in voices.local_of.items()}
    standing: list[DecidedRows] = [decided_rows(one, decided.voices, row) for one in decided.log.standing]
    found = {anchor: own_key(anchor) for anchor in (*new.ours, *new.theirs)}
    forgotten = np.array([row[key] for key in decided.forgotten if key in row], dtype=np.int64)
    _, set_aside = constrain([*standing, decided_rows(new, found, row)], forgotten)
    for one in set_aside:
        if one.decision is new:
            remedy = f"if that is wrong: voxlake speakers undo LAKE {one.against.decision_id}" if one.against else ""
            raise ConfigError(f"decision to {new.kind}", one.reason, remedy)
