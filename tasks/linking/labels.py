"""Facts about fingerprints, as columns for linking."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.records import FloatArray
from tasks.linking.ids import Label
from tasks.linking.voices import LabelColumns

_KEY = ("recording_id", "channel", "chunk_index", "label")


def by_model(labels: pa.Table) -> list[tuple[str, pa.Table]]:
    """Return the fingerprints of each embedding model, sorted by recording, channel, chunk and label.

    Args:
        labels: facts ``fingerprints``.
    """
    labels = labels.sort_by([(name, "ascending") for name in ("model", *_KEY)])
    models = labels["model"].combine_chunks().dictionary_encode()
    edges = np.r_[0, np.flatnonzero(np.diff(models.indices.to_numpy())) + 1, len(labels)]
    return [
        (labels["model"][int(start)].as_py(), labels.slice(start, end - start))
        for start, end in pairwise(edges.tolist())
        if end > start
    ]


def label_columns(labels: pa.Table) -> LabelColumns:
    """Return the fingerprints of one model, as ``by_model`` gives them."""
    recordings = labels["recording_id"].combine_chunks().dictionary_encode()
    return LabelColumns(
        recording_ids=tuple(recordings.dictionary.to_pylist()),
        recording=recordings.indices.to_numpy().astype(np.int64),
        channel=labels["channel"].to_numpy().astype(np.int64),
        chunk_index=labels["chunk_index"].to_numpy().astype(np.int64),
        label=labels["label"].to_pylist(),
        start_ms=labels["start_ms"].to_numpy(),
        speech_ms=np.where(
            labels["vector"].is_valid().to_numpy(), labels["speech_ms"].to_numpy(), labels["turn_ms"].to_numpy()
        ),
        vectors=_vectors(labels["vector"]),
        activity=labels["activity"].to_numpy(),
    )


def label_at(labels: pa.Table, row: int) -> Label:
    """Return the key of a label."""
    recording_id, channel, chunk_index, label = (labels[name][row].as_py() for name in _KEY)
    return recording_id, channel, chunk_index, label


def _vectors(column: pa.ChunkedArray) -> FloatArray:
    """Return fingerprints as rows of shape ``(n, dim)``; NaN where there is none."""
    found = column.drop_null()
    dim = len(found[0]) if len(found) else 1
    vectors = np.full((len(column), dim), np.nan, np.float32)
    vectors[column.is_valid().to_numpy()] = np.asarray(pc.list_flatten(found)).reshape(-1, dim)
    return vectors
