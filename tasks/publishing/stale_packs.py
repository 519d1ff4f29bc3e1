"""Which packs, and files of packs, nobody reads any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from storage.lake import Lake
from storage.packs import PACKED, PACKS, Pack, read_packs, serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Objects of packs that no reader looks for any more."""

    manifests: tuple[str, ...]
    """To be deleted first."""
    files: tuple[str, ...]
    n_bytes: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Return all of them, in the order in which they are to be deleted."""
        return self.manifests + self.files

    @property
    def n(self) -> int:
        """Return how many there are."""
        return len(self.keys)


def stale_pack_keys(lake: Lake, before: datetime) -> Leftovers:
    """Return what can be deleted: what no reader uses who came at that time or later.

    Readers use the publication and the packs of the moment at which they come, and may read for long after. So a pack
    stays for the grace time after something better came, however old it is; and so do files without a manifest, which
    somebody may be about to write.

    Args:
        lake: The lake.
        before: Where the grace time begins, by the clock of the storage; with a time zone.

    Raises:
        StorageError: the lake cannot be read.
    """
    manifests = lake.store.entries(PACKS)
    publications = lake.store.entries("publications")
    packs = [pack for pack in read_packs(lake) if f"{pack.pack_id}.json" in manifests]
    tables = {*PACKED, *(table for pack in packs for table in pack.files)}  # other rules may have had others
    folders = [f"published/{PACKS}/{table}" for table in sorted(tables)]
    files = {f"{folder}/{name}": one for folder in folders for name, one in lake.store.entries(folder).items()}
    written = {pack.pack_id: manifests[f"{pack.pack_id}.json"].modified for pack in packs}
    published = {int(name.removesuffix(".json")): one.modified for name, one in publications.items()}
    used = _used_since(lake, before, packs, written, published)
    kept = [pack for pack in packs if pack.pack_id in used or written[pack.pack_id] >= before]
    stale = [pack.pack_id for pack in packs if pack not in kept]
    named = {key for pack in kept for key in pack.files.values()}
    nameless = [key for key, one in files.items() if key not in named and one.modified < before]
    sizes = [manifests[f"{pack_id}.json"].size_bytes for pack_id in stale] + [files[key].size_bytes for key in nameless]
    return Leftovers(
        manifests=tuple(f"{PACKS}/{pack_id}.json" for pack_id in stale), files=tuple(nameless), n_bytes=sum(sizes)
    )


def _used_since(
    lake: Lake,
    before: datetime,
    packs: Sequence[Pack],
    written: Mapping[str, datetime],
    published: Mapping[int, datetime],
) -> set[str]:
    """Return the packs that readers use who come at any moment since then."""
    numbers = sorted(published)
    used: set[str] = set()
    for number, following in zip_longest(numbers, numbers[1:]):
        until = published[following] if following else None
        if until is not None and until < before:
            continue
        publication = lake.publication(number)
        if publication is None:  # cleaned away meanwhile
            continue
        began = max(published[number], before)
        moments = [began, *(at for at in written.values() if at > began and (until is None or at <= until))]
        for moment in moments:
            there = [pack for pack in packs if written[pack.pack_id] <= moment]
            used |= {one.pack.pack_id for one in serve(publication.parts, there).packs}
    return used
