"""Nearest vectors by comparing all with all, on a GPU: there it takes less time than building an index."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray
from tasks.engines.devices import engine_errors, n_cuda_devices

_BLOCK_SCORES = 500_000_000
"""Dot products held at once; 2 GB."""


def has_gpu_search() -> bool:
    """Return whether there is a GPU, and torch to use it."""
    return n_cuda_devices() > 0 and importlib.util.find_spec("torch") is not None


def nearest_by_dot(
    queries: FloatArray, vectors: FloatArray, count: int, *, device: str = "cuda"
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the nearest vectors of each query and their dot products, the nearest first.

    Args:
        queries: shape ``(n_queries, dim)``.
        vectors: shape ``(n, dim)``.
        count: how many of them, at most n.
        device: of torch.

    Raises:
        EngineOutOfMemory: the device's memory is too small, or in use.
        EngineError: the device failed.
    """
    with engine_errors("dot_search", f"comparing {len(queries)} vectors with {len(vectors)}"):
        return _nearest(queries, vectors, count, device)


def _nearest(queries: FloatArray, vectors: FloatArray, count: int, device: str) -> tuple[NDArray[np.int64], FloatArray]:
    import torch

    found = np.empty((len(queries), count), np.int64)
    dots = np.empty((len(queries), count), np.float32)
    step = max(1, _BLOCK_SCORES // max(len(vectors), 1))
    with torch.inference_mode():
        transposed = torch.from_numpy(np.ascontiguousarray(vectors)).to(device).T
        for low in range(0, len(queries), step):
            block = torch.from_numpy(np.ascontiguousarray(queries[low : low + step])).to(device)
            best, at = (block @ transposed).topk(count, dim=1)
            found[low : low + step], dots[low : low + step] = at.cpu().numpy(), best.cpu().numpy()
    return found, dots
