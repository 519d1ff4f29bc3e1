"""The speakers of a lake as people see them."""

from __future__ import annotations

from typing import Any

from storage.catalog import open_catalog
from storage.errors import ConfigError
from storage.lake import Lake

_COLUMNS = ("speaker_id", "name", "recordings", "minutes", "heard_in")


def speaker_rows(lake_url: str) -> list[dict[str, Any]]:
    """Return who speaks, how long, and in which recordings; who speaks most comes first."""
    with open_catalog(lake_url) as catalog:
        found = catalog.execute(
            """
            SELECT s.speaker_id, s.name, s.n_recordings, round(s.speech_ms / 60000, 1),
                   (SELECT string_agg(r.source, ', ' ORDER BY r.source)
                    FROM links l JOIN recordings r USING (recording_id) WHERE l.speaker_id = s.speaker_id)
            FROM speakers s WHERE s.merged_into IS NULL AND s.n_recordings > 0
            ORDER BY s.speech_ms DESC, s.speaker_id"""
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in found.fetchall()]


def name_person(lake_url: str, speaker_id: str, name: str | None) -> None:
    """Give a speaker a name, or take it away.

    Raises:
        ConfigError: nobody in the lake has that ID.
    """
    lake = Lake(lake_url)
    known = lake.whole(lake.latest_publication(), "speakers")["speaker_id"].to_pylist()
    if speaker_id not in known:
        raise ConfigError(f"speaker {speaker_id!r}", "is not in the lake", "see: voxlake speakers list LAKE")
    lake.name_speaker(speaker_id, name)
