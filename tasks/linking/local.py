"""From the labels of a recording's chunks to its local speakers ``S0``, ``S1`` and so on.

A recording is judged alone: its local speakers keep their names whatever else is in the archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray, SpeakerBounds
from tasks.linking.voices import IntArray, LabelColumns, ScoreArray, VoicePrior, has_voice, normalised

_APART = 1e9
"""Distance of two labels that are different people: no average with it comes under a threshold, yet in the rare case
that bounds force a merge the nearest pair still goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLinkOptions:
    """When labels of one recording are one person, as affinities (see ``tasks.linking.voices``)."""

    same: float = 0.75
    """Average affinity of two groups of labels from different chunks."""
    very_clear: float = 1.15
    """Affinity of two labels of one chunk, or of two channels, that are one person all the same."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalSpeakers:
    """One row per local speaker, sorted by recording and number."""

    of_label: IntArray
    """Row of each label, in the order of the labels that were given."""
    recording_id: tuple[str, ...]
    name: tuple[str, ...]
    first_label: tuple[tuple[str, int, int, str], ...]
    """Smallest (recording_id, channel, chunk_index, label) of each."""
    speech_ms: IntArray
    """Speech under the fingerprints; where there are none, speech of the labels."""
    vectors: FloatArray
    """Fingerprints pooled by speech, unit length, shape ``(n, dim)``; NaN where there is none."""

    def __len__(self) -> int:
        """Return the number of local speakers."""
        return len(self.name)


def name_local_speakers(
    labels: LabelColumns,
    prior: VoicePrior,
    *,
    bounds: Mapping[str, SpeakerBounds] | None = None,
    options: LocalLinkOptions | None = None,
) -> LocalSpeakers:
    """Return the local speakers of all recordings, numbered by first appearance.

    Labels of one chunk are different people, and so are labels of different channels, unless their fingerprints are
    very clear. A label without a fingerprint stays a local speaker of its own, except where the recording is known
    to have one speaker.

    Args:
        labels: labels of any number of recordings.
        prior: scale of the model's cosines.
        bounds: known numbers of speakers by recording_id.
        options: thresholds.
    """
    options = options or LocalLinkOptions()
    order = sorted(range(len(labels)), key=lambda row: _key(labels, row))
    vectors = normalised(labels.vectors)
    groups: list[list[int]] = []
    start = 0
    for end in range(1, len(order) + 1):
        recording = labels.recording_id[order[start]]
        if end < len(order) and labels.recording_id[order[end]] == recording:
            continue
        known = (bounds or {}).get(recording, SpeakerBounds())
        groups += _people_of_recording(labels, vectors, np.array(order[start:end]), prior, known, options)
        start = end
    return _table(labels, vectors, groups)


def _key(labels: LabelColumns, row: int) -> tuple[str, int, int, str]:
    return labels.recording_id[row], int(labels.channel[row]), int(labels.chunk_index[row]), labels.label[row]


def _people_of_recording(
    labels: LabelColumns,
    vectors: ScoreArray,
    rows: IntArray,
    prior: VoicePrior,
    bounds: SpeakerBounds,
    options: LocalLinkOptions,
) -> list[list[int]]:
    """Return rows grouped by person, in order of first appearance."""
    if bounds.max_speakers == 1:
        return [rows.tolist()]
    heard = rows[has_voice(vectors[rows])]
    affinity = prior.affinity(vectors[heard] @ vectors[heard].T)
    apart = _apart(labels.channel[heard], labels.chunk_index[heard]) & (affinity < options.very_clear)
    people = _cluster(affinity, apart, options.same, bounds)
    groups = [heard[people == person].tolist() for person in range(people.max(initial=-1) + 1)]
    groups += [[row] for row in rows[~has_voice(vectors[rows])].tolist()]
    return sorted(groups, key=lambda group: min((int(labels.start_ms[row]), _key(labels, row)) for row in group))


def _apart(channel: IntArray, chunk: IntArray) -> NDArray[np.bool_]:
    """Return which pairs of labels are different people by where they were heard."""
    same_channel = channel[:, None] == channel[None, :]
    apart: NDArray[np.bool_] = ~same_channel | (chunk[:, None] == chunk[None, :])
    return apart


def _cluster(affinity: ScoreArray, apart: NDArray[np.bool_], threshold: float, bounds: SpeakerBounds) -> IntArray:
    """Return the person of each row by average linkage, within the bounds where they are possible."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    count = len(affinity)
    if count < 2:  # noqa: PLR2004
        return np.zeros(count, dtype=np.int64)
    distance = np.where(apart, _APART, 0.0) - affinity
    shift = affinity.max()
    tree = linkage(squareform(distance + shift, checks=False), method="average")
    people = count - int(np.count_nonzero(tree[:, 2] <= shift - threshold))
    people = min(max(people, bounds.min_speakers or 1), bounds.max_speakers or count, count)
    return _cut(tree, people)


def _cut(tree: ScoreArray, n_groups: int) -> IntArray:
    """Return group numbers after as many merges as leave ``n_groups``; groups numbered by their first row."""
    count = len(tree) + 1
    members = {row: [row] for row in range(count)}
    for merge in range(count - n_groups):
        left, right = int(tree[merge, 0]), int(tree[merge, 1])
        members[count + merge] = members.pop(left) + members.pop(right)
    group_of = np.empty(count, dtype=np.int64)
    for number, group in enumerate(sorted(members.values(), key=min)):
        group_of[group] = number
    return group_of


def _table(labels: LabelColumns, vectors: ScoreArray, groups: list[list[int]]) -> LocalSpeakers:
    of_label = np.empty(len(labels), dtype=np.int64)
    recording_id = [labels.recording_id[group[0]] for group in groups]
    names: list[str] = []
    voiced = has_voice(vectors)
    pooled = np.full((len(groups), vectors.shape[1]), np.nan)
    speech = np.zeros(len(groups), dtype=np.int64)
    for number, group in enumerate(groups):
        of_label[group] = number
        is_first = number == 0 or recording_id[number - 1] != recording_id[number]
        names.append("S0" if is_first else f"S{int(names[-1][1:]) + 1}")
        in_order = sorted(group, key=lambda row: _key(labels, row))  # sums of floats depend on it
        heard = [row for row in in_order if voiced[row]]
        speech[number] = labels.speech_ms[heard or group].sum()
        if heard:
            pooled[number] = np.maximum(labels.speech_ms[heard], 1) @ vectors[heard]
    return LocalSpeakers(
        of_label=of_label,
        recording_id=tuple(recording_id),
        name=tuple(names),
        first_label=tuple(min(_key(labels, row) for row in group) for group in groups),
        speech_ms=speech,
        vectors=normalised(pooled).astype(np.float32),
    )
