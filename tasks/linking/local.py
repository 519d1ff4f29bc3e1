"""From the labels of a recording's chunks to its local speakers ``S0``, ``S1`` and so on.

A recording is judged alone, by what is known of the model beforehand: its local speakers keep their names whatever
else is in the archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from storage.records import FloatArray, SpeakerBounds
from tasks.linking.agglomerate import Pairs, agglomerate
from tasks.linking.evidence import VoiceGroups
from tasks.linking.known_numbers import merge_within_bounds
from tasks.linking.quality import noise_for, noise_of, quality_of
from tasks.linking.voices import IntArray, LabelColumns, VoicePrior, VoiceScale, has_voice, normalised, sums_by

_LASTING = 0.0
"""Share of the noise that more speech of the same recording does not average away: within it, none."""


_BLOCK_LABELS = 8_192
"""Labels that are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLinkOptions:
    """When labels of one recording are one person; log-odds in nats."""

    same_nats: float = 0.0
    """What must speak for two labels of different chunks being one person."""
    very_clear_nats: float = 16.0
    """What must speak for it besides, when they were heard in one chunk or on two channels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalSpeakers:
    """One row per local speaker, sorted by recording and number."""

    of_label: IntArray
    """Row of each label, in the order of the labels that were given."""
    recording_ids: tuple[str, ...]
    """Every recording once, sorted."""
    recording: IntArray
    """Of each local speaker, as a place among ``recording_ids``."""
    number: IntArray
    """0 for S0, 1 for S1."""
    first_label: IntArray
    """Row of the smallest label of each, by channel, chunk and label."""
    chunk: IntArray
    """Of each label, a number that only labels of one recording and one stretch of time share."""
    speech_ms: IntArray
    """Speech under the fingerprints; where there are none, speech of the labels."""
    quality: FloatArray
    """How many fingerprints of unlimited speech it is worth, see ``quality_of``; 0 where there is none."""
    vectors: FloatArray
    """Fingerprints pooled by quality, unit length, shape ``(n, dim)``; NaN where there is none."""

    def __len__(self) -> int:
        """Return the number of local speakers."""
        return len(self.number)

    @property
    def name(self) -> tuple[str, ...]:
        """Names as people see them."""
        return tuple(f"S{number}" for number in self.number.tolist())

    @property
    def recording_id(self) -> tuple[str, ...]:
        """Recording of each."""
        return tuple(self.recording_ids[place] for place in self.recording.tolist())

    def chunks_of(self, rows: IntArray) -> list[set[int]]:
        """Return in which chunks some of the local speakers were heard."""
        order = np.argsort(self.of_label, kind="stable")
        end = np.cumsum(np.bincount(self.of_label, minlength=len(self)))
        start = np.r_[0, end[:-1]]
        sorted_chunks = self.chunk[order].tolist()
        return [set(sorted_chunks[low:high]) for low, high in zip(start[rows], end[rows], strict=True)]


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
        options: what must speak for one person.
    """
    options = options or LocalLinkOptions()
    order = _canonical_order(labels)
    known = _known_numbers(labels.recording_ids, bounds or {})
    pieces = [
        _Labels(labels, rows).local_speakers(prior, known, options) for rows in _blocks(labels.recording[order], order)
    ]
    return _joined(labels, order, pieces)


def _known_numbers(recording_ids: Sequence[str], bounds: Mapping[str, SpeakerBounds]) -> dict[int, SpeakerBounds]:
    """Return numbers of speakers by the place of their recording; of others than these recordings they say nothing."""
    known = {recording_id for recording_id, limits in bounds.items() if limits != SpeakerBounds()}
    places = enumerate(recording_ids) if known else ()
    return {place: bounds[recording_id] for place, recording_id in places if recording_id in known}


def _canonical_order(labels: LabelColumns) -> IntArray:
    """Return the labels' rows sorted by recording, channel, chunk and label."""
    names = np.array(labels.label, dtype=object) if len(labels) else np.empty(0, object)
    _, label = np.unique(names.astype(str), return_inverse=True)
    return np.lexsort((label, labels.chunk_index, labels.channel, labels.recording)).astype(np.int64)


def _blocks(recording: IntArray, order: IntArray) -> Iterator[IntArray]:
    """Return the order in pieces of whole recordings, so that memory follows the piece."""
    low = 0
    while low < len(order):
        high = int(np.searchsorted(recording, recording[min(low + _BLOCK_LABELS, len(order)) - 1], side="right"))
        yield order[low:high]
        low = high


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """Local speakers of some recordings."""

    of_label: IntArray
    """In canonical order of the labels."""
    recording: IntArray
    number: IntArray
    first_label: IntArray
    speech_ms: IntArray
    quality: FloatArray
    vectors: FloatArray


