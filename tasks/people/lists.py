"""The speakers of a lake, the decisions about them, and their names, as people see them."""

from __future__ import annotations

from typing import Any

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.lake import Lake
from tasks.people.who import find_speaker

_COLUMNS = ("speaker_id", "name", "status", "recordings", "minutes", "heard_in")
_IS_PERSON = "s.status = 'person'"
"""Who is listed by default: the one place to say what is published as a person."""

Row = dict[str, Any]


def speaker_rows(lake_url: str, *, is_all: bool = False) -> list[Row]:
    """Return who speaks, how long, and in which recordings; who speaks most comes first.

    Args:
        lake_url: The lake.
        is_all: Also fragments, of which too little is heard to count as people, and IDs that nobody bears any more.
    """
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute(
            f"""
            SELECT s.speaker_id, s.name, s.status, s.n_recordings, round(s.speech_ms / 60000, 1),
                   (SELECT string_agg(r.source, ', ' ORDER BY r.source)
                    FROM links l JOIN recordings r USING (recording_id) WHERE l.speaker_id = s.speaker_id)
            FROM speakers s WHERE {is_all} OR {_IS_PERSON}
            ORDER BY s.speech_ms DESC, s.speaker_id"""
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in found.fetchall()]


def decision_rows(lake_url: str) -> list[Row]:
    """Return all decisions, oldest first, as the view ``decisions`` has them."""
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute('SELECT * FROM decisions ORDER BY "at", decision_id').to_arrow_table()
    rows: list[Row] = found.to_pylist()
    return rows


def name_person(lake_url: str, who: str, name: str | None) -> str:
    """Give a speaker a name, or take it away, at once and in all recordings; return their speaker_id.

    Raises:
        ConfigError: nobody in the lake has that ID or name.
    """
    speaker_id = find_speaker(lake_url, who)
    Lake(lake_url).name_speaker(speaker_id, name)
    return speaker_id
