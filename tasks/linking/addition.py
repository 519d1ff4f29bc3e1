"""Link recordings that came since a lake was linked as a whole, without looking at the others again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.records import SpeakerBounds
from tasks.linking.decided import Decided
from tasks.linking.ids import LineageEvent, new_id
from tasks.linking.increment import Addition, add_voices
from tasks.linking.labels import ModelLabels, by_model, label_at
from tasks.linking.local import LocalLinkOptions, LocalSpeakers, name_local_speakers
from tasks.linking.outcome import (
    Outcome,
    joined,
    link_table,
    local_speaker_table,
    memory_tables,
    neighbour_table,
    remembered,
)
from tasks.linking.published import PublishedLinks
from tasks.linking.speakers import Basis, LinkOptions, UnlinkedReason, basis_of, reason_of, voices_in
from tasks.linking.voices import BoolArray, IntArray, has_voice, prior_of

_Sides = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What is known besides the new fingerprints."""

    published: PublishedLinks
    decided: Decided
    bounds: Mapping[str, SpeakerBounds]
    local_options: LocalLinkOptions
    options: LinkOptions
    basis_before: str
    """What links of the recordings that are known would follow from now, as ``WholeLink.basis``."""
    basis: str
    """The same of all recordings."""

    def link(self, labels: pa.Table) -> Outcome | None:
        """Return the links of everything; None where too much is new, or of another kind.

        Args:
            labels: facts ``fingerprints`` of the new recordings.
        """
        memory = self.published.memory
        if memory is None or set(memory["spaces"]["basis"].to_pylist()) != {self.basis_before}:
            return None
        spaces = {row["model"]: memory["spaces"].slice(at, 1) for at, row in enumerate(memory["spaces"].to_pylist())}
        news = {one.model: one for one in by_model(labels)}
        n_whole = sum(memory["spaces"]["n_voices"].to_pylist())
        n_since = len(self.published.links) - n_whole + len(labels)
        is_little = n_whole >= self.options.whole_below and n_since <= self.options.most_growth * n_whole
        if not is_little or not news.keys() <= spaces.keys():
            return None
        voices = {model: memory["voices"].filter(pc.equal(memory["voices"]["model"], model)) for model in spaces}
        apart = self.decided.different_people(self.published)
        added = [self._link_model(one, spaces[model], voices[model], apart) for model, one in news.items()]
        kept = [
            replace(joined([]), memory={"spaces": spaces[model], "voices": voices[model]})
            for model in spaces.keys() - news.keys()
        ]
        return self._with_known(joined([*added, *kept]))

    def _link_model(self, news: ModelLabels, space: pa.Table, voices: pa.Table, apart: Sequence[_Sides]) -> Outcome:
        """Return the links of the new recordings alone, and everybody's memory."""
        model, labels = news.model, news.rows
        local = name_local_speakers(news.columns, prior_of(model), bounds=self.bounds, options=self.local_options)
        known_space, groups, known_ids = remembered(space, voices)
        heard = np.flatnonzero(has_voice(local.vectors))
        added = add_voices(
            groups,
            known_space,
            voices_in(known_space, local, heard),
            local.speech_ms[heard] >= self.options.min_speech_ms,
            self.options,
            **_among(known_ids, apart),
        )
        group = np.full(len(local), -1)
        group[heard] = added.group
        id_of, events = self._ids(added, known_ids, local, labels, group)
        certainty = added.certainty.spread(heard, len(local))
        is_seed = np.zeros(len(local), bool)
        is_seed[heard] = added.is_seed
        n_whole = space["n_voices"][0].as_py()
        return Outcome(
            local_speakers=local_speaker_table(labels, local),
            links=link_table(
                labels, local, [id_of.get(row) for row in group.tolist()], certainty, *_how(group, is_seed, local)
            ),
            neighbours=neighbour_table(added.rivals, id_of),
            scores=joined([]).scores,
            memory=memory_tables(
                model, self.basis, n_whole, known_space, added.groups, [id_of[row] for row in added.rows.tolist()]
            ),
            events=events,
        )

    def _ids(
        self, added: Addition, known_ids: Sequence[str], local: LocalSpeakers, labels: pa.Table, group: IntArray
    ) -> tuple[dict[int, str], tuple[LineageEvent, ...]]:
        """Return the ID of each row of the people, and what became of those that were known."""
        now = _final_ids(known_ids, added.became, self.published.since)
        id_of = {row: now[one] for one, row in zip(known_ids, added.became.tolist(), strict=True)}
        events = [
            LineageEvent(speaker_id=one, change="merged_into", other_id=final)
            for one, final in now.items()
            if one != final
        ]
        given = {*self.published.since, *known_ids}
        for row in sorted({row for row in group.tolist() if row >= 0}):
            if row in id_of:
                events.append(LineageEvent(speaker_id=id_of[row], change="grown"))
                continue
            smallest = int(local.first_label[group == row].min())
            id_of[row] = new_id(label_at(labels, smallest), given)
            given.add(id_of[row])
            events.append(LineageEvent(speaker_id=id_of[row], change="new"))
        return id_of, tuple(sorted(events, key=lambda event: (event.speaker_id, event.change)))

    def _with_known(self, added: Outcome) -> Outcome:
        """Return everything: what was published, under the IDs of now, and what was added."""
        now = {one.speaker_id: one.other_id for one in added.events if one.change == "merged_into"}
        touched = pa.array(sorted(set(added.neighbours["speaker_id"].to_pylist()) | now.keys()), pa.string())
        neighbours = self.published.table("neighbours")
        neighbours = neighbours.filter(
            pc.invert(
                pc.or_(
                    pc.is_in(neighbours["speaker_id"], value_set=touched),
                    pc.is_in(neighbours["other_id"], value_set=pa.array(sorted(now), pa.string())),
                )
            )
        )
        return Outcome(
            local_speakers=pa.concat_tables([self.published.table("local_speakers"), added.local_speakers]),
            links=pa.concat_tables([_renamed(self.published.links, now), added.links]),
            neighbours=pa.concat_tables([neighbours, added.neighbours]),
            scores=self.published.table("scores"),
            memory=added.memory,
            events=added.events,
        )


