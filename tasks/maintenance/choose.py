"""Which commits and compactions to put together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TARGET_BYTES = 64 << 20
"""Size up to which compactions grow. One is made in memory, where its words take some ten times as much."""
_MOST_TIMES = 4
"""A compaction is taken up again once what is smaller than it has a quarter of its size, so that each fact is written
a few times in its life, however often maintenance runs; and so there are only a few compactions below full size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A commit that is alone, or a compaction."""

    unit_id: str
    n_bytes: int
    first_commit: str
    """Of those in it; what was committed together is to stay together."""
    is_compacted: bool


def choose_groups(units: Sequence[Unit], target_bytes: int = TARGET_BYTES) -> list[list[Unit]]:
    """Return groups of at least two that are each to become one compaction; in order of their commits.

    Args:
        units: All there are, each commit in one of them.
        target_bytes: Most bytes of a group.
    """
    taken = [one for one in units if not one.is_compacted]
    taken_bytes = sum(one.n_bytes for one in taken)
    for one in sorted((one for one in units if one.is_compacted), key=lambda one: (one.n_bytes, one.unit_id)):
        if one.n_bytes > _MOST_TIMES * taken_bytes or 2 * one.n_bytes > target_bytes:
            break
        taken.append(one)
        taken_bytes += one.n_bytes
    groups: list[list[Unit]] = []
    group_bytes = 0
    for one in sorted(taken, key=lambda one: (one.first_commit, one.unit_id)):
        group_bytes += one.n_bytes
        if not groups or group_bytes > target_bytes:
            groups.append([])
            group_bytes = one.n_bytes
        groups[-1].append(one)
    return [group for group in groups if len(group) > 1 and not all(one.is_compacted for one in group)]
