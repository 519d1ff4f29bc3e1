import numpy as np
import pytest

from tasks.engines import dot_search
from tasks.linking import neighbours


@pytest.fixture
def rows():
    vectors = np.random.default_rng(0).standard_normal((200, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_block_by_block_it_finds_what_sorting_finds(rows, monkeypatch):
    monkeypatch.setattr(dot_search, "_BLOCK_SCORES", 3_000)
    found, dots = dot_search.nearest_by_dot(rows[:50], rows, 5, device="cpu")
    everything = rows[:50] @ rows.T
    assert found.tolist() == np.argsort(-everything, axis=1)[:, :5].tolist()
    assert dots == pytest.approx(np.take_along_axis(everything, found, axis=1), abs=1e-6)


def test_linking_searches_on_a_gpu_where_there_is_one(rows, monkeypatch):
    expected = neighbours.nearest(rows, rows, 4)
    monkeypatch.setattr(neighbours, "_EXACT", 0)
    monkeypatch.setattr(neighbours, "has_gpu_search", lambda: True)
    monkeypatch.setattr(neighbours, "nearest_by_dot", lambda *some: dot_search.nearest_by_dot(*some, device="cpu"))
    found, dots = neighbours.nearest(rows, rows, 4)
    assert np.array_equal(found, expected[0])
    assert dots == pytest.approx(expected[1], abs=1e-6)
