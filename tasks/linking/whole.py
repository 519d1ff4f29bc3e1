"""Link everything that a lake has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from storage.enrolled import EnrolledVoice
from storage.records import SpeakerBounds
from tasks.linking.constraints import SetAside
from tasks.linking.decided import Decided
from tasks.linking.enrolled import with_enrolled
from tasks.linking.ids import SpeakerIds, assign_ids
from tasks.linking.labels import ModelLabels, label_at
from tasks.linking.local import LocalLinkOptions, LocalSpeakers, name_local_speakers
from tasks.linking.outcome import (
    Outcome,
    joined,
    link_table,
    local_speaker_table,
    memory_tables,
    neighbour_table,
    score_table,
)
from tasks.linking.published import PublishedLinks
from tasks.linking.speakers import Found, LinkOptions, Links, link_speakers
from tasks.linking.voices import prior_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeLink:
    """What is known besides the fingerprints."""

    published: PublishedLinks
    decided: Decided
    enrolled: Sequence[EnrolledVoice]
    bounds: Mapping[str, SpeakerBounds]
    local_options: LocalLinkOptions
    options: LinkOptions
    basis: str
    """Digest of what else the links follow from; what is remembered holds as long as it is the same."""

    def link(self, labels: Iterable[ModelLabels]) -> tuple[Outcome, tuple[SetAside, ...]]:
        """Return the links of all fingerprints, and the decisions that could not count.

        Args:
            labels: of any models; the vectors are not kept.
        """
        named = [(one.model, one.rows, self._named(one)) for one in labels]
        found = [self._link_model(*one) for one in named]
        return joined([one for one, _ in found]), tuple(aside for _, some in found for aside in some)

    def _named(self, labels: ModelLabels) -> LocalSpeakers:
        prior = prior_of(labels.model)
        return name_local_speakers(labels.columns, prior, bounds=self.bounds, options=self.local_options)

    def _link_model(self, model: str, labels: pa.Table, heard: LocalSpeakers) -> tuple[Outcome, tuple[SetAside, ...]]:
        constraints, set_aside = self.decided.constraints(labels, heard)
        guests = with_enrolled(heard, constraints, [one for one in self.enrolled if one.model == model])
        links = link_speakers(guests.local, prior_of(model), options=self.options, constraints=guests.constraints)
        known = np.full(int(links.speaker.max(initial=-1)) + 1, False)
        known[links.speaker[: len(heard)][links.speaker[: len(heard)] >= 0]] = True
        ids = assign_ids(
            guests.local,
            np.where(known[links.speaker], links.speaker, -1) if len(known) else links.speaker,
            partial(label_at, labels),
            previous=self.published.id_of_local | guests.ids,
            since=dict.fromkeys(guests.ids.values(), self.published.number + 1) | self.published.since,
        )
        id_of = _ids_of_groups(links, guests.local, ids, guests.ids)
        return self._outcome(model, labels, heard, links, ids, id_of), set_aside

    def _outcome(
        self,
        model: str,
        labels: pa.Table,
        heard: LocalSpeakers,
        links: Links,
        ids: SpeakerIds,
        id_of: Mapping[int, str | None],
    ) -> Outcome:
        count, found = len(heard), links.found
        certainty = links.certainty.first(count)
        nobody = joined([])
        return Outcome(
            local_speakers=local_speaker_table(labels, heard),
            links=link_table(labels, heard, ids.of_local[:count], certainty, links.basis[:count], links.reason[:count]),
            neighbours=neighbour_table(found.rivals, id_of) if found else nobody.neighbours,
            scores=score_table(model, certainty),
            memory=_memory(model, self.basis, count, found, id_of) if found else nobody.memory,
            events=ids.events,
        )


def _ids_of_groups(
    links: Links, local: LocalSpeakers, ids: SpeakerIds, enrolled: Mapping[tuple[str, str], str]
) -> dict[int, str | None]:
    """Return the ID of each row of the groups, also of enrolled people who are heard nowhere yet."""
    of_speaker: dict[int, str | None] = {}
    keys = zip(local.recording_id, local.name, strict=True)
    for number, given, key in zip(links.speaker.tolist(), ids.of_local, keys, strict=True):
        of_speaker[number] = of_speaker.get(number) or given or enrolled.get(key)
    numbers = links.found.speaker_of.tolist() if links.found else []
    return {group: of_speaker[number] for group, number in enumerate(numbers) if number >= 0}


def _memory(
    model: str, basis: str, n_voices: int, found: Found, id_of: Mapping[int, str | None]
) -> Mapping[str, pa.Table]:
    rows = np.array(sorted(id_of), np.int64)
    names = [id_of[row] for row in rows.tolist()]
    return memory_tables(model, basis, n_voices, found.space, found.clusters.groups.kept(rows), names)
