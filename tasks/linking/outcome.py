"""What linking makes of a lake, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storage.schemas import MEMORY, WHOLES
from tasks.linking.certainty import Certainty, Rivals
from tasks.linking.evidence import KnownGroups
from tasks.linking.ids import LineageEvent
from tasks.linking.local import LocalSpeakers
from tasks.linking.space import VoiceSpace
from tasks.linking.voices import IntArray, ScoreArray, VoiceScale

_HISTOGRAM_NATS = 5
"""Width of the bars in the picture of scores."""
_MOST_NATS = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """Links of the fingerprints of one model, or of all."""

    local_speakers: pa.Table
    links: pa.Table
    neighbours: pa.Table
    scores: pa.Table
    memory: Mapping[str, pa.Table]
    events: tuple[LineageEvent, ...] = ()


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome for all models."""
    return Outcome(
        local_speakers=_concat("local_speakers", [one.local_speakers for one in outcomes]),
        links=_concat("links", [one.links for one in outcomes]),
        neighbours=_concat("neighbours", [one.neighbours for one in outcomes]),
        scores=_concat("scores", [one.scores for one in outcomes]),
        memory={
            table: pa.concat_tables([schema.empty_table(), *(one.memory[table] for one in outcomes)])
            for table, schema in MEMORY.items()
        },
        events=tuple(event for one in outcomes for event in one.events),
    )


def local_speaker_table(labels: pa.Table, local: LocalSpeakers) -> pa.Table:
    """Return which local speaker each label is."""
    names = np.array(local.name, object)[local.of_label]
    columns = [*(labels[name] for name in WHOLES["local_speakers"].names[:-1]), pa.array(names, pa.string())]
    return pa.Table.from_arrays(columns, schema=WHOLES["local_speakers"])


def link_table(
    labels: pa.Table,
    local: LocalSpeakers,
    speaker_id: Sequence[str | None],
    certainty: Certainty,
    basis: Sequence[str | None],
    reason: Sequence[str | None],
) -> pa.Table:
    """Return one row per local speaker."""
    turn_ms = np.bincount(local.of_label, labels["turn_ms"].to_numpy(), minlength=len(local)).astype(np.int64)
    return pa.Table.from_arrays(
        [
            pa.array(local.recording_id, pa.string()),
            pa.array(local.name, pa.string()),
            pa.array(turn_ms),
            pa.array(speaker_id, pa.string()),
            pa.array(certainty.confidence, from_pandas=True),
            pa.array(certainty.margin, from_pandas=True),
            pa.array(basis, pa.string()),
            pa.array(reason, pa.string()),
        ],
        schema=WHOLES["links"],
    )


def neighbour_table(rivals: Rivals, id_of_group: Mapping[int, str | None]) -> pa.Table:
    """Return who comes nearest to whom, sorted.

    Args:
        rivals: Who comes near whom.
        id_of_group: speaker_id of each row of the groups.
    """
    pairs = zip(rivals.group.tolist(), rivals.other.tolist(), strict=True)
    names = [(id_of_group.get(one), id_of_group.get(other)) for one, other in pairs]
    named = np.array([one is not None and other is not None for one, other in names], bool)
    table = pa.Table.from_arrays(
        [
            pa.array([one for one, _ in names], pa.string()).filter(pa.array(named)),
            pa.array([other for _, other in names], pa.string()).filter(pa.array(named)),
            pa.array(rivals.nats[named].astype(np.float32)),
            pa.array(rivals.confidence[named]),
        ],
        schema=WHOLES["neighbours"],
    )
    return table.sort_by([("speaker_id", "ascending"), ("score", "descending"), ("other_id", "ascending")])


def score_table(model: str, certainty: Certainty) -> pa.Table:
    """Return how many voices have how much speaking for their own speaker, and for the likeliest other."""
    rows = [
        {"model": model, "kind": kind, "low_nats": int(low), "n_voices": int(count)}
        for kind, nats in (("own", certainty.own), ("rival", certainty.rival))
        for low, count in zip(*_bars(nats), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=WHOLES["scores"])


def memory_tables(
    model: str, basis: str, n_voices: int, space: VoiceSpace, groups: KnownGroups, speaker_ids: Sequence[str | None]
) -> dict[str, pa.Table]:
    """Return what is to be remembered of a model's people."""
    scale = space.scale
    spaces = [
        {
            "model": model,
            "basis": basis,
            "n_voices": n_voices,
            "mean": space.mean.tolist(),
            "room": space.room,
            "cohort": space.cohort.ravel(),
            "offset": scale.offset,
            "dimensions": scale.dimensions,
            "noise": space.noise,
            "returning": space.returning,
        }
    ]
    count, dim = groups.sums.shape
    sums = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * dim, groups.sums.ravel())
    columns = [pa.array([model] * count, pa.string()), pa.array(speaker_ids, pa.string()), sums]
    columns += [pa.array(one) for one in (groups.weights, groups.precision, groups.squares, groups.is_single)]
    return {
        "spaces": pa.Table.from_pylist(spaces, schema=MEMORY["spaces"]),
        "voices": pa.Table.from_arrays(columns, schema=MEMORY["voices"]),
    }


def remembered(space: pa.Table, voices: pa.Table) -> tuple[VoiceSpace, KnownGroups, list[str]]:
    """Return a model's space, its people and their IDs, from one row of ``spaces`` and their rows of ``voices``."""
    (row,) = space.to_pylist()
    dim = len(row["mean"])
    groups = KnownGroups(
        sums=voices["sum"].combine_chunks().flatten().to_numpy().reshape(-1, dim),
        weights=voices["weight"].to_numpy(),
        precision=voices["precision"].to_numpy(),
        squares=voices["square"].to_numpy(),
        is_single=voices["is_single"].to_numpy(),
    )
    return (
        VoiceSpace(
            mean=np.array(row["mean"], np.float32),
            room=row["room"],
            cohort=np.array(row["cohort"], np.float32).reshape(-1, dim),
            scale=VoiceScale(offset=row["offset"], dimensions=row["dimensions"]),
            noise=row["noise"],
            returning=row["returning"],
        ),
        groups,
        voices["speaker_id"].to_pylist(),
    )


def _bars(nats: ScoreArray) -> tuple[IntArray, IntArray]:
    known = np.clip(nats[np.isfinite(nats)], -_MOST_NATS, _MOST_NATS)
    low, count = np.unique(np.floor(known / _HISTOGRAM_NATS) * _HISTOGRAM_NATS, return_counts=True)
    return low.astype(np.int64), count


def _concat(table: str, parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([WHOLES[table].empty_table(), *parts])
