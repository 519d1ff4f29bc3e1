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
_ROUNDS = 2
"""Each round of shards, one for each worker, is the work that is left by this number."""
_MOST_SHARDS = 400
_OVERHEAD_MS = 500
"""What opening a recording costs, in milliseconds of audio, so that many short ones are not taken for no work."""


def tapering_sizes(total_ms: int, workers: int) -> list[int]:
    """Return how much audio each shard should hold, the largest first.

    Factoring (Hummel, Schonberg and Flynn, 1992): each round gives every worker half of its even share of what is
    left. Workers take the next shard when they are done with one, so large ones come first, and small ones at the end
    level out what headers said wrong and what machines differ. A ceiling keeps a shard from being hours of lost work,
    and a cap on their number keeps the orchestrator's database small.
    """
    sizes: list[int] = []
    smallest_ms = max(_SHORTEST_MS, -(-total_ms // _MOST_SHARDS))
    while (left_ms := total_ms - sum(sizes)) > 0:
        size_ms = max(smallest_ms, min(_LONGEST_MS, left_ms // (_ROUNDS * max(1, workers))))
        n_shards = min(max(1, workers), -(-left_ms // size_ms))
        sizes += [size_ms] * n_shards
    return sizes or [smallest_ms]


def even_sizes(total_ms: int, shard_ms: int, n_recordings: int) -> list[int]:
    """Return shards of one size for all the audio, but no more of them than there are recordings."""
    return [shard_ms] * max(1, min(n_recordings, -(-total_ms // shard_ms)))


def load_ms(duration_ms: int) -> int:
    """Return the work that a recording is, in milliseconds of audio."""
    return duration_ms + _OVERHEAD_MS


def group_shards(
    items: Sequence[Item], durations_ms: Sequence[int], together: Sequence[Hashable], sizes_ms: Sequence[int]
) -> list[list[Item]]:
    """Return the items in shards, the longest shard first, items in their given order inside each.

    Args:
        items: What is to be grouped, in a canonical order.
        durations_ms: Estimated audio of each.
        together: A key for each; items of one key land in one shard, unless they are more than a usual shard.
        sizes_ms: About how much audio each shard should hold; at least one.

    The longest recording goes where most room is left, and so on. With equal sizes that is longest-processing-time
    first, and loads are within 4/3 of even (Graham, 1969), or one group if that is longer.
    """
    groups, load = _groups(durations_ms, together, sorted(sizes_ms)[len(sizes_ms) // 2])
    heap = [(-size_ms, shard) for shard, size_ms in enumerate(sizes_ms)]
    heapq.heapify(heap)
    shards: list[list[int]] = [[] for _ in sizes_ms]
    loads = [0] * len(sizes_ms)
    for key in sorted(groups, key=lambda key: (-load[key], groups[key][0])):
        room, shard = heapq.heappop(heap)
        shards[shard].extend(groups[key])
        loads[shard] += load[key]
        heapq.heappush(heap, (room + load[key], shard))
    order = sorted(range(len(shards)), key=lambda shard: (-loads[shard], min(shards[shard], default=0)))
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
        added_ms = load_ms(durations_ms[index])
        if load.get(group) and load[group] + added_ms > shard_ms:
            n_groups[key] += 1
            group = (key, n_groups[key])
        groups.setdefault(group, []).append(index)
        load[group] = load.get(group, 0) + added_ms
    return groups, load


def duplicate_key(obj: SourceObject) -> Hashable:
    """Return a key that objects of equal bytes share: in one shard, one look settles what is decoded."""
    return obj.size_bytes
