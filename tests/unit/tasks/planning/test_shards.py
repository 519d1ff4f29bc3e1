from hypothesis import given
from hypothesis import strategies as st

from tasks.planning.shards import MINUTE_MS, choose_shard_ms, group_shards

durations = st.lists(st.integers(0, 3 * 60 * MINUTE_MS), max_size=40)


@given(durations, st.integers(1, 60 * MINUTE_MS))
def test_every_item_is_in_one_shard(durations_ms, shard_ms):
    items = list(range(len(durations_ms)))
    shards = group_shards(items, durations_ms, items, shard_ms)
    assert sorted(item for shard in shards for item in shard) == items
    assert all(shards)
    assert all(shard == sorted(shard) for shard in shards)


@given(durations, st.data())
def test_items_of_one_key_stay_together(durations_ms, data):
    items = list(range(len(durations_ms)))
    keys = [data.draw(st.integers(0, 5)) for _ in items]
    shards = group_shards(items, durations_ms, keys, sum(durations_ms) + 500 * len(items))
    for key in set(keys):
        assert sum(any(keys[item] == key for item in shard) for shard in shards) == 1


@given(st.lists(st.integers(1, 10 * MINUTE_MS), min_size=1, max_size=60), st.integers(1, 8))
def test_loads_are_even(durations_ms, workers):
    items = list(range(len(durations_ms)))
    shards = group_shards(items, durations_ms, items, max(1, sum(durations_ms) // workers))
    loads = [sum(durations_ms[item] + 500 for item in shard) for shard in shards]
    even = (sum(loads)) / len(loads)
    assert max(loads) <= even * 4 / 3 + max(durations_ms) + 500
    assert loads == sorted(loads, reverse=True)


def test_the_longest_shard_starts_first():
    assert group_shards(["short", "long"], [1000, 90_000], [0, 1], 1) == [["long"], ["short"]]


def test_recordings_that_happen_to_have_one_size_are_spread():
    shards = group_shards(list(range(100)), [MINUTE_MS] * 100, ["same"] * 100, 10 * MINUTE_MS)
    assert len(shards) > 10
    assert max(map(len, shards)) <= 10


def test_nothing_to_do_is_no_shard():
    assert group_shards([], [], [], 1000) == []


def test_shard_sizes():
    assert choose_shard_ms(10 * MINUTE_MS, 2) == 2 * MINUTE_MS
    assert choose_shard_ms(8 * 60 * MINUTE_MS, 2) == 60 * MINUTE_MS
    assert choose_shard_ms(10_000_000 * 60 * MINUTE_MS, 2) == 10_000_000 * 60 * MINUTE_MS // 400
