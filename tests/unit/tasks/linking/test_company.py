import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.company import Company


def company(*chunks, together=(), apart=()):
    return Company(
        [set(some) for some in chunks],
        10.0,
        [np.array(rows) for rows in together],
        [(np.array(ours), np.array(theirs)) for ours, theirs in apart],
    )


def test_who_was_never_heard_together_is_not_objected_to():
    assert company([1], [2]).objection(0, 1) == 0


def test_every_chunk_together_counts():
    one = company([1, 2, 3], [1, 2], [3])
    assert math.isclose(one.objection(0, 1), 10 * (2 - 0.04))
    assert math.isclose(one.objection(0, 2), 10 * (1 - 0.02))


def test_of_many_chunks_some_are_mistaken():
    assert company(range(1_000), range(980, 1_980)).objection(0, 1) == 0
    assert company(range(1_000), range(970, 1_970)).objection(0, 1) == 100


def test_who_became_one_was_heard_wherever_either_was():
    one = company([1], [2], [2])
    one.merged(0, 1)
    assert one.objection(0, 2) > 0
    assert one.objection(1, 2) > 0
    assert one.chunks_of(1) == {1, 2}


def test_people_who_were_said_to_be_one_are_not_objected_to_though_heard_together():
    one = company([1], [1], [1], together=[[0, 1]])
    assert one.person(0) == one.person(1)
    assert one.objection(0, 1) == 0
    assert one.objection(0, 2) > 0


def test_what_people_said_holds_for_whoever_somebody_becomes():
    one = company([1], [2], [3], [4], [5], together=[[0, 1]], apart=[([1], [2])])
    assert one.objection(0, 2) == math.inf
    one.merged(3, 2)
    one.merged(4, 0)
    assert one.objection(4, 3) == one.objection(3, 4) == math.inf
    assert one.objection(0, 4) == 0


def test_sides_of_different_decisions_are_not_opposed():
    one = company([1], [2], [3], [4], apart=[([0], [1]), ([2], [3])])
    assert one.objection(0, 2) == one.objection(1, 3) == one.objection(0, 3) == 0
    assert one.objection(0, 1) == one.objection(2, 3) == math.inf


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_whoever_became_one_is_one(merges):
    one = company(*([number] for number in range(8)))
    person = {row: {row} for row in range(8)}
    for kept, gone in merges:
        one.merged(kept, gone)
        joined = person[kept] | person[gone]
        person |= dict.fromkeys(joined, joined)
    for row in range(8):
        assert {other for other in range(8) if one.person(other) == one.person(row)} == person[row]
        assert one.chunks_of(row) == person[row]
