"""Pack a lake: copy the rows of many published parts into few sorted files, for quick queries."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.lake import Lake
from storage.lake_records import Part
from storage.pack_files import PackTables
from storage.packs import PACK_RULES, PACKED, Pack, PackedPart, new_pack_id, pack_file_key, read_packs, write_pack
from tasks.publishing.pack_plan import plan_packs


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What was packed."""

    n_packs: int
    """Packs that were written; 0 where it was not worth it."""
    n_parts: int
    """Parts in them."""
    n_bytes: int
    """Size of their files."""


def pack_lake(lake_url: str, *, is_dry_run: bool = False) -> PackReport:
    """Pack what is worth it of the latest publication. What queries find stays the same.

    Others may run, publish, query, and pack at the same time; whoever is killed leaves files that nobody names.
    Memory is bounded, whatever the lake's size; the temporary folder holds a pack's tables one at a time.

    Args:
        lake_url: The lake; without a publication there is nothing to do.
        is_dry_run: Only say how much there is to do; its bytes are those of the parts.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    lake = Lake(lake_url)
    publication = lake.latest_publication()
    parts = publication.parts if publication else ()
    n_bytes = _sizes(lake, parts)
    groups = plan_packs(parts, n_bytes, read_packs(lake))
    n_parts = sum(map(len, groups))
    if is_dry_run:
        total = sum(n_bytes[part.part_id] for group in groups for part in group)
        return PackReport(n_packs=len(groups), n_parts=n_parts, n_bytes=total)
    written = sum(_write(lake, group, {part.part_id: n_bytes[part.part_id] for part in group}) for group in groups)
    return PackReport(n_packs=len(groups), n_parts=n_parts, n_bytes=written)


def _sizes(lake: Lake, parts: Sequence[Part]) -> dict[str, int]:
    """Return the size of each part's files of the tables that are packed."""
    listed = {
        f"published/{table}/{name}": one.size_bytes
        for table in PACKED
        for name, one in lake.store.entries(f"published/{table}").items()
    }
    return {part.part_id: sum(listed.get(part.files.get(table, ""), 0) for table in PACKED) for part in parts}


def _write(lake: Lake, parts: Sequence[Part], n_bytes: dict[str, int]) -> int:
    """Write a pack, its manifest last; return the size of its files."""
    pack_id, writer = new_pack_id(parts), uuid.uuid4().hex[:8]
    files, total = {}, 0
    with (
        tempfile.TemporaryDirectory(prefix="voxlake-pack-") as scratch,
        PackTables(lake, parts, Path(scratch)) as tables,
    ):
        counts = tables.counts()
        for table, path in tables.write():
            files[table] = pack_file_key(table, pack_id, writer)
            lake.store.put_file(files[table], path)
            total += path.stat().st_size
            path.unlink()
    packed = {
        part.part_id: PackedPart(
            digest=part.digest, n_bytes=n_bytes[part.part_id], n_utterances=n_utterances, n_words=n_words
        )
        for part in parts
        for n_utterances, n_words in [counts[part.part_id]]
    }
    write_pack(lake, Pack(pack_id=pack_id, rules=PACK_RULES, parts=packed, files=files))
    return total
