"""Maintenance of a lake: compact facts, pack what is published, delete what nobody reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.addresses import public_url
from storage.compactions import FOLDER as COMPACTIONS
from storage.errors import ConfigError
from storage.lake import Lake
from storage.packs import PACKS
from tasks.linking.forgotten import erase_from
from tasks.maintenance.clean import Age, stale
from tasks.maintenance.compact import CompactReport, compact_facts
from tasks.publishing.pack import PackReport, pack_lake
from tasks.publishing.stale_packs import stale_pack_keys

GRACE_DAYS = 7.0
"""How long somebody may go on reading what he once saw: longer than a run takes, and than a connection stays open."""
_WITH_FOLDERS = ("facts", "published", "claims")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintainReport:
    """What was done, or would be."""

    is_dry_run: bool
    compacted: CompactReport
    packed: PackReport
    n_files_before: int
    n_files_after: int
    """Of a dry run, without the files that it would write."""
    deleted: Mapping[str, int]
    """Objects by folder."""
    freed_bytes: int

    @property
    def n_deleted(self) -> int:
        """Objects that went."""
        return sum(self.deleted.values())


def maintain_lake(lake_url: str, *, grace_days: float = GRACE_DAYS, is_dry_run: bool = False) -> MaintainReport:
    """Compact facts, pack what is published, and delete what nobody has read for a while.

    What is read of the lake stays the same. Others may run, publish, query and maintain at the same time; run it
    again after whatever stopped it.

    Args:
        lake_url: The lake.
        grace_days: How long what was replaced is kept for who still reads it.
        is_dry_run: Only say what there is to do.

    Raises:
        ConfigError: there is no lake, or the time is less than none.
        StorageError: the lake cannot be read or written.
    """
    lake = Lake(lake_url)
    if grace_days < 0:
        raise ConfigError(f"grace time of {grace_days} days", "is less than none", "give 0 or more")
    if not any(lake.store.list(folder) for folder in ("commits", COMPACTIONS, "publications")):
        raise ConfigError(f"lake {public_url(lake_url)!r}", "holds nothing", "fill it with: voxlake run ARCHIVE LAKE")
    n_before = _n_files(lake)
    if not is_dry_run:
        _erase_from_strays(lake)
    compacted = compact_facts(lake, is_dry_run=is_dry_run)
    packed = pack_lake(lake_url, is_dry_run=is_dry_run)
    age = Age(now=datetime.now(UTC) if is_dry_run else lake.store.now(), grace=timedelta(days=grace_days))
    packs = stale_pack_keys(lake, age.now - age.grace)  # judged by publications that the next line may let go
    manifests, files = stale(lake, age)
    if not is_dry_run:
        for folder in ("", *_folders(lake)):
            lake.store.delete_leftovers(folder)
        # First the manifests: whatever stops this, none names a file that is gone.
        lake.store.delete_all([*manifests, *packs.manifests])
        lake.store.delete_all([*files, *packs.files])
    gone = [*manifests, *files, *packs.keys]
    return MaintainReport(
        is_dry_run=is_dry_run,
        compacted=compacted,
        packed=packed,
        n_files_before=n_before,
        n_files_after=n_before - len(gone) if is_dry_run else _n_files(lake),
        deleted=_by_folder(gone),
        freed_bytes=sum(manifests.values()) + sum(files.values()) + packs.n_bytes,
    )


def _erase_from_strays(lake: Lake) -> None:
    """Keep nobody's forgotten voice in what a compaction that was killed may have left."""
    written = lake.store.list("facts/fingerprints")
    known = {name.removesuffix(".json") for folder in ("commits", COMPACTIONS) for name in lake.store.list(folder)}
    strays = [f"facts/fingerprints/{name}" for name in written if name.removesuffix(".parquet") not in known]
    erase_from(lake, lake.state(), strays)


def _folders(lake: Lake) -> list[str]:
    tops = [name for name in lake.store.list("") if name not in _WITH_FOLDERS]
    below = [f"{top}/{name}" for top in _WITH_FOLDERS for name in lake.store.list(top) if name != PACKS]
    return [*tops, *below, *(f"published/{PACKS}/{name}" for name in lake.store.list(f"published/{PACKS}"))]


def _n_files(lake: Lake) -> int:
    return sum(len(lake.store.entries(folder)) for folder in _folders(lake))


def _by_folder(keys: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(key.partition("/")[0] for key in keys).items()))
