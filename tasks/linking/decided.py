"""What people decided, found again in the fingerprints that are about to be linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.decisions import Decision, DecisionLog, VoiceAnchor, event_ids, read_log
from storage.lake import Lake
from storage.lake_records import LakeState
from tasks.linking.anchors import VoiceKey, find_voices
from tasks.linking.constraints import Constraints, DecidedRows, SetAside, constrain
from tasks.linking.local import LocalSpeakers
from tasks.linking.published import PublishedLinks
from tasks.linking.voices import IntArray
from tasks.linking.whereabouts import all_voices
from tasks.publishing.select import SelectedRecording

_KEY_COLUMNS = ["recording_id", "channel", "chunk_index", "label"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decided:
    """The decisions that stand, and where their voices are in a lake as it is shown now."""

    log: DecisionLog
    event_ids: frozenset[str]
    """All that was decided or taken back until now."""
    voices: Mapping[VoiceAnchor, VoiceKey]
    """The voice of each anchor that is not lost."""
    forgotten: Mapping[VoiceKey, str]
    """speaker_id of each voice that nobody may use, as it was when the person was forgotten."""

    def forget(self, labels: pa.Table) -> tuple[pa.Table, int]:
        """Return fingerprints without the vectors of forgotten voices, and how many of these still had one.

        Where some had, facts are new since somebody was forgotten: ``tasks.linking.forgotten.erase_forgotten`` takes
        the vectors out of the lake as well.

        Args:
            labels: facts ``fingerprints``, of any models, in any order.
        """
        if not self.forgotten:
            return labels, 0
        rows = _rows_of(labels, self.forgotten)
        mask = np.zeros(len(labels), dtype=np.bool_)
        mask[list(rows.values())] = True
        n_vectors = int((mask & labels["vector"].is_valid().to_numpy()).sum())
        return without_vectors(labels, mask), n_vectors

    def has_forgotten(self, labels: pa.Table) -> bool:
        """Return whether somebody who was forgotten is among fingerprints, with or without a vector."""
        return bool(self.forgotten) and bool(_rows_of(labels, self.forgotten))

    def constraints(self, labels: pa.Table, local: LocalSpeakers) -> tuple[Constraints, tuple[SetAside, ...]]:
        """Return the decisions as constraints on local speakers, and those that contradict earlier ones.

        Args:
            labels: facts ``fingerprints`` of one model, in the order in which ``local`` was made of them.
            local: their local speakers.
        """
        wanted = {*self.voices.values(), *self.forgotten}
        label_row = _rows_of(labels, wanted) if wanted else {}
        row = {key: int(local.of_label[at]) for key, at in label_row.items()}
        forgotten = _sorted({row[key] for key in self.forgotten if key in row})
        return constrain([decided_rows(one, self.voices, row) for one in self.log.standing], forgotten)

    def different_people(self, published: PublishedLinks) -> list[tuple[frozenset[str], frozenset[str]]]:
        """Return published speaker IDs of whom none is one person with any of the others.

        People said so of voices, or enrolled both.
        """
        if not self.event_ids:
            return []
        decided = published.table("decided")
        counting = decided.filter(decided["set_aside"].is_null())["decision_id"].to_pylist()
        telling = [one for one in self.log.standing if one.decision_id in counting and one.kind in {"split", "forbid"}]
        enrolled = sorted({one.speaker_id for one in self.log.of_kind("enroll")})
        if enrolled:
            columns = published.speakers.select(["speaker_id", "merged_into"]).to_pydict()
            now = dict(zip(*columns.values(), strict=True))
            enrolled = sorted({now.get(one) or one for one in enrolled})
        found = [(frozenset([one]), frozenset(enrolled[at + 1 :])) for at, one in enumerate(enrolled[:-1])]
        if telling:
            speaker_of = _speakers_of(set(self.voices.values()), published.table("local_speakers"), published.links)
            sides = [[self._heard_as(anchors, speaker_of) for anchors in (one.ours, one.theirs)] for one in telling]
            found += [(ours, theirs) for ours, theirs in sides if ours.isdisjoint(theirs)]
        return found

    def rows(self, set_aside: Sequence[SetAside]) -> list[dict[str, Any]]:
        """Return what became of each decision, for the whole ``decided``.

        Args:
            set_aside: what ``constraints`` said, of all models.
        """
        lost = {one.decision_id: self._n_lost(one) for one in self.log.standing}
        reasons = {one.decision.decision_id: one.reason for one in reversed(set_aside)}
        return [
            {"decision_id": event_id, "n_lost": lost.get(event_id, 0), "set_aside": reasons.get(event_id)}
            for event_id in sorted(self.event_ids)
        ]

    @property
    def n_lost(self) -> int:
        """Anchors of standing decisions at which nobody is heard any more."""
        return sum(map(self._n_lost, self.log.standing))

    def _heard_as(self, anchors: Sequence[VoiceAnchor], speaker_of: Mapping[VoiceKey, str | None]) -> frozenset[str]:
        found = {speaker_of.get(self.voices[anchor]) for anchor in anchors if anchor in self.voices}
        return frozenset(one for one in found if one is not None)

    def _n_lost(self, decision: Decision) -> int:
        return sum(anchor not in self.voices for anchor in (*decision.ours, *decision.theirs))


def read_decided(lake: Lake, state: LakeState, selected: Sequence[SelectedRecording]) -> Decided:
    """Return the decisions and their voices; in a lake without decisions by one listing.

    Args:
        lake: The lake.
        state: What is known of it.
        selected: The recordings as they are to be shown.
    """
    recipes = {one.recording_id: one.recipes["diarize"] for one in selected if "diarize" in one.recipes}
    return find_decided(lake, state, recipes)


def find_decided(lake: Lake, state: LakeState, recipes: Mapping[str, str]) -> Decided:
    """Return the decisions and their voices in turns of those recipes, by recording_id."""
    known = event_ids(lake)
    log = read_log(lake) if known else DecisionLog(decisions=(), undone=frozenset())
    anchors = {anchor for one in log.standing for anchor in (*one.ours, *one.theirs)}
    return Decided(
        log=log,
        event_ids=known,
        voices=find_voices(lake, state, recipes, anchors),
        forgotten={
            key: one.speaker_id for one in log.of_kind("forget") for key in all_voices(lake, state, recipes, one.ours)
        },
    )


def decided_rows(
    decision: Decision, voices: Mapping[VoiceAnchor, VoiceKey], row: Mapping[VoiceKey, int]
) -> DecidedRows:
    """Return a decision with the rows of its voices; a voice without a row is left out.

    Args:
        decision: The decision.
        voices: The voice of each anchor that is not lost.
        row: The row of each voice that has one.
    """
    ours, theirs = (
        {row[voices[anchor]] for anchor in anchors if voices.get(anchor) in row}
        for anchors in (decision.ours, decision.theirs)
    )
    return DecidedRows(decision=decision, ours=_sorted(ours), theirs=_sorted(theirs))


def without_vectors(rows: pa.Table, mask: np.typing.NDArray[np.bool_]) -> pa.Table:
    """Return rows of fingerprints, those under the mask without their vector."""
    at = rows.column_names.index("vector")
    column = rows["vector"].combine_chunks()
    indices = pa.array(np.arange(len(rows)), mask=mask)
    return rows.set_column(at, rows.schema.field(at).with_nullable(True), column.take(indices))


def _rows_of(labels: pa.Table, wanted: set[VoiceKey] | Mapping[VoiceKey, Any]) -> dict[VoiceKey, int]:
    """Return the row of each voice that is in the table; others are not looked at, so that few cost little."""
    recordings = pa.array(sorted({key[0] for key in wanted}), pa.string())
    rows = np.flatnonzero(pc.is_in(labels["recording_id"], value_set=recordings).to_numpy())
    columns = labels.select(_KEY_COLUMNS).take(rows).to_pydict()
    keys = zip(*(columns[name] for name in _KEY_COLUMNS), strict=True)
    return {key: row for key, row in zip(keys, rows.tolist(), strict=True) if key in wanted}


def _speakers_of(wanted: set[VoiceKey], local_speakers: pa.Table, links: pa.Table) -> dict[VoiceKey, str | None]:
    """Return the speaker ID of each voice that is published."""
    row = _rows_of(local_speakers, wanted)
    columns = ["recording_id", "local_speaker"]
    names = local_speakers.select(columns).take(pa.array(row.values(), pa.int64())).to_pydict()
    local_of = dict(zip(row, zip(*(names[name] for name in columns), strict=True), strict=True))
    theirs = links.filter(pc.is_in(links["recording_id"], value_set=pa.array(sorted({key[0] for key in row}))))
    known = theirs.select([*columns, "speaker_id"]).to_pydict()
    id_of = {
        (recording_id, name): one
        for recording_id, name, one in zip(*(known[name] for name in (*columns, "speaker_id")), strict=True)
    }
    return {key: id_of.get(local) for key, local in local_of.items()}


def _sorted(rows: set[int]) -> IntArray:
    return np.array(sorted(rows), dtype=np.int64)
