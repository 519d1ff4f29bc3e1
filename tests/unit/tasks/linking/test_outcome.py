import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from storage.schemas import MEMORY, WHOLES
from tasks.linking.certainty import Certainty, Rivals
from tasks.linking.evidence import KnownGroups
from tasks.linking.outcome import joined, memory_tables, neighbour_table, remembered, score_table
from tasks.linking.space import VoiceSpace
from tasks.linking.voices import VoiceScale


@given(st.integers(0, 5), st.integers(1, 4), st.integers(0, 100))
def test_what_is_remembered_is_what_was_kept(count, dim, seed):
    rng = np.random.default_rng(seed)
    groups = KnownGroups(
        sums=rng.standard_normal((count, dim)).astype(np.float32),
        weights=rng.random(count),
        precision=rng.random(count),
        squares=rng.random(count),
        is_single=rng.random(count) < 0.5,
    )
    scale = VoiceScale(offset=0.1, dimensions=50.0)
    mean, cohort = rng.random(dim).astype(np.float32), rng.random((count, dim)).astype(np.float32)
    space = VoiceSpace(mean=mean, room=0.2, cohort=cohort, scale=scale, noise=0.7)
    tables = memory_tables("m", "basis", 9, space, groups, [f"spk_{row}" for row in range(count)])
    assert {name: table.schema for name, table in tables.items()} == MEMORY
    space_again, groups_again, ids = remembered(tables["spaces"], tables["voices"])
    assert (space_again.room, space_again.scale, space_again.noise) == (0.2, scale, 0.7)
    assert np.array_equal(space_again.mean, mean)
    assert np.array_equal(space_again.cohort, cohort)
    for name in ("sums", "weights", "precision", "squares", "is_single"):
        assert np.array_equal(getattr(groups_again, name), getattr(groups, name))
    assert ids == [f"spk_{row}" for row in range(count)]


def test_neighbours_are_sorted_and_nobody_without_an_id_is_among_them():
    rivals = Rivals(
        group=np.array([2, 1, 1, 3]),
        other=np.array([1, 2, 4, 1]),
        nats=np.array([-3.0, -3.0, -1.0, -2.0]),
        confidence=np.array([0.1, 0.1, 0.3, 0.2], np.float32),
    )
    table = neighbour_table(rivals, {1: "spk_b", 2: "spk_a", 4: "spk_c"})
    assert [(row["speaker_id"], row["other_id"], row["score"]) for row in table.to_pylist()] == [
        ("spk_a", "spk_b", -3.0),
        ("spk_b", "spk_c", -1.0),
        ("spk_b", "spk_a", -3.0),
    ]


def test_scores_are_counted_in_bars_of_five_nats():
    own = np.array([0.0, 4.9, 5.0, -0.1, np.nan, 1e9])
    certainty = Certainty(own=own, rival=np.full(6, -np.inf), confidence=np.zeros(6, np.float32))
    bars = {(row["kind"], row["low_nats"]): row["n_voices"] for row in score_table("m", certainty).to_pylist()}
    assert bars == {("own", -5): 1, ("own", 0): 2, ("own", 5): 1, ("own", 200): 1}


def test_nothing_is_an_outcome_too():
    nothing = joined([])
    for name in ("local_speakers", "links", "neighbours", "scores"):
        assert getattr(nothing, name).equals(WHOLES[name].empty_table())
    assert {name: table.schema for name, table in nothing.memory.items()} == MEMORY
    assert joined([nothing, nothing]).links.equals(pa.table(nothing.links))
