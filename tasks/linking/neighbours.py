"""Which voices come near which: candidate pairs for linking.

Few voices are compared with all others. Beyond, voices are sorted into cells around voices drawn evenly from all, and a
voice is compared with those of the cells nearest to it (an inverted file; Jégou et al. 2011), by Faiss. A GPU compares
all with all.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from storage.errors import EngineError
from storage.records import FloatArray
from tasks.engines.dot_search import has_gpu_search, nearest_by_dot
from tasks.linking.voices import IntArray

_EXACT = 1_000**2
"""Up to so many comparisons all are made."""
_CELLS_PER_ROOT = 4
"""Number of cells, in square roots of the number of voices."""
_PROBES = 16
"""Cells looked into."""


def nearest(queries: FloatArray, voices: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
    """Return the nearest voices of each query and their dot products, the nearest first, -1 where there are no more.

    Args:
        queries: shape ``(n_queries, dim)``.
        voices: shape ``(n_voices, dim)``.
        count: how many of them.
    """
    import faiss

    count = min(count, len(voices))
    if not len(queries) or not count:
        return np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    queries, voices = (np.ascontiguousarray(rows, np.float32) for rows in (queries, voices))
    if len(queries) * len(voices) <= _EXACT:
        dots, found = faiss.knn(queries, voices, count, metric=faiss.METRIC_INNER_PRODUCT)
        return found.astype(np.int64), dots
    if has_gpu_search():
        with suppress(EngineError):  # of little memory, say; the processor can do it as well
            return nearest_by_dot(queries, voices, count)
    dim, n_cells = voices.shape[1], int(_CELLS_PER_ROOT * len(voices) ** 0.5)
    cells = faiss.IndexFlatIP(dim)
    cells.add(voices[np.linspace(0, len(voices) - 1, n_cells).astype(np.int64)])
    index = faiss.IndexIVFFlat(cells, dim, n_cells, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = _PROBES
    index.add(voices)
    dots, found = index.search(queries, count)
    return found, dots
