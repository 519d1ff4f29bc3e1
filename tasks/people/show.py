"""Everything that a lake knows of one speaker."""

from __future__ import annotations

from typing import Any

import duckdb

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from storage.decisions import read_log
from storage.lake import Lake
from tasks.people.enroll import enrolment_rows, models_in_use
from tasks.people.who import known_speakers

Row = dict[str, Any]

_NEAREST = 10

_SPEAKER = """
    SELECT speaker_id, name, n_recordings AS recordings, round(speech_ms / 60000, 1) AS minutes, first_seen, last_seen
    FROM speakers WHERE speaker_id = ?"""
_RECORDINGS = """
    SELECT r.source, l.local_speaker, round(l.speech_ms / 1000, 1) AS seconds, l.confidence, l.margin
    FROM links l JOIN recordings r USING (recording_id) WHERE l.speaker_id = ?
    ORDER BY r.source, l.local_speaker"""
_NEIGHBOURS = f"""
    SELECT n.other_id AS speaker_id, s.name, n.score, n.confidence
    FROM speaker_neighbours n LEFT JOIN speakers s ON s.speaker_id = n.other_id WHERE n.speaker_id = ?
    ORDER BY n.score DESC, n.other_id LIMIT {_NEAREST}"""
_DECISIONS = """
    SELECT decision_id, "at", kind, speaker_id, other_id, is_undone, n_lost, set_aside
    FROM decisions WHERE list_has_any(?, [speaker_id, other_id]) ORDER BY "at", decision_id"""


def show_speaker(lake_url: str, who: str) -> Row:
    """Return a speaker: who they are, where they are heard, who sounds alike, and what was decided about them.

    Args:
        lake_url: The lake.
        who: ID, also one that was merged into another, or name.

    Returns:
        ``speaker`` (a row of what is known), ``recordings``, ``neighbours``, ``decisions``, ``enrolments`` (rows), and
        ``formerly`` (IDs that were merged into this one).

    Raises:
        ConfigError: nobody in the lake has that ID or name.
    """
    lake = Lake(lake_url)
    known = known_speakers(lake)
    speaker_id = known.find(who)
    formerly = sorted(one for one in known.merged_into if one != speaker_id and known.current(one) == speaker_id)
    enrolments = enrolment_rows(lake, read_log(lake), models_in_use(lake_url))
    with open_catalog(lake_url) as catalog, asking(lake_url):
        unpublished = {"speaker_id": speaker_id, "name": known.names.get(speaker_id), "recordings": 0, "minutes": 0.0}
        return {
            "speaker": next(iter(_rows(catalog, _SPEAKER, speaker_id)), unpublished),
            "formerly": formerly,
            "recordings": _rows(catalog, _RECORDINGS, speaker_id),
            "neighbours": _rows(catalog, _NEIGHBOURS, speaker_id),
            "decisions": _rows(catalog, _DECISIONS, [speaker_id, *formerly]),
            "enrolments": [row for row in enrolments if row["speaker_id"] in {speaker_id, *formerly}],
        }


def _rows(catalog: duckdb.DuckDBPyConnection, query: str, value: object) -> list[Row]:
    rows: list[Row] = catalog.execute(query, [value]).to_arrow_table().to_pylist()
    return rows
