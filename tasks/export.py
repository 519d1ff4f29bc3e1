"""Render the lake as text files: one document per recording, read and written one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from storage.catalog import open_catalog
from storage.errors import ConfigError
from storage.formats import FORMATS
from storage.formats.document import Document, DocumentTurn, DocumentUtterance, DocumentWord
from storage.store import Store

Row = dict[str, Any]

_ID_DIGITS = 8

_UTTERANCES = """
    SELECT utterance_index, start_ms, end_ms, coalesce(speaker_name, speaker_id, local_speaker) AS speaker,
           speaker_uncertain, text, confidence, language, is_overlapped, flags
    FROM transcripts WHERE recording_id = ? ORDER BY utterance_index"""
_WORDS = """
    SELECT w.utterance_index, w.start_ms, w.end_ms, w.text, w.confidence, w.channel,
           coalesce(s.name, w.speaker_id, w.local_speaker) AS speaker
    FROM words w LEFT JOIN speakers s USING (speaker_id) WHERE w.recording_id = ? ORDER BY w.word_index"""
_TURNS = """
    SELECT t.start_ms, t.end_ms, t.channel, t.confidence, coalesce(s.name, t.speaker_id, t.local_speaker) AS speaker
    FROM turns t LEFT JOIN speakers s USING (speaker_id)
    WHERE t.recording_id = ? AND NOT t.is_exclusive ORDER BY t.start_ms, t.end_ms, t.channel, t.local_speaker"""
_RECORDINGS = """
    SELECT recording_id, source, duration_ms, language FROM recordings
    WHERE status <> 'failed' AND (? IS NULL OR collection = ?) AND (? IS NULL OR list_contains(?, source))
    ORDER BY source, recording_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written."""

    n_recordings: int
    out: str


def export_lake(
    lake_url: str,
    out_url: str,
    format_name: str,
    *,
    sources: Sequence[str] | None = None,
    collection: str | None = None,
) -> ExportReport:
    """Write one file per recording under ``out_url``, at its source's path with the format's suffix.

    Recordings of several archives that have one source carry the beginning of their recording_id in their names.

    Args:
        lake_url: The lake.
        out_url: Folder to write to; files there are replaced.
        format_name: A name in ``storage.formats.FORMATS``.
        sources: Only these; None for all.
        collection: Only this collection; None for all.

    Raises:
        ConfigError: the format or the lake does not exist.
    """
    if format_name not in FORMATS:
        raise ConfigError(f"format {format_name!r}", "there is no such format", f"choose one of {', '.join(FORMATS)}")
    chosen, out = FORMATS[format_name], Store(out_url)
    n_recordings = 0
    for name, document in read_documents(lake_url, sources=sources, collection=collection):
        out.put(f"{name}{chosen.suffix}", chosen.render(document).encode())
        n_recordings += 1
    return ExportReport(n_recordings=n_recordings, out=out_url)


def read_documents(
    lake_url: str, *, sources: Sequence[str] | None = None, collection: str | None = None
) -> Iterator[tuple[str, Document]]:
    """Yield a unique relative path and the document of each recording that could be read, in order of source."""
    with open_catalog(lake_url) as catalog:
        wanted = list(sources) if sources is not None else None
        recordings = _rows(catalog, _RECORDINGS, [collection, collection, wanted, wanted])
        uses = Counter(recording["source"] for recording in recordings)
        for recording in recordings:
            yield _path(recording, is_shared=uses[recording["source"]] > 1), _document(catalog, recording)


def _path(recording: Row, *, is_shared: bool) -> str:
    """Return where to write a recording's text; an object store's key may hold ``..``, which must lead nowhere."""
    path = "/".join("_" if part in {"", ".", ".."} else part for part in recording["source"].split("/"))
    return f"{path}.{recording['recording_id'][:_ID_DIGITS]}" if is_shared else path


def _document(catalog: duckdb.DuckDBPyConnection, recording: Row) -> Document:
    key = [recording["recording_id"]]
    words: dict[int, list[DocumentWord]] = {}
    for row in _rows(catalog, _WORDS, key):
        words.setdefault(row.pop("utterance_index"), []).append(DocumentWord(**row))
    utterances = []
    for row in _rows(catalog, _UTTERANCES, key):
        index, is_uncertain, flags = row.pop("utterance_index"), row.pop("speaker_uncertain"), row.pop("flags")
        utterances.append(
            DocumentUtterance(**row, is_uncertain=is_uncertain, flags=tuple(flags), words=tuple(words.get(index, ())))
        )
    return Document(
        name=recording["source"],
        recording_id=recording["recording_id"],
        duration_ms=recording["duration_ms"],
        language=recording["language"],
        utterances=tuple(utterances),
        turns=tuple(DocumentTurn(**row) for row in _rows(catalog, _TURNS, key)),
    )


def _rows(catalog: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> list[Row]:
    result = catalog.execute(sql, parameters)
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]
