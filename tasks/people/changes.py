"""What a decision changed: the speakers of a lake before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.catalog import open_catalog
from storage.catalog_errors import asking

Row = dict[str, Any]
Speakers = Mapping[str, Row]

_COUNTS = ("recordings", "minutes")


def published_speakers(lake_url: str) -> Speakers:
    """Return all speakers as they are published now, by speaker_id."""
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute(
            """
            SELECT speaker_id, name, n_recordings AS recordings, round(speech_ms / 60000, 1) AS minutes, merged_into
            FROM speakers"""
        ).to_arrow_table()
    return {row["speaker_id"]: row for row in found.to_pylist()}


def changed_speakers(before: Speakers, after: Speakers) -> list[Row]:
    """Return a row for each speaker who is heard in more or in less than before, sorted by speaker_id."""
    nobody: Row = dict.fromkeys(_COUNTS, 0)
    return [
        {
            "speaker_id": speaker_id,
            "name": now["name"],
            **{f"{count}_before": before.get(speaker_id, nobody)[count] for count in _COUNTS},
            **{count: now[count] for count in _COUNTS},
            "merged_into": now["merged_into"],
        }
        for speaker_id, now in sorted(after.items())
        if any(before.get(speaker_id, nobody)[count] != now[count] for count in _COUNTS)
    ]
