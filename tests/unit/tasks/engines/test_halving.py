import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import EngineError, EngineOutOfMemory
from tasks.engines.halving import in_halves


def squares(room, asked):
    def call(items):
        asked.append(len(items))
        if len(items) > room:
            raise EngineOutOfMemory("engine 'x'", "ran out of memory")
        return [item * item for item in items]

    return call


@given(st.lists(st.integers(), min_size=1, max_size=40), st.integers(1, 40))
def test_every_item_has_its_result_whatever_fits(items, room):
    assert in_halves(squares(room, []), items) == [item * item for item in items]


def test_what_fits_is_not_split():
    asked = []
    in_halves(squares(8, asked), range(8))
    assert asked == [8]


def test_a_single_item_that_does_not_fit_is_the_callers_trouble():
    with pytest.raises(EngineOutOfMemory):
        in_halves(squares(0, []), [1, 2, 3])


def test_other_errors_are_not_tried_again():
    asked = []

    def call(items):
        asked.append(len(items))
        raise EngineError("engine 'x'", "failed")

    with pytest.raises(EngineError, match="failed"):
        in_halves(call, [1, 2, 3])
    assert asked == [3]


def test_no_items():
    assert in_halves(squares(1, []), []) == []
