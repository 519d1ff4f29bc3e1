"""Packs: sorted copies of many parts' published rows, from which queries are answered quickly.

    published/packs/<table>/<pack>-<writer>.parquet   rows of many parts; never changed
    packs/<pack>.json                                 written last: which files those are, and of which parts they are

A pack is derived and nothing points to it. Whoever reads a publication uses each pack for the parts that it holds as
they are published, by ``part_id`` and digest; the other rows of the pack are masked, and the other parts read from
their own files, which are kept. So each row is seen once, whatever is packed or published meanwhile, without a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from storage.lake import Lake
from storage.lake_records import Part
from storage.publishing import inputs_digest
from storage.store import json_bytes

PACK_RULES = 2
"""Raised when packs are to be written otherwise; those of other rules are not used."""
PACKED = ("transcripts", "words", "turns", "coverage", "terms")
"""Tables of parts that packs hold. Not fingerprints: forgetting a person takes theirs out of every file."""
PACKS = "packs"
"""Folder of the manifests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPart:
    """A part in a pack, as it was published then."""

    digest: str
    n_bytes: int
    """Size of the files that it was read from."""
    n_utterances: int
    n_words: int
    """Of all its utterances; with their number it saves search a look at every utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A sorted copy of some parts."""

    pack_id: str
    rules: int
    parts: Mapping[str, PackedPart]
    """What it holds, by part_id; nothing that is known here where it was written by other rules."""
    files: Mapping[str, str]
    """Key of its file of each table in ``PACKED``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A pack that a reader uses."""

    pack: Pack
    part_ids: frozenset[str]
    """Parts whose rows it serves."""

    @property
    def masked(self) -> list[str]:
        """Parts whose rows are not to be seen."""
        return sorted(self.pack.parts.keys() - self.part_ids)

    @property
    def stale_share(self) -> float:
        """Return how much of the pack is not to be seen, by bytes."""
        total = sum(part.n_bytes for part in self.pack.parts.values())
        return sum(self.pack.parts[part_id].n_bytes for part_id in self.masked) / max(total, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where each part of a publication is read, exactly once."""

    packs: tuple[Served, ...]
    loose: tuple[Part, ...]
    """Parts that are read from their own files."""
    parts: tuple[Part, ...]
    """All parts of the publication, for tables that are not packed."""


def serve(parts: Sequence[Part], packs: Iterable[Pack]) -> Serving:
    """Return which packs serve which parts: the ones that hold most of what is published first. Pure."""
    digests = {part.part_id: part.digest for part in parts}
    by_id = {pack.pack_id: pack for pack in packs if pack.rules == PACK_RULES}
    current = {
        pack_id: {part_id for part_id, part in pack.parts.items() if digests.get(part_id) == part.digest}
        for pack_id, pack in by_id.items()
    }
    left = set(digests)
    served = []
    for pack_id in sorted(current, key=lambda one: (-len(current[one]), len(by_id[one].parts), one)):
        part_ids = left & current[pack_id]
        if part_ids:
            served.append(Served(pack=by_id[pack_id], part_ids=frozenset(part_ids)))
            left -= part_ids
    loose = tuple(part for part in parts if part.part_id in left)
    return Serving(packs=tuple(served), loose=loose, parts=tuple(parts))


def new_pack_id(parts: Iterable[Part]) -> str:
    """Return the name of the pack of those parts, the same for whoever packs them."""
    return inputs_digest([PACK_RULES, sorted([part.part_id, part.digest] for part in parts)])


def pack_file_key(table: str, pack_id: str, writer: str) -> str:
    """Return the key of a pack's file; writers of the same pack do not share theirs."""
    return f"published/{PACKS}/{table}/{pack_id}-{writer}.parquet"


def write_pack(lake: Lake, pack: Pack) -> bool:
    """Make a pack whose files are written visible; return False where somebody else was first."""
    return lake.store.create(f"{PACKS}/{pack.pack_id}.json", json_bytes(asdict(pack)))


def read_packs(lake: Lake) -> list[Pack]:
    """Return all packs, sorted by name, also those that nobody uses any more."""
    return [_pack_of(record) for record in lake.store.read_jsons(PACKS).values()]


def _pack_of(record: Mapping[str, Any]) -> Pack:
    is_known = record["rules"] == PACK_RULES
    parts = {part_id: PackedPart(**part) for part_id, part in record["parts"].items()} if is_known else {}
    return Pack(pack_id=record["pack_id"], rules=record["rules"], parts=parts, files=record["files"])
