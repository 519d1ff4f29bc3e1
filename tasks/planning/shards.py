"""Group recordings into shards of about equal work. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from typing import TypeVar

from storage.records import SourceObject

Item = TypeVar("Item")

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_SHORTEST_MS = 2 * MINUTE_MS
_LONGEST_MS = 8 * 60 * MINUTE_MS
_SHARDS_PER_WORKER = 4
_MOST_SHARDS = 400
OVERHEAD_MS = 500
"""What opening a recording costs, in milliseconds of audio, so that many short ones are not taken for no work."""


def choose_shard_ms(total_ms: int, workers: int) -> int:
    """Return how much audio a shard should hold.

    Several shards for each worker keep the last one from straggling; a ceiling keeps a shard from being hours of
    lost work, and a cap on their number keeps the orchestrator's database small.
    """
    even = total_ms // max(1, workers * _SHARDS_PER_WORKER)
    return max(_SHORTEST_MS, min(even, _LONGEST_MS), total_ms // _MOST_SHARDS)


def group_shards(
    items: Sequence[Item], durations_ms: Sequence[int], together: Sequence[Hashable], shard_ms: int
) -> list[list[Item]]:
    """Return the items in shards, the longest shard first, items in their given order inside each.

    Args:
        items: What is to be grouped, in a canonical order.
        durations_ms: Estimated audio of each.
        together: A key for each; items of one key land in one shard, unless they are more than a shard.
        shard_ms: About how much audio a shard should hold.

    Longest-processing-time-first, so loads are within 4/3 of even (Graham, 1969), or one group if that is longer.
    """
    groups, load = _groups(durations_ms, together, shard_ms)
    n_shards = min(len(groups), max(1, -(-sum(load.values()) // max(1, shard_ms))))
    heap = [(0, shard) for shard in range(n_shards)]
    shards: list[list[int]] = [[] for _ in range(n_shards)]
    for key in sorted(groups, key=lambda key: (-load[key], groups[key][0])):
        filled, shard = heapq.heappop(heap)
        shards[shard].extend(groups[key])
        heapq.heappush(heap, (filled + load[key], shard))
    loads = {shard: filled for filled, shard in heap}
    order = sorted(range(n_shards), key=lambda shard: (-loads[shard], min(shards[shard], default=0)))
    return [[items[i] for i in sorted(shards[shard])] for shard in order if shards[shard]]


def _groups(
    durations_ms: Sequence[int], together: Sequence[Hashable], shard_ms: int
) -> tuple[dict[tuple[Hashable, int], list[int]], dict[tuple[Hashable, int], int]]:
    """Return items that belong together, in groups of up to a shard, and the load of each group."""
    groups: dict[tuple[Hashable, int], list[int]] = {}
    load: dict[tuple[Hashable, int], int] = {}
    n_groups: dict[Hashable, int] = {}
    for index, key in enumerate(together):
        group = (key, n_groups.setdefault(key, 0))
        load_ms = durations_ms[index] + OVERHEAD_MS
        if load.get(group) and load[group] + load_ms > shard_ms:
            n_groups[key] += 1
            group = (key, n_groups[key])
        groups.setdefault(group, []).append(index)
        load[group] = load.get(group, 0) + load_ms
    return groups, load


def duplicate_key(obj: SourceObject) -> Hashable:
    """Return a key that objects of equal bytes share: in one shard, one look settles what is decoded."""
    return obj.size_bytes
