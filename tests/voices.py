"""Labels of made-up people in made-up rooms, to test linking with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from storage.records import SpeakerBounds
from tasks.evaluation.identity import b_cubed
from tasks.linking.constraints import Constraints
from tasks.linking.local import LocalSpeakers, name_local_speakers
from tasks.linking.speakers import LinkOptions, Links, link_speakers
from tasks.linking.voices import COMMON_PRIOR, LabelColumns, VoicePrior

DIM = 64


def person(seed: int) -> np.ndarray:
    return _unit(np.random.default_rng([seed, 1]).standard_normal(DIM))


def heard(who: int, *, room: int = 0, take: int = 0, room_size: float = 0.3, noise: float = 0.3) -> np.ndarray:
    """Fingerprint of a person in a room; each take differs a little."""
    rng = np.random.default_rng([who, room, take, 2])
    return _unit(
        person(who)
        + room_size * _unit(np.random.default_rng([room, 3]).standard_normal(DIM))
        + noise * _unit(rng.standard_normal(DIM))
    )


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


Row = tuple[str, int, int, str, np.ndarray | None, int]
"""recording_id, channel, chunk_index, label, vector, speech_ms"""


def row(
    recording: str, label: str, vector: np.ndarray | None, *, chunk: int = 0, channel: int = 0, ms: int = 10_000
) -> Row:
    return recording, channel, chunk, label, vector, ms


def columns(rows: Sequence[Row], *, dim: int = DIM) -> LabelColumns:
    names = tuple(sorted({recording for recording, *_ in rows}))
    nothing = np.full(dim, np.nan, dtype=np.float32)
    vectors = [nothing if vector is None else vector for *_, vector, _ in rows]
    return LabelColumns(
        recording_ids=names,
        recording=np.array([names.index(recording) for recording, *_ in rows], dtype=np.int64),
        channel=np.array([channel for _, channel, *_ in rows], dtype=np.int64),
        chunk_index=np.array([chunk for _, _, chunk, *_ in rows], dtype=np.int64),
        label=[label for *_, label, _, _ in rows],
        start_ms=np.array(
            [600_000 * chunk + 100 * sum(map(ord, label)) for _, _, chunk, label, _, _ in rows], dtype=np.int64
        ),
        speech_ms=np.array([ms for *_, ms in rows], dtype=np.int64),
        vectors=np.stack(vectors) if rows else np.zeros((0, dim), dtype=np.float32),
    )


def archive(seed: int, *, n_recordings: int = 6, n_people: int = 5, n_chunks: int = 3) -> tuple[list[Row], list[int]]:
    """Rows of an archive in which everybody recurs, and who each row is."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    people: list[int] = []
    for number in range(n_recordings):
        cast = rng.choice(n_people, size=int(rng.integers(1, min(4, n_people) + 1)), replace=False)
        for chunk in range(int(rng.integers(1, n_chunks + 1))):
            for place, who in enumerate(rng.permutation(cast)):
                vector = heard(int(who), room=100 * seed + number, take=chunk)
                ms = int(rng.integers(3_000, 60_000))
                rows.append(row(f"r{number}", f"L{place}", vector, chunk=chunk, ms=ms))
                people.append(int(who))
    return rows, people


def linked(
    rows: Sequence[Row],
    *,
    prior: VoicePrior = COMMON_PRIOR,
    options: LinkOptions | None = None,
    constraints: Constraints | None = None,
    bounds: Mapping[str, SpeakerBounds] | None = None,
) -> tuple[LocalSpeakers, Links, list[int]]:
    """Local speakers, their links, and the speaker of each row."""
    local = name_local_speakers(columns(rows), prior, bounds=bounds)
    links = link_speakers(local, prior, options=options, constraints=constraints)
    return local, links, links.speaker[local.of_label].tolist()


def agreement(groups: Sequence[object], truth: Sequence[object]) -> float:
    """B-cubed F1 of two groupings of the same things; 1 where they are the same."""
    return b_cubed(Counter((str(one), str(other)) for one, other in zip(groups, truth, strict=True))).f1


def partition(groups: Sequence[int], names: Sequence[object]) -> set[frozenset[object]]:
    """Groups as sets of names, to compare without caring for numbers."""
    sets: dict[int, set[object]] = {}
    for group, name in zip(groups, names, strict=True):
        sets.setdefault(group, set()).add(name)
    return {frozenset(members) for members in sets.values()}
