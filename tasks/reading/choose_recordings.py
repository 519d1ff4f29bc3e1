"""Choose recordings of a lake by what is known of them, and the files that they are written to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from storage.errors import ConfigError

_ID_DIGITS = 8
_MOST_BYTES = 200
"""Of the 255 that a name may have: there must be room for suffixes."""
_FETCHED = 1000
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")

_CHOSEN = """
    WITH named AS (
        SELECT *, array_to_string([if(part IN ('', '.', '..'), '_', part) FOR part IN string_split(source, '/')], '/')
                  AS path
        FROM recordings WHERE status <> 'failed'
    ), distinguished AS (
        SELECT *, count(*) OVER (PARTITION BY nfc_normalize(lower(path))) > 1 AS is_shared FROM named
    )
    SELECT r.recording_id, s.part_id, r.source, r.path, r.is_shared, r.duration_ms, r.language
    FROM distinguished r JOIN (SELECT DISTINCT recording_id, part_id FROM published.selected) s USING (recording_id)
    WHERE ($sources IS NULL OR r.recording_id IN (
            SELECT n.recording_id FROM sources n, unnest($sources::VARCHAR[]) AS wanted(pattern)
            WHERE n.recording_id IS NOT NULL AND (n.source = pattern OR n.source GLOB pattern)))
      AND ($collections IS NULL OR list_contains($collections::VARCHAR[], r.collection))
      AND ($languages IS NULL OR list_contains($languages::VARCHAR[], r.language))
      AND ($speaker_ids IS NULL OR r.recording_id IN (
            SELECT recording_id FROM links WHERE list_contains($speaker_ids::VARCHAR[], speaker_id)))
      AND ($since IS NULL OR left(r.recorded_at, len($since)) >= left($since, len(r.recorded_at)))
      AND ($until IS NULL OR left(r.recorded_at, len($until)) <= left($until, len(r.recorded_at)))
    ORDER BY s.part_id, r.recording_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFilter:
    """Which recordings: those that satisfy every field that is not None, in a list by any of its members."""

    sources: tuple[str, ...] | None = None
    """Names under which a recording was found, or patterns of such names with ``*``, ``?`` and ``[…]``."""
    collections: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    """ISO 639-1 codes of most of the transcript."""
    speaker_ids: tuple[str, ...] | None = None
    """Recordings in which the speaker is heard."""
    since: str | None = None
    """First year, month or day of ``recorded_at``; who has no date is left out. Dates are compared as far as both go,
    so that 1998 is as well in as before May 1998."""
    until: str | None = None
    """Last year, month or day."""

    def __post_init__(self) -> None:
        """Refuse what is no date.

        Raises:
            ConfigError: a date has another form.
        """
        for date in (self.since, self.until):
            if date is not None and not _DATE.fullmatch(date):
                raise ConfigError(f"date {date!r}", "is none", "write 1998, 1998-05 or 1998-05-31")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRecording:
    """A recording that was chosen, and where it is."""

    recording_id: str
    part_id: str
    source: str
    path: str
    """Relative path that no other recording of the lake has, whatever is chosen, also where case does not count; it
    never leads upwards."""
    duration_ms: int | None
    language: str | None


def choose_recordings(catalog: duckdb.DuckDBPyConnection, chosen: RecordingFilter) -> Iterator[ChosenRecording]:
    """Yield the recordings that could be read and that the filter lets through, by part and recording_id."""
    found = catalog.execute(
        _CHOSEN,
        {
            "sources": chosen.sources,
            "collections": chosen.collections,
            "languages": chosen.languages,
            "speaker_ids": chosen.speaker_ids,
            "since": chosen.since,
            "until": chosen.until,
        },
    )
    while rows := found.fetchmany(_FETCHED):
        for recording_id, part_id, source, path, is_shared, duration_ms, language in rows:
            yield ChosenRecording(
                recording_id=recording_id,
                part_id=part_id,
                source=source,
                path=writable(f"{path}.{recording_id[:_ID_DIGITS]}" if is_shared else path),
                duration_ms=duration_ms,
                language=language,
            )


def writable(path: str) -> str:
    """Return a relative path as any filesystem takes it: names that are too long are cut, and end in their hash."""
    return "/".join(_shortened(name.replace("\0", "_")) for name in path.split("/"))


def _shortened(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= _MOST_BYTES:
        return name
    return f"{encoded[: _MOST_BYTES - 17].decode(errors='ignore')}~{hashlib.sha256(encoded).hexdigest()[:16]}"
