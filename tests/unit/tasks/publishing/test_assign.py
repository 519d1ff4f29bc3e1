"""Which part a recording is published in."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.publishing import assign
from tasks.publishing.assign import assign_parts

HOUR_MS = 3_600_000
nights = st.lists(st.lists(st.integers(0, 60), max_size=6), max_size=8)
"""Hours of the recordings that each night brings."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(assign, "_PART_RECORDINGS", 4)


def named(nights):
    """Return each night's recordings by ID, IDs in no order of time."""
    index = iter(range(1000))
    ids = random.Random(7).sample(range(10_000), 1000)
    return [{f"{ids[next(index)]:05}": hours * HOUR_MS for hours in night} for night in nights]


@given(nights)
def test_parts_are_filled_and_nobody_moves(nights):
    known, durations = {}, {}
    for night in named(nights):
        durations |= night
        before, count = dict(known), Counter(known.values())
        known = assign_parts(known, night, durations)
        assert known.keys() == durations.keys()
        assert before.items() <= known.items()
        after = Counter(known.values())
        assert max(after.values(), default=0) <= 4
        for part_id in after:
            total_ms = sum(durations[one] for one, part in known.items() if part == part_id)
            assert total_ms <= 50 * HOUR_MS or after[part_id] == 1
        rewritten = [part_id for part_id in count if after[part_id] > count[part_id]]
        assert len([part_id for part_id in rewritten if after[part_id] < 4]) <= len(night)


@given(st.integers(1, 30), st.integers(1, 3))
def test_a_lake_that_grows_a_little_every_night_has_one_part_with_room(n_nights, each):
    known = {}
    for night in range(n_nights):
        before = Counter(known.values())
        known = assign_parts(known, [f"{night:03}-{index}" for index in range(each)], {})
        touched = [part for part, count in Counter(known.values()).items() if count != before[part]]
        assert len(touched) <= 2
    assert sum(count < 4 for count in Counter(known.values()).values()) <= 1


@given(st.permutations(sorted(f"{index:02}" for index in range(12))))
def test_the_order_in_which_recordings_come_does_not_matter(order):
    known = {"x": "p", "y": "p", "z": "q"}
    assert assign_parts(known, order, {}) == assign_parts(known, sorted(order), {})


def test_parts_of_an_old_lake_are_filled_the_fullest_first():
    known = {"a": "p", "b": "q", "c": "q"}
    assert assign_parts(known, ["e", "f", "g"], {}) == {**known, "e": "q", "f": "q", "g": "p"}
