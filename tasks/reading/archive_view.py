"""What a publication says of one archive: its sources, the bytes they have, and what stands as failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from storage.lake import Lake
from storage.lake_records import Publication

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveView:
    """One archive in one publication; empty where there is none."""

    ids: Mapping[str, str | None] = field(default_factory=dict)
    """recording_id of every source that was ever seen; None where its bytes could not be read."""
    present: frozenset[str] = frozenset()
    """Sources that were there when the archive was last listed."""
    failures: tuple[Row, ...] = ()
    """Failures that stand, under every name that the recording has in the archive, by source and stage."""

    @property
    def failing(self) -> frozenset[str]:
        """Sources that are there and stand as failed."""
        return frozenset(row["source"] for row in self.failures) & self.present


def archive_view(
    lake: Lake, publication: Publication | None, archive: str, listed: Collection[str] | None = None
) -> ArchiveView:
    """Read what a publication says of an archive.

    Args:
        lake: The lake.
        publication: Which of its publications; None gives an empty view.
        archive: As the lake calls it.
        listed: The sources that are there; where nobody has listed them, those that the last run over them saw.
    """
    sources = lake.whole(publication, "sources")
    ours = sources.filter(pc.equal(sources["archive"], archive))
    ids = dict(zip(ours["source"].to_pylist(), ours["recording_id"].to_pylist(), strict=True))
    if listed is None:
        latest = pc.max(ours["last_seen"])
        listed = ours.filter(pc.equal(ours["last_seen"], latest))["source"].to_pylist() if len(ours) else []
    return ArchiveView(
        ids=ids,
        present=frozenset(listed),
        failures=tuple(_under_all_names(lake.whole(publication, "failures").to_pylist(), archive, ids)),
    )


def added_audio_ms(lake: Lake, before: Publication | None, after: Publication | None) -> int:
    """Return the sound of the recordings that one publication of the lake has and another has not."""
    known = lake.whole(before, "recordings")["recording_id"]
    recordings = lake.whole(after, "recordings")
    added = recordings.filter(pc.invert(pc.is_in(recordings["recording_id"], value_set=known)))
    return pc.sum(added["duration_ms"]).as_py() or 0


def _under_all_names(failures: Collection[Row], archive: str, ids: Mapping[str, str | None]) -> list[Row]:
    failed = {row["recording_id"] for row in failures}
    names: dict[str, list[str]] = defaultdict(list)
    for source, recording_id in ids.items():
        if recording_id in failed and recording_id is not None:
            names[recording_id].append(source)
    rows: list[Row] = []
    for row in failures:
        nameless = [row["source"]] if row["archive"] == archive else []
        rows += [row | {"source": name} for name in (names[row["recording_id"]] if row["recording_id"] else nameless)]
    return sorted(rows, key=lambda row: (row["source"], row["stage"], row["start_ms"] or 0))
