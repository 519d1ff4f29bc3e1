"""Take the fingerprints and the names of forgotten people out of every file of a lake. The text stays.

Files of a lake never change, except here: a file that holds vectors of the person is replaced, under its own name, by
one that does not. Whoever reads it sees the old or the new one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from storage.compactions import group_rows
from storage.decisions import Decision, DecisionLog, forget_name, mark_erased, read_log
from storage.enrolled import delete_clips, delete_stray_clips
from storage.errors import TableGone
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.memory import VOICES_FOLDER
from tasks.linking.anchors import Row, VoiceKey, own_key, voice_key
from tasks.linking.decided import without_vectors
from tasks.linking.whereabouts import turns_then, voices_within

_TURNS = "facts/turns"
_FOLDERS = ("facts/fingerprints", "published/fingerprints")
_COLUMNS = ["recording_id", "channel", "chunk_index", "label", "start_ms", "turn_ms"]
_MOST_PASSES = 5

_Mark = tuple[str, int, int, str, int, int]
"""A voice of a chunk, when it is first heard and how long it talks: tells it from a voice that another diarizer gave
the same label. A fingerprint does not say by which recipe its turns were made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was removed."""

    n_fingerprints: int = 0
    """Vectors, each counted in every file that held it."""
    n_files: int = 0
    n_names: int = 0
    """Times that the person was given a name."""
    n_enrolments: int = 0
    """Decisions whose clips were deleted."""


def erase_forgotten(lake: Lake, state: LakeState) -> Erased:
    """Remove what is left of everybody who was forgotten; a second call finds nothing.

    Vectors are removed from all facts, also those that are not shown or were never committed, and from all published
    files, also those of earlier publications.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    log = read_log(lake)
    tombstones = log.of_kind("forget")
    if not tombstones:
        return Erased()
    speaker_ids = also_known_as(lake, state, log, {one.speaker_id for one in tombstones})
    for folder in (*_FOLDERS, "enrolled", "names", "decisions"):
        lake.store.delete_leftovers(folder)
    for name in lake.store.list(VOICES_FOLDER):
        lake.store.delete(f"{VOICES_FOLDER}/{name}")  # the next link makes it anew
    n_enrolments = _forget_enrolments(lake, log, speaker_ids)
    n_names = lake.forget_names(speaker_ids)
    n_fingerprints, files = 0, set[str]()
    for _ in range(_MOST_PASSES):  # again, since somebody else may have written an older version of a file meanwhile
        keys = [f"{folder}/{name}" for folder in _FOLDERS for name in lake.store.list(folder)]
        found = _erase_vectors(lake, state, tombstones, keys)
        if not found:
            mark_erased(lake, tombstones)
            break
        n_fingerprints += sum(found.values())
        files |= found.keys()
    return Erased(n_fingerprints=n_fingerprints, n_files=len(files), n_names=n_names, n_enrolments=n_enrolments)


