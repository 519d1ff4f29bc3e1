from hypothesis import given
from hypothesis import strategies as st

from tasks.maintenance.choose import Unit, choose_groups

TARGET = 1000
UNITS = st.lists(st.tuples(st.integers(0, 1500), st.booleans()), max_size=30).map(
    lambda found: [
        Unit(unit_id=f"u{at:02}", n_bytes=size, first_commit=f"c{at:02}", is_compacted=is_compacted)
        for at, (size, is_compacted) in enumerate(found)
    ]
)


@given(UNITS)
def test_groups_are_small_enough_and_of_several(units):
    groups = choose_groups(units, TARGET)
    taken = [one for group in groups for one in group]
    assert len({one.unit_id for one in taken}) == len(taken)
    assert all(len(group) > 1 and sum(one.n_bytes for one in group) <= TARGET for group in groups)
    assert [one.first_commit for one in taken] == sorted(one.first_commit for one in taken)
    assert choose_groups(units[::-1], TARGET) == groups


@given(UNITS)
def test_what_is_full_is_left_alone_and_nothing_is_done_for_nothing(units):
    groups = choose_groups(units, TARGET)
    assert not any(one.is_compacted and 2 * one.n_bytes > TARGET for group in groups for one in group)
    assert all(any(not one.is_compacted for one in group) for group in groups)
    assert choose_groups([one for one in units if one.is_compacted], TARGET) == []


@given(st.lists(st.integers(1, 20), min_size=50, max_size=400))
def test_night_after_night_there_are_few_files_and_little_is_written_again(sizes):
    """A commit each night, maintenance each night: far fewer files than nights, each byte written a few times."""
    units, written = [], 0
    for night, size in enumerate(sizes):
        units.append(Unit(unit_id=f"c{night:04}", n_bytes=size, first_commit=f"c{night:04}", is_compacted=False))
        for group in choose_groups(units, TARGET):
            n_bytes = sum(one.n_bytes for one in group)
            written += n_bytes
            units = [one for one in units if one not in group]
            first = min(one.first_commit for one in group)
            units.append(Unit(unit_id=f"k{night:04}", n_bytes=n_bytes, first_commit=first, is_compacted=True))
    n_full = 2 * sum(sizes) / TARGET
    assert len(units) <= n_full + 8
    assert written <= 8 * sum(sizes)
