"""Utterances as lines for a terminal."""

from __future__ import annotations

from storage.catalog import open_catalog
from storage.catalog_errors import asking
from tasks.planning.shards import MINUTE_MS


def utterance_lines(lake_url: str, source: str, most: int) -> list[str]:
    """Return the first utterances of a recording, with times and speakers; a speaker that is unsure has a '?'."""
    with open_catalog(lake_url) as catalog, asking(lake_url):
        found = catalog.execute(
            """
            SELECT start_ms, coalesce(speaker_name, speaker_id, local_speaker, '?'), speaker_uncertain, text
            FROM transcripts WHERE source = ? ORDER BY utterance_index LIMIT ?""",
            [source, most],
        )
        return [_line(*row) for row in found.fetchall()]


def _line(start_ms: int, speaker: str, is_uncertain: bool, text: str) -> str:
    minutes, rest_ms = divmod(start_ms, MINUTE_MS)
    mark = "?" if is_uncertain and speaker != "?" else ""
    return f"{minutes:02d}:{rest_ms // 1000:02d}  {speaker + mark:<14} {text}"