def erase_from(lake: Lake, state: LakeState, keys: Collection[str]) -> int:
    """Take forgotten voices out of some files of fingerprints, whoever put them there; return how many vectors.

    Whoever copies fingerprints calls this once the copy is there and before anybody relies on it: a forgetting that
    was decided by then is made up for here, and a later one finds the copy by itself.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    tombstones = read_log(lake).of_kind("forget") if keys else ()
    return sum(_erase_vectors(lake, state, tombstones, keys).values()) if tombstones else 0


def also_known_as(lake: Lake, state: LakeState, log: DecisionLog, speaker_ids: Collection[str]) -> frozenset[str]:
    """Return the IDs, those that were merged into them, and those that people said are the same person."""
    speakers = lake.whole(state.publication, "speakers").select(["speaker_id", "merged_into"]).to_pylist()
    known: frozenset[str] = frozenset()
    more = frozenset(speaker_ids)
    while more > known:
        known = more.union(*(log.one_person(one) for one in more))
        more = known | {row["speaker_id"] for row in speakers if row["merged_into"] in known}
    return known


def _forget_enrolments(lake: Lake, log: DecisionLog, speaker_ids: Collection[str]) -> int:
    """Delete the clips of people, also of enrolments that were taken back, and the names in these decisions."""
    n_deleted = 0
    delete_stray_clips(lake)
    for decision in log.decisions:
        if decision.kind == "enroll" and decision.speaker_id in speaker_ids:
            n_deleted += delete_clips(lake, decision.decision_id)
            if decision.name is not None:
                forget_name(lake, decision)
    return n_deleted


def _erase_vectors(lake: Lake, state: LakeState, tombstones: Sequence[Decision], keys: Iterable[str]) -> dict[str, int]:
    """Return how many vectors were taken out of which files."""
    marks = _marks(lake, state, tombstones)
    if not marks:
        return {}
    recordings = pa.array(sorted({mark[0] for mark in marks}), pa.string())
    found = {}
    for key in keys:
        with suppress(TableGone):  # maintenance deletes what nobody reads
            rows = lake.store.read_table(key)
            suspects = pc.and_(pc.is_in(rows["recording_id"], value_set=recordings), rows["vector"].is_valid())
            mask = suspects.to_numpy().copy()
            mask[mask] = _are_marked(rows.filter(suspects), marks)
            if mask.any():
                lake.store.write_table(key, without_vectors(rows, mask), group_rows=group_rows("fingerprints"))
                found[key] = int(mask.sum())
    return found


def _are_marked(rows: pa.Table, marks: Collection[_Mark]) -> list[bool]:
    """Return which rows are marked; files of the first versions lack the last columns, and are marked by the others."""
    columns = rows.select([name for name in _COLUMNS if name in rows.column_names]).to_pydict()
    known = {mark[: len(columns)] for mark in marks}
    return [row in known for row in zip(*columns.values(), strict=True)]


def _marks(lake: Lake, state: LakeState, tombstones: Sequence[Decision]) -> set[_Mark]:
    """Return the marks of forgotten voices in all turns that were ever made of their recordings."""
    recordings = {anchor.recording_id for one in tombstones for anchor in one.ours}
    all_turns = _all_turns(lake, state, recordings)
    marks: set[_Mark] = set()
    for tombstone in tombstones:
        theirs = turns_then(lake, state, tombstone.ours)
        own = {(anchor.recipe, own_key(anchor)) for anchor in tombstone.ours}
        for (recording_id, recipe, *_), turns in all_turns.items():
            voices = voices_within(turns, theirs.get(recording_id, ()))
            marks |= {
                (*key, min(row["start_ms"] for row in rows), sum(row["end_ms"] - row["start_ms"] for row in rows))
                for key, rows in _by_voice(turns).items()
                if key in voices or (recipe, key) in own
            }
    return marks


def _by_voice(turns: Sequence[Row]) -> Mapping[VoiceKey, list[Row]]:
    """Return turns by voice, each stretch of time once."""
    voices: dict[VoiceKey, list[Row]] = defaultdict(list)
    for row in turns:
        if not row["is_exclusive"]:
            voices[voice_key(row)].append(row)
    return voices


def _all_turns(lake: Lake, state: LakeState, recordings: Collection[str]) -> dict[tuple[str, str, str, str], list[Row]]:
    """Return all turns of recordings that are committed, or are about to be, or would have been.

    By recording_id, recipe, commit and file, for several commits may hold the same, and a compaction holds it again.
    """
    owners = {
        commit_id
        for (recording_id, stage, _), commit_id in state.done.items()
        if stage == "diarize" and recording_id in recordings
    }
    committed = {state.commits[commit_id].get("turns") for commit_id in owners}
    known = state.commits.keys() | set(state.compacted.values())
    written = {f"{_TURNS}/{name}": name.removesuffix(".parquet") for name in lake.store.list(_TURNS)}
    turns: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    wanted = pa.array(sorted(recordings), pa.string())
    for key, name in sorted(written.items()):
        if key in committed or name not in known:
            with suppress(TableGone):
                rows = lake.store.read_table(key)  # of any version
                for row in rows.filter(pc.is_in(rows["recording_id"], value_set=wanted)).to_pylist():
                    turns[row["recording_id"], row["recipe"], row.get("commit_id", name), key].append(row)
    return turns
