"""Decide what to pack: few packs, each row copied few times as a lake grows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage.lake_records import Part
from storage.packs import Pack, serve

LARGEST_BYTES = 1 << 29
"""Bytes of parts in one pack: about two million utterances with their words."""
_FEWEST_PARTS = 8
"""Fewer that are in no pack are left as they are: reading them costs little."""
_MOST_STALE = 0.2
_GROWTH = 4
"""A pack is taken into a new one that is at least this part of its size, so that sizes grow in steps."""


def plan_packs(parts: Sequence[Part], n_bytes: Mapping[str, int], packs: Sequence[Pack]) -> list[tuple[Part, ...]]:
    """Return the parts of each pack that is to be written; none where it is not worth it.

    What is packed are the parts that are in no pack, once they are some, and those of packs of which more than a fifth
    is stale. Packs that are not much larger than what is packed go into the new one, so that a lake that grows has a
    few packs of growing size, and each row is copied as often as there are sizes. Packs that are full stay.

    Args:
        parts: Of the publication.
        n_bytes: Size of each part's files, by part_id.
        packs: All that there are.
    """
    serving = serve(parts, packs)
    fresh = {part.part_id for part in serving.loose}
    whole = []
    is_due = len(fresh) >= _FEWEST_PARTS
    for served in serving.packs:
        if served.stale_share > _MOST_STALE:
            fresh |= served.part_ids
            is_due = True
        else:
            whole.append(served.part_ids)
    if not is_due:
        return []
    total = sum(n_bytes[part_id] for part_id in fresh)
    for part_ids in sorted(whole, key=lambda ids: (sum(n_bytes[one] for one in ids), sorted(ids))):
        size = sum(n_bytes[part_id] for part_id in part_ids)
        if size <= _GROWTH * total and total + size <= LARGEST_BYTES:
            fresh |= part_ids
            total += size
    return _groups([part for part in parts if part.part_id in fresh], n_bytes)


def _groups(parts: Sequence[Part], n_bytes: Mapping[str, int]) -> list[tuple[Part, ...]]:
    """Return groups as large as packs may be; one part may be larger than that."""
    groups: list[list[Part]] = []
    size = 0
    for part in parts:
        if not groups or size + n_bytes[part.part_id] > LARGEST_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(part)
        size += n_bytes[part.part_id]
    return [tuple(group) for group in groups]
