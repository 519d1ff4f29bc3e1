import heapq
import random

from hypothesis import given
from hypothesis import strategies as st

from tasks.planning.shards import MINUTE_MS, even_sizes, group_shards, load_ms, tapering_sizes

HOUR_MS = 60 * MINUTE_MS

durations = st.lists(st.integers(0, 3 * 60 * MINUTE_MS), max_size=40)


@given(durations, st.integers(1, 60 * MINUTE_MS))
def test_every_item_is_in_one_shard(durations_ms, shard_ms):
    items = list(range(len(durations_ms)))
    shards = group_shards(items, durations_ms, items, even_sizes(total(durations_ms), shard_ms, len(items)))
    assert sorted(item for shard in shards for item in shard) == items
    assert all(shards)
    assert all(shard == sorted(shard) for shard in shards)


@given(durations, st.data())
def test_items_of_one_key_stay_together(durations_ms, data):
    items = list(range(len(durations_ms)))
    keys = [data.draw(st.integers(0, 5)) for _ in items]
    shards = group_shards(items, durations_ms, keys, [max(1, total(durations_ms))])
    for key in set(keys):
        assert sum(any(keys[item] == key for item in shard) for shard in shards) == 1


@given(st.lists(st.integers(1, 10 * MINUTE_MS), min_size=1, max_size=60), st.integers(1, 8))
def test_loads_are_even(durations_ms, workers):
    items = list(range(len(durations_ms)))
    sizes_ms = even_sizes(total(durations_ms), total(durations_ms) // workers, len(items))
    shards = group_shards(items, durations_ms, items, sizes_ms)
    loads = [sum(durations_ms[item] + 500 for item in shard) for shard in shards]
    even = (sum(loads)) / len(loads)
    assert max(loads) <= even * 4 / 3 + max(durations_ms) + 500
    assert loads == sorted(loads, reverse=True)


def test_the_longest_shard_starts_first():
    assert group_shards(["short", "long"], [1000, 90_000], [0, 1], [1, 1]) == [["long"], ["short"]]


def test_recordings_that_happen_to_have_one_size_are_spread():
    shards = group_shards(
        list(range(100)), [MINUTE_MS] * 100, ["same"] * 100, even_sizes(101 * MINUTE_MS, 10 * MINUTE_MS, 100)
    )
    assert len(shards) > 10
    assert max(map(len, shards)) <= 10


def test_nothing_to_do_is_no_shard():
    assert group_shards([], [], [], [1000]) == []


@given(st.integers(0, 10_000 * HOUR_MS), st.integers(1, 64))
def test_sizes_hold_everything_shrink_and_are_not_many(total_ms, workers):
    sizes = tapering_sizes(total_ms, workers)
    assert sum(sizes) >= total_ms
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) <= 400
    assert sizes[-1] >= 2 * MINUTE_MS


def test_shard_sizes():
    assert tapering_sizes(10 * MINUTE_MS, 2)[0] == 150_000
    assert [size / HOUR_MS for size in tapering_sizes(8 * HOUR_MS, 2)[:6]] == [2, 2, 1, 1, 0.5, 0.5]
    assert tapering_sizes(10_000_000 * HOUR_MS, 2) == [25_000 * HOUR_MS] * 400


def taken(shards, work_ms, speeds):
    """Return when each worker ends, if each takes the next shard when it is done with one."""
    ends = [(0.0, worker) for worker in range(len(speeds))]
    for shard in shards:
        end, worker = heapq.heappop(ends)
        heapq.heappush(ends, (end + sum(work_ms[item] for item in shard) / speeds[worker], worker))
    return sorted(end for end, _ in ends)


@given(
    seed=st.integers(0, 10_000),
    workers=st.integers(2, 8),
    minutes=st.lists(st.integers(5, 90), min_size=40, max_size=120),
)
def test_the_last_worker_does_not_straggle(seed, workers, minutes):
    """Headers are wrong by up to 30 %, the slowest machine is a third slower than the quickest."""
    chance = random.Random(seed)
    claimed = [minute * MINUTE_MS for minute in minutes]
    true = [ms * chance.uniform(0.7, 1.3) for ms in claimed]
    speeds = [chance.uniform(0.67, 1.0) for _ in range(workers)]
    items = range(len(claimed))
    ends = taken(group_shards(items, claimed, items, tapering_sizes(total(claimed), workers)), true, speeds)
    longest_ms = max(true) / min(speeds)  # a recording is not divided
    assert ends[-1] - ends[0] <= max(0.05 * ends[-1], longest_ms)


def total(durations_ms):
    return sum(map(load_ms, durations_ms))