class _Labels:
    """Labels of some recordings, in canonical order."""

    def __init__(self, labels: LabelColumns, rows: IntArray) -> None:
        self._rows = rows
        self._recording, self._channel = labels.recording[rows], labels.channel[rows]
        self._chunk, self._start_ms = labels.chunk_index[rows], labels.start_ms[rows]
        self._speech_ms = labels.speech_ms[rows]
        self._vectors = normalised(labels.vectors[rows])
        activity = None if labels.activity is None else labels.activity[rows]
        self._quality = np.where(has_voice(self._vectors), quality_of(self._speech_ms, activity), 0.0)

    def local_speakers(
        self, prior: VoicePrior, known: Mapping[int, SpeakerBounds], options: LocalLinkOptions
    ) -> _Piece:
        """Return the people of each recording.

        Args:
            prior: scale of the model's cosines.
            known: numbers of speakers, by place of the recording.
            options: what must speak for one person.
        """
        return self._piece(self._people(prior, known, options))

    def _people(self, prior: VoicePrior, known: Mapping[int, SpeakerBounds], options: LocalLinkOptions) -> IntArray:
        """Return of each label the first label of its person."""
        group = np.arange(len(self._rows))
        heard = np.flatnonzero(self._quality > 0)
        recording = self._recording[heard]
        groups = self._groups(heard, prior)
        apart = _Apart(self._channel[heard], self._chunk[heard], options.very_clear_nats)
        some = [place for place in np.unique(self._recording).tolist() if place in known]
        one, other = _pairs_within(recording, ~np.isin(recording, some))
        pairs = Pairs(groups, one, other)
        part_of = agglomerate(groups, pairs, bar=options.same_nats, objection=apart.objection, merged=apart.merged)
        for place in some:
            rows = np.flatnonzero(recording == place)
            part_of[rows] = merge_within_bounds(
                groups, rows, known[place], options.same_nats, apart.objection, apart.merged
            )
        group[heard] = heard[_first_of_each(part_of)]
        for place in some:
            if known[place].max_speakers == 1:
                rows = np.flatnonzero(self._recording == place)
                group[rows] = rows[0]
        return group

    def _groups(self, heard: IntArray, prior: VoicePrior) -> VoiceGroups:
        scale = VoiceScale(offset=prior.roommates, dimensions=prior.dimensions)
        good = noise_for(float(scale.centred(np.array([prior.same_room]))[0]), _LASTING)
        return VoiceGroups(self._vectors[heard], noise_of(self._quality[heard], good, _LASTING), scale)

    def _piece(self, group: IntArray) -> _Piece:
        """Return the people, numbered by first appearance; ``group`` says of each label the first of its person."""
        leader, person = np.unique(group, return_inverse=True)
        count = len(leader)
        start_ms = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(start_ms, person, self._start_ms)
        recording = self._recording[leader]
        rank = np.lexsort((leader, start_ms, recording))
        row_of = np.empty(count, np.int64)
        row_of[rank] = np.arange(count)
        _, first = np.unique(recording[rank], return_index=True)
        row = row_of[person]
        has_any = np.bincount(row, self._quality > 0, count) > 0
        counted = (self._quality > 0) | ~has_any[row]
        weighted = np.where(self._quality[:, None] > 0, self._vectors * self._quality[:, None].astype(np.float32), 0)
        return _Piece(
            of_label=row,
            recording=recording[rank],
            number=np.arange(count) - np.repeat(first, np.diff(np.r_[first, count])),
            first_label=self._rows[leader[rank]],
            speech_ms=np.bincount(row, self._speech_ms * counted, count).astype(np.int64),
            quality=np.bincount(row, self._quality, count).astype(np.float32),
            vectors=normalised(sums_by(row, weighted, count)),
        )


def _first_of_each(part_of: IntArray) -> IntArray:
    """Return for each row the first row of its part."""
    _, first, inverse = np.unique(part_of, return_index=True, return_inverse=True)
    firsts: IntArray = first[inverse]
    return firsts


class _Apart:
    """Where labels were heard: in one chunk, or on two channels, they are two people unless very clear."""

    def __init__(self, channel: IntArray, chunk: IntArray, very_clear_nats: float) -> None:
        # Sets as bits of numbers: there are as many as labels, and they are small.
        self._channels = [1 << number for number in channel.tolist()]
        self._chunks = [1 << number for number in chunk.tolist()]
        self._nats = very_clear_nats

    def objection(self, one: int, other: int) -> float:
        if self._channels[one] != self._channels[other]:
            return self._nats
        shared: int = self._chunks[one] & self._chunks[other]
        return self._nats * shared.bit_count()

    def merged(self, kept: int, gone: int) -> None:
        self._channels[kept] |= self._channels[gone]
        self._chunks[kept] |= self._chunks[gone]


def _pairs_within(recording: IntArray, is_free: np.ndarray) -> tuple[IntArray, IntArray]:
    """Return all pairs of free rows of one recording; recordings are sorted."""
    rows = np.flatnonzero(is_free)
    _, first, size = np.unique(recording[rows], return_index=True, return_counts=True)
    end = np.repeat(first + size, size)
    later = end - np.arange(len(rows)) - 1
    one = np.repeat(np.arange(len(rows)), later)
    start = np.cumsum(later) - later
    other = one + 1 + np.arange(len(one)) - np.repeat(start, later)
    return rows[one], rows[other]


def _joined(labels: LabelColumns, order: IntArray, pieces: Sequence[_Piece]) -> LocalSpeakers:
    """Return the local speakers of all recordings."""
    counts = np.array([0, *(len(piece.number) for piece in pieces)])
    of_label = np.empty(len(order), np.int64)
    of_label[order] = _concatenated(
        [piece.of_label + before for piece, before in zip(pieces, np.cumsum(counts), strict=False)]
    )
    return LocalSpeakers(
        of_label=of_label,
        recording_ids=labels.recording_ids,
        recording=_concatenated([piece.recording for piece in pieces]),
        number=_concatenated([piece.number for piece in pieces]),
        first_label=_concatenated([piece.first_label for piece in pieces]),
        chunk=_chunk_numbers(labels),
        speech_ms=_concatenated([piece.speech_ms for piece in pieces]),
        quality=np.concatenate([np.empty(0, np.float32), *(piece.quality for piece in pieces)]),
        vectors=np.concatenate(
            [np.empty((0, labels.vectors.shape[1]), np.float32), *(piece.vectors for piece in pieces)]
        ),
    )


def _concatenated(pieces: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *pieces])


def _chunk_numbers(labels: LabelColumns) -> IntArray:
    width = int(labels.chunk_index.max(initial=0)) + 1
    numbers: IntArray = labels.recording * width + labels.chunk_index
    return numbers
