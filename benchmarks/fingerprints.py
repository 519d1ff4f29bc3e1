"""Made-up fingerprints of known people: as many as real archives have, which no collection of real voices is.

A person is a direction in a subspace, near that of the kind of voice that it has. What is heard of it is that
direction, shifted by the recording's room, and by noise that is less where there is more speech and differs besides.
How often a person is heard follows a power law: many are heard once. A recording has two to six people and a few
chunks, in each of which most of them are heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray
from tasks.linking.voices import BoolArray, IntArray, LabelColumns

_DIM, _VOICE_DIM, _KINDS, _KIND = 192, 80, 40, 0.55
_FAME = 0.8
_LEAST_CAST, _MOST_CAST = 2, 6
_LAST_CHUNK, _IS_HEARD = 0.3, 0.75
_SECONDS_LOG, _SECONDS_SPREAD, _LEAST_SECONDS, _MOST_SECONDS = 2.0, 0.9, 0.5, 60.0
_NOISY_SECONDS, _NOISE_SPREAD = 3.0, 0.35
_BLOCK = 50_000
_CHUNK_MS = 600_000


class Difficulty(NamedTuple):
    """How much else there is in a fingerprint, a person's own part being 1."""

    room: float
    noise: float


DIFFICULTIES = {"default": Difficulty(0.55, 0.65), "hard": Difficulty(0.70, 0.80)}
"""Of pairs with three seconds of speech or more, about 0.5 % and 1.5 % are told apart wrongly (equal error rate)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprints:
    """One row per fingerprint, in any order."""

    vectors: FloatArray
    """Unit length, shape ``(n, dim)``."""
    seconds: FloatArray
    """Speech behind each."""
    recording: NDArray[np.integer]
    chunk: NDArray[np.integer]
    """Within the recording; fingerprints of one chunk are of different people."""
    person: NDArray[np.integer]
    """The truth."""

    def __len__(self) -> int:
        """Return the number of fingerprints."""
        return len(self.person)

    def labels(self, some: BoolArray | None = None) -> LabelColumns:
        """Return them, or some of them, as what linking is given; vectors of all are not copied."""
        rows = slice(None) if some is None else np.flatnonzero(some)
        recording, chunk = self.recording[rows], self.chunk[rows]
        present, place = np.unique(recording, return_inverse=True)
        number = _number_in_chunk(place, chunk)
        return LabelColumns(
            recording_ids=tuple(f"r{one:08d}" for one in present.tolist()),
            recording=place.astype(np.int64),
            channel=np.zeros(len(place), np.int64),
            chunk_index=chunk.astype(np.int64),
            label=[f"L{one}" for one in number.tolist()],
            start_ms=chunk.astype(np.int64) * _CHUNK_MS + number * 1_000,
            speech_ms=(self.seconds[rows] * 1_000).astype(np.int64),
            vectors=self.vectors[rows],
        )

    def save(self, path: Path) -> None:
        """Write them as ``load`` reads them."""
        np.savez(path, **{name: getattr(self, name) for name in _COLUMNS})


_COLUMNS = ("vectors", "seconds", "recording", "chunk", "person")


def load(path: Path) -> Fingerprints:
    """Read an ``.npz`` with arrays ``vectors``, ``seconds``, ``recording``, ``chunk`` and ``person``."""
    with np.load(path) as arrays:
        return Fingerprints(**{name: arrays[name] for name in _COLUMNS})


def make(count: int, *, people: int, difficulty: str, seed: int) -> Fingerprints:
    """Return so many fingerprints of at most so many people, in random order."""
    rng = np.random.default_rng([seed, count, people])
    recording, chunk, person = _heard(rng, count, people)
    seconds = rng.lognormal(_SECONDS_LOG, _SECONDS_SPREAD, count).clip(_LEAST_SECONDS, _MOST_SECONDS)
    return Fingerprints(
        vectors=_vectors(rng, recording, person, seconds, _voices(rng, people), DIFFICULTIES[difficulty]),
        seconds=seconds.astype(np.float32),
        recording=recording,
        chunk=chunk,
        person=person,
    )


def _heard(rng: np.random.Generator, count: int, people: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return recording, chunk and person of each fingerprint."""
    fame = np.cumsum(np.arange(1, people + 1) ** -_FAME)
    columns, n_recordings, n_heard = [], 0, 0
    while n_heard < count:
        n = (count - n_heard) // 8 + 8
        cast = rng.integers(_LEAST_CAST, _MOST_CAST + 1, n)
        drawn = np.searchsorted(fame, rng.random(cast.sum()) * fame[-1])
        # Who is drawn twice for a recording is there once.
        member = np.unique(np.repeat(np.arange(n), cast) * people + np.minimum(drawn, people - 1))
        n_chunks = rng.geometric(_LAST_CHUNK, n)[member // people]
        chunk = np.arange(n_chunks.sum()) - np.repeat(np.cumsum(n_chunks) - n_chunks, n_chunks)
        member = np.repeat(member, n_chunks)
        is_heard = rng.random(len(member)) < _IS_HEARD
        recording, person = np.divmod(member[is_heard], people)
        columns.append(np.stack([recording + n_recordings, chunk[is_heard], person]))
        n_recordings, n_heard = n_recordings + n, n_heard + len(person)
    found = np.concatenate(columns, axis=1)[:, :count]
    recording, chunk, person = found[:, rng.permutation(count)]
    return recording, chunk, person


def _voices(rng: np.random.Generator, people: int) -> FloatArray:
    """Return the direction of each person."""
    kinds = _unit(rng.standard_normal((_KINDS, _VOICE_DIM), np.float32))
    own = _unit(rng.standard_normal((people, _VOICE_DIM), np.float32))
    axes = np.linalg.qr(rng.standard_normal((_DIM, _VOICE_DIM)))[0].T.astype(np.float32)
    return _unit(own + _KIND * kinds[rng.integers(_KINDS, size=people)]) @ axes


def _vectors(
    rng: np.random.Generator,
    recording: IntArray,
    person: IntArray,
    seconds: NDArray[np.floating],
    voices: FloatArray,
    difficulty: Difficulty,
) -> FloatArray:
    rooms = _unit(rng.standard_normal((int(recording.max()) + 1, _DIM), np.float32))
    size = difficulty.noise * np.sqrt(1 + _NOISY_SECONDS / seconds) * rng.lognormal(0, _NOISE_SPREAD, len(seconds))
    vectors = np.empty((len(person), _DIM), np.float32)
    for low in range(0, len(person), _BLOCK):
        block = slice(low, low + _BLOCK)
        noise = _unit(rng.standard_normal(vectors[block].shape, np.float32)) * size[block, None].astype(np.float32)
        vectors[block] = _unit(voices[person[block]] + difficulty.room * rooms[recording[block]] + noise)
    return vectors


def _unit(rows: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def _number_in_chunk(recording: IntArray, chunk: NDArray[np.integer]) -> IntArray:
    """Return of each row the how-manieth of its chunk it is."""
    order = np.lexsort((chunk, recording))
    is_first = np.r_[True, (np.diff(recording[order]) != 0) | (np.diff(chunk[order]) != 0)][: len(order)]
    first = np.flatnonzero(is_first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
    return number
