import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.certainty import Certainty
from tasks.linking.speakers import LinkOptions
from tests.voices import archive, heard, linked, row


def monologues(*people):
    return [row(f"r{number}", "A", heard(who, room=number)) for number, who in enumerate(people)]


def certainty_of(rows, **options):
    return linked(rows, **options)[1].certainty


def test_where_there_is_nobody_else_to_compare_with_nothing_is_known():
    certainty = certainty_of([row("r", "A", heard(1)), row("r", "B", None)])
    assert np.isnan(certainty.confidence).all()
    assert np.isnan(certainty.margin).all()
    assert certainty.own[0] == 0


def test_two_who_are_heard_together_could_be_nobody_else():
    certainty = certainty_of([row("r", "A", heard(1)), row("r", "B", heard(2))])
    assert np.isnan(certainty.rival).all()
    assert np.isnan(certainty.confidence).all()


def test_one_person_who_returns_is_that_person_or_nobody():
    certainty = certainty_of(monologues(1, 1))
    assert np.isnan(certainty.rival).all()
    assert certainty.confidence.min() > 0.9


def test_who_is_heard_once_is_the_more_surely_so_the_fewer_return():
    few, many = certainty_of(monologues(*range(1, 20), 1)), certainty_of(monologues(*[1, 2, 3] * 6, 19))
    once, only = few.own == 0, many.own == 0
    assert (once.sum(), only.sum()) == (18, 1)
    assert few.rival[once].max() < 0
    assert few.confidence[once].mean() > 0.9
    assert many.confidence[only] < 0.9


def test_between_two_twins_nothing_is_sure():
    rows = monologues(1, 1, 2, 2)
    between = heard(1, room=8) + heard(2, room=9)
    rows.append(row("z", "A", between / np.linalg.norm(between), ms=900))
    certainty = certainty_of(rows)
    assert certainty.confidence[-1] < 0.75
    assert abs(certainty.margin[-1]) < 5
    assert certainty.confidence[:4].min() > 0.9


def test_the_softer_the_less_is_sure():
    rows, _ = archive(4)
    hard, soft = (certainty_of(rows, options=LinkOptions(softness=softness)).confidence for softness in (1.0, 50.0))
    assert np.nanmean(soft) < np.nanmean(hard)


def test_rivals_are_named_both_ways_and_are_no_one_person():
    rows, _ = archive(4)
    _, links, _ = linked(rows)
    rivals = links.found.rivals
    pairs = {*zip(rivals.group.tolist(), rivals.other.tolist(), strict=True)}
    assert pairs == {(other, one) for one, other in pairs}
    assert all(one != other for one, other in pairs)
    assert (rivals.nats < 0).all(), "people who should be one are one"
    assert ((rivals.confidence >= 0) & (rivals.confidence < 0.5)).all()


@given(rows=st.lists(st.integers(0, 9), unique=True))
def test_some_rows_of_many(rows):
    count = len(rows)
    some = Certainty(own=np.arange(count) + 1.0, rival=np.ones(count), confidence=np.full(count, 0.5, np.float32))
    wide = some.spread(np.array(rows, np.int64), 10)
    assert wide.own[rows].tolist() == some.own.tolist()
    assert wide.margin[rows].tolist() == pytest.approx(np.arange(count).tolist())
    assert np.isnan(wide.confidence).sum() == 10 - count
    assert len(wide.first(4).own) == 4
