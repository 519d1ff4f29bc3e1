"""B-cubed and the one mapping of an archive, by hand and by what must hold."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.evaluation.identity import SharedTable, added, b_cubed, best_mapping

shares = st.dictionaries(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from("wxyz")), st.integers(1, 10_000), min_size=1
)


def test_b_cubed_by_hand():
    identity = b_cubed({("ann", "X"): 3, ("bob", "X"): 1, ("bob", "Y"): 4})
    assert identity.precision == pytest.approx((9 / 4 + 1 / 4 + 4) / 8)
    assert identity.recall == pytest.approx((3 + 1 / 5 + 16 / 5) / 8)
    total = identity.precision + identity.recall
    assert identity.f1 == pytest.approx(2 * identity.precision * identity.recall / total)


@settings(max_examples=50)
@given(shares)
def test_swapping_persons_and_ids_swaps_precision_and_recall(shared):
    forth, back = b_cubed(shared), b_cubed({(b, a): ms for (a, b), ms in shared.items()})
    assert forth.precision == pytest.approx(back.recall)
    assert 0 < forth.f1 <= 1 + 1e-9


@settings(max_examples=50)
@given(shares)
def test_one_id_for_all_recalls_everything(shared):
    everybody = {}
    for (person, _), ms in shared.items():
        everybody[person, "X"] = everybody.get((person, "X"), 0) + ms
    assert b_cubed(everybody).recall == pytest.approx(1)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 100)))
def test_who_has_an_id_alone_is_perfect(spoken):
    identity = b_cubed({(person, person.lower()): ms for person, ms in spoken.items()})
    assert (identity.precision, identity.recall) == (pytest.approx(1), pytest.approx(1))


@settings(max_examples=50)
@given(st.lists(shares, min_size=1, max_size=4), st.data())
def test_weights_stand_for_recordings_that_are_there_so_often(parts, data):
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(parts), max_size=len(parts)))
    precision, recall = SharedTable(parts).b_cubed(np.array([times], float))
    identity = b_cubed(added(part for part, n in zip(parts, times, strict=True) for _ in range(n)))
    if any(times):
        assert (precision[0], recall[0]) == (pytest.approx(identity.precision), pytest.approx(identity.recall))
    else:
        assert np.isnan(precision[0])


@settings(max_examples=50)
@given(shares)
def test_no_other_mapping_is_right_for_longer(shared):
    mapping = best_mapping(shared)
    assert len(set(mapping.values())) == len(mapping)
    right = sum(ms for (person, one), ms in shared.items() if mapping.get(one) == person)
    most = max(sum(shared.get(pair, 0) for pair in zip(order, "wxyz", strict=True)) for order in permutations("ABCD"))
    assert right == most


def test_nobody_is_mapped_to_nobody():
    assert best_mapping({}) == {}