class _Among(TypedDict):
    together: list[IntArray]
    apart: list[tuple[IntArray, IntArray]]


def _among(known_ids: Sequence[str], apart: Sequence[_Sides]) -> _Among:
    """Return which rows of the known are one person, and which never are."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(known_ids):
        rows[one].append(row)

    def side(people: frozenset[str]) -> IntArray:
        return np.array(sorted(row for one in people for row in rows.get(one, ())), np.int64)

    return {
        "together": [np.array(some) for some in rows.values() if len(some) > 1],
        "apart": [(side(ours), side(theirs)) for ours, theirs in apart],
    }


def _final_ids(known_ids: Sequence[str], became: IntArray, since: Mapping[str, int]) -> dict[str, str]:
    """Return under which ID each known person goes now: of several that became one, the oldest.

    One person may have several rows, since people said that they are one, and rows of several people may be one now.
    """
    final = {one: one for one in known_ids}

    def now(one: str) -> str:
        while final[one] != one:
            one = final[one]
        return one

    bearer: dict[int, str] = {}
    for one, row in zip(known_ids, became.tolist(), strict=True):
        rivals = now(one), now(bearer.get(row, one))
        bearer[row] = oldest = min(rivals, key=lambda name: (since.get(name, 0), name))
        final |= dict.fromkeys(rivals, oldest)
    return {one: now(one) for one in known_ids}


def _how(
    group: IntArray, is_seed: BoolArray, local: LocalSpeakers
) -> tuple[list[Basis | None], list[UnlinkedReason | None]]:
    """Return how local speakers came to their speakers, and why some have none."""
    heard = has_voice(local.vectors).tolist()
    rows = list(zip(group.tolist(), is_seed.tolist(), heard, strict=True))
    return (
        [basis_of(is_linked=row >= 0, is_seed=seed) for row, seed, _ in rows],
        [reason_of(is_linked=row >= 0, is_heard=voice) for row, _, voice in rows],
    )


def _renamed(links: pa.Table, now: Mapping[str, str | None]) -> pa.Table:
    """Return links of people under the IDs that they were merged into."""
    if not now:
        return links
    moved = pc.is_in(links["speaker_id"], value_set=pa.array(sorted(now), pa.string())).to_numpy()
    names = links["speaker_id"].to_numpy(zero_copy_only=False).copy()
    names[moved] = [now[name] for name in names[moved]]
    return links.set_column(links.column_names.index("speaker_id"), "speaker_id", pa.array(names, pa.string()))
