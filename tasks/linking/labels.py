"""Facts about fingerprints, as columns for linking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.columns import shared_values
from storage.records import FloatArray
from tasks.linking.ids import Label
from tasks.linking.voices import BoolArray, IntArray, LabelColumns

_KEY = ("recording_id", "channel", "chunk_index", "label")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelLabels:
    """Labels with fingerprints of one embedding model, sorted by recording, channel, chunk and label."""

    model: str
    rows: pa.Table
    """Facts ``fingerprints``, all but the vectors."""
    columns: LabelColumns
    """The same for linking, vectors included: most of the memory."""


def by_model(labels: pa.Table) -> Iterator[ModelLabels]:
    """Yield the labels of each model, and keep nothing of those that were yielded.

    Args:
        labels: facts ``fingerprints``; of the caller's own, for it is to be gone when linking begins.
    """
    found = _models(labels)
    del labels
    pa.default_memory_pool().release_unused()  # it keeps what was freed, and linking takes its memory elsewhere
    while found:
        yield found.pop(0)


def _models(labels: pa.Table) -> list[ModelLabels]:
    order = pc.sort_indices(labels, [(name, "ascending") for name in ("model", *_KEY)]).to_numpy()
    rows, has_vector = labels.drop_columns(["vector"]).take(order), labels["vector"].is_valid().to_numpy()[order]
    models = rows["model"].combine_chunks().dictionary_encode()
    edges = np.r_[0, np.flatnonzero(np.diff(models.indices.to_numpy())) + 1, len(rows)]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return [
        ModelLabels(
            model=rows["model"][start].as_py(),
            rows=(own := rows.slice(start, end - start)),
            columns=_columns(own, has_vector[start:end], _vectors(labels["vector"], place - start, end - start)),
        )
        for start, end in pairwise(edges.tolist())
        if end > start
    ]


def _columns(rows: pa.Table, has_vector: BoolArray, vectors: FloatArray) -> LabelColumns:
    recordings = rows["recording_id"].combine_chunks().dictionary_encode()
    return LabelColumns(
        recording_ids=tuple(recordings.dictionary.to_pylist()),
        recording=recordings.indices.to_numpy().astype(np.int64),
        channel=rows["channel"].to_numpy().astype(np.int64),
        chunk_index=rows["chunk_index"].to_numpy().astype(np.int64),
        label=shared_values(rows["label"]),
        start_ms=rows["start_ms"].to_numpy(),
        speech_ms=np.where(has_vector, rows["speech_ms"].to_numpy(), rows["turn_ms"].to_numpy()),
        vectors=vectors,
        activity=rows["activity"].to_numpy(),
    )


def label_at(labels: pa.Table, row: int) -> Label:
    """Return the key of a label."""
    recording_id, channel, chunk_index, label = (labels[name][row].as_py() for name in _KEY)
    return recording_id, channel, chunk_index, label


def _vectors(column: pa.ChunkedArray, place: IntArray, count: int) -> FloatArray:
    """Return some fingerprints as rows of shape ``(count, dim)``; NaN where there is none.

    Args:
        column: Of all labels; read a chunk at a time, so that there is one copy besides it.
        place: Row of each label; those from 0 up to ``count`` are wanted, all of one dimension.
        count: How many.
    """
    vectors = np.full((count, 1), np.nan, np.float32)
    low = 0
    for chunk in column.chunks:
        rows = place[low : low + len(chunk)]
        low += len(chunk)
        wanted = (rows >= 0) & (rows < count) & chunk.is_valid().to_numpy(zero_copy_only=False)
        if wanted.any():
            found = chunk.filter(pa.array(wanted)).flatten().to_numpy().reshape(int(wanted.sum()), -1)
            if vectors.shape[1] != found.shape[1]:
                vectors = np.full((count, found.shape[1]), np.nan, np.float32)
            vectors[rows[wanted]] = found
    return vectors
